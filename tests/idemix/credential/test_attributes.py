"""Attributes as integers."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.credential.attributes import credential_hash, decode_attribute, decode_attribute_bytes, decode_random_blind, encode_attribute

texts = st.text(st.characters(codec="utf-8"), max_size=50).filter(lambda text: not text.startswith("\0"))


@given(st.none() | texts)
def test_what_is_encoded_is_decoded(value: str | None) -> None:
    assert decode_attribute(encode_attribute(value)) == value


@given(texts)
def test_in_version_2_too(value: str) -> None:
    assert decode_attribute(encode_attribute(value, 2), 2) == value


@given(st.integers(0, 1 << 400).map(lambda value: mpz(value)))
def test_any_integer_is_read(value: mpz) -> None:
    text = decode_attribute(value)
    assert (text is None) == (not value.bit_test(0))
    if text is not None:
        text.encode()


def test_presence() -> None:
    assert [encode_attribute(value) for value in (None, "", "456")] == [0, 1, 6842989]
    assert encode_attribute(None, 2) == 0
    assert decode_attribute(mpz(0), 2) == ""


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"\xff", "\ufffd"), (b"a\xe2\x82b", "a\ufffd\ufffdb"), (b"\xed\xa0\x80", "\ufffd" * 3), (b"\xc3\xa9\xc3", "é\ufffd")],
)
def test_bytes_that_are_no_text_are_replaced_one_by_one(data: bytes, text: str) -> None:
    attribute = mpz(int.from_bytes(data, "big") * 2 + 1)
    assert decode_attribute_bytes(attribute) == data
    assert decode_attribute(attribute) == text


def test_base_62() -> None:
    assert [decode_random_blind(mpz(value)) for value in (0, 61, 62, 123456789)] == ["", "Z", "10", "8m0Kx"]


def test_hash_passes_over_absent_attributes() -> None:
    assert credential_hash([mpz(1), None, mpz(2)]) == credential_hash([mpz(1), mpz(2)]) == credential_hash([mpz(258)])
    assert credential_hash([mpz(1)]) != credential_hash([mpz(2)])
