import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.timestamp import parse_timestamp, print_timestamp


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (b"1790000000\n", 1_790_000_000),
        (b"1790000000", 1_790_000_000),
        (b"+5\n", 5),
        (b"0", 0),
        (b"0" * 40 + b"7\n", 7),
        (b"9999999999999\n", 9_999_999_999_999),
    ],
)
def test_reads(content: bytes, seconds: int) -> None:
    assert parse_timestamp(content) == seconds


@pytest.mark.parametrize(
    ("content", "departure"),
    [
        (b"", None),
        (b"\n", None),
        (b"5\n\n", None),
        (b"5\r\n", None),
        (b" 5\n", None),
        (b"1.5\n", None),
        (b"0x10\n", None),
        (b"today\n", None),
        (b"1_000\n", None),
        ("٣".encode(), None),
        (b"9999999999999999999\n", None),
        (b"9" * 10_000, None),
        (b"-5\n", "negative-timestamp"),
    ],
)
def test_refuses(content: bytes, departure: str | None) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        parse_timestamp(content)
    assert (caught.value.path, caught.value.departure) == ("timestamp", departure)


@given(st.integers(0, (1 << 63) - 1))
def test_parse_after_print_gives_the_same(seconds: int) -> None:
    assert parse_timestamp(print_timestamp(seconds)) == seconds
