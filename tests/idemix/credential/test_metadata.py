"""The metadata attribute."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.credential.metadata import WEEK_SECONDS, MetadataAttribute, default_expiry, floor_to_week
from idemix.errors import MalformedAttributeError

words = st.integers(0, 65535)


@given(st.builds(MetadataAttribute, st.integers(0, 255), words, words, words, st.binary(min_size=16, max_size=16)))
def test_what_is_encoded_is_decoded(metadata: MetadataAttribute) -> None:
    assert MetadataAttribute.decode(metadata.encode()) == metadata


@given(st.integers(0, 1 << 192).map(lambda value: mpz(value)))
def test_any_24_bytes_are_read(value: mpz) -> None:
    if value.bit_length() <= 192:
        assert MetadataAttribute.decode(value).encode().bit_length() <= 192
    else:
        with pytest.raises(MalformedAttributeError):
            MetadataAttribute.decode(value)


def test_the_documented_value() -> None:
    signed_at = 1_600_000_000
    metadata = MetadataAttribute.create(
        "irma-demo.RU.studentCard", signed_at=signed_at, expires_at=signed_at + 40 * WEEK_SECONDS, key_counter=2
    )
    assert f"{metadata.encode():048x}" == "03000a5500280002d6cb6a94f69de5e7697d2d4d6b553e0c"
    assert (metadata.signed_at, metadata.expires_at) == (1599696000, 1623888000)
    assert metadata.is_valid_on(1623887999)
    assert not metadata.is_valid_on(1623888000)


@pytest.mark.parametrize(
    "arguments",
    [
        {"expires_at": 0},
        {"key_counter": 65536},
        {"key_counter": -1},
        {"version": 256},
        {"expires_at": 65537 * WEEK_SECONDS, "signed_at": 0},
        {"signed_at": -WEEK_SECONDS, "expires_at": 0},
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(MalformedAttributeError):
        MetadataAttribute.create("a.b.c", **{"signed_at": 1_600_000_000, "expires_at": None, "key_counter": 0, **arguments})


@pytest.mark.parametrize("value", [mpz(1) << 192, mpz(-1)])
def test_other_lengths_are_refused(value: mpz) -> None:
    with pytest.raises(MalformedAttributeError):
        MetadataAttribute.decode(value)


def test_the_type_is_16_bytes() -> None:
    with pytest.raises(MalformedAttributeError):
        MetadataAttribute(3, 0, 0, 0, b"")


def test_weeks_are_rounded_towards_1970() -> None:
    assert [floor_to_week(time) for time in (-604801, -1, 0, 604799, 604800)] == [-604800, 0, 0, 0, 604800]


@pytest.mark.parametrize(
    ("start", "end"),
    # 2024-01-15 → 2024-07-15; 2023-08-31 → 2024-02-31, which is 2 March; 2024-12-31 → 2025-06-31, which is 1 July
    [(1705276800, 1721001600), (1693440000, 1709337600), (1735603200, 1751328000)],
)
def test_six_months(start: int, end: int) -> None:
    assert default_expiry(start) == end
