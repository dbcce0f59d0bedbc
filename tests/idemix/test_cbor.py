"""CBOR: what is read, what is refused, and signed messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix import cbor
from idemix.departures import DEPARTURES
from idemix.errors import InvalidSignatureError, MalformedKeyError, MalformedProofError
from tests.support.keys import key_pair

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=70) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
KEY = key_pair("issuer-1024")
OTHER = key_pair("other-1024")
SIGNED = cbor.sign_message(KEY.private.ecdsa, {"Nu": b"abc", "Index": 5})


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert cbor.decode(cbor.encode(value), "") == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65536, "1a00010000"),
        (1 << 32, "1b0000000100000000"),
        (-1, "20"),
        (-500, "3901f3"),
        (b"", "40"),
        (b"\x01" * 24, "5818" + "01" * 24),
        ("ü", "62c3bc"),
        ([1, [2]], "82018102"),
        ({"b": 1, "a": None}, "a2616201" + "6161f6"),
        (True, "f5"),
        (False, "f4"),
    ],
)
def test_examples(value: Any, written: str) -> None:
    """Mostly those of RFC 8949, appendix A."""
    assert cbor.encode(value).hex() == written
    assert cbor.decode(bytes.fromhex(written), "") == value


@pytest.mark.parametrize("value", [1 << 64, -(1 << 64) - 1, 1.5, {1: 2}, object()], ids=repr)
def test_what_has_no_form_is_not_written(value: Any) -> None:
    if value == {1: 2}:
        # A key is written as any value, and is no text when it is read.
        with pytest.raises(MalformedProofError):
            cbor.decode(cbor.encode(value), "")
        return
    with pytest.raises(TypeError):
        cbor.encode(value)


@pytest.mark.parametrize(
    ("data", "by_rule"),
    {
        "nothing": ("", False),
        "a head cut short": ("19ff", False),
        "bytes cut short": ("4301", False),
        "a list cut short": ("8201", False),
        "a map cut short": ("a16161", False),
        "a list longer than memory": ("9b7fffffffffffffff", False),
        "bytes longer than memory": ("5b7fffffffffffffff", False),
        "a text that is not UTF-8": ("61ff", False),
        "something after the value": ("0000", True),
        "0 in two bytes": ("1800", True),
        "255 in three bytes": ("1900ff", True),
        "65535 in five bytes": ("1a0000ffff", True),
        "2^32 - 1 in nine bytes": ("1b00000000ffffffff", True),
        "a long head of a map": ("b80161610" + "1", True),
        "an indefinite list": ("9f01ff", True),
        "indefinite bytes": ("5f4101ff", True),
        "a reserved length": ("1c", True),
        "a tag": ("c24101", True),
        "a date": ("c11a5f5e1000", True),
        "half a float": ("f93c00", True),
        "a float": ("fb3ff199999999999a", True),
        "undefined": ("f7", True),
        "a simple value": ("f0", True),
        "a key twice": ("a2616101616102", True),
        "a key that is a number": ("a10101", True),
        "a key that is bytes": ("a1416101", True),
        "nested too deeply": ("81" * 17 + "00", True),
    }.values(),
)
def test_other_forms_are_refused(data: str, by_rule: bool) -> None:
    with pytest.raises(MalformedProofError) as refusal:
        cbor.decode(bytes.fromhex(data), "x")
    assert refusal.value.departure == ("cbor-form" if by_rule else None)
    assert isinstance(refusal.value, DEPARTURES["cbor-form"].error)
    assert refusal.value.where == "x"


@given(st.dictionaries(st.integers(0, (1 << 64) - 1), VALUES, max_size=4))
def test_map_with_numbers_as_keys(value: dict[int, Any]) -> None:
    assert cbor.decode(cbor.encode(value), "", numbered=True) == value


@pytest.mark.parametrize(
    ("data", "by_rule"),
    [
        ("", False),
        ("00", False),
        ("a16101", False),
        ("a1616101", True),
        ("a12001", True),
        ("a1f501", True),
        ("a201010102", True),
        ("a101a10101", True),
        ("bf0101ff", True),
    ],
)
def test_other_maps_with_numbers_as_keys_are_refused(data: str, by_rule: bool) -> None:
    with pytest.raises(MalformedProofError) as refusal:
        cbor.decode(bytes.fromhex(data), "x", numbered=True)
    assert refusal.value.departure == ("cbor-form" if by_rule else None)


@given(st.binary(max_size=60))
def test_bytes_at_random_are_read_or_refused(data: bytes) -> None:
    try:
        value = cbor.decode(data, "x")
    except MalformedProofError:
        return
    assert cbor.encode(value) == data


def test_signed_message() -> None:
    message = cbor.sign_message(KEY.private.ecdsa, {"a": b"1"})
    assert message.startswith(bytes.fromhex("a2634d7367"))
    assert cbor.open_message(KEY.public.ecdsa, message, "m") == {"a": b"1"}
    with pytest.raises(InvalidSignatureError):
        cbor.open_message(OTHER.public.ecdsa, message, "m")


def test_signature_is_checked_before_the_message_is_read() -> None:
    parts = cbor.decode(cbor.sign_message(KEY.private.ecdsa, 1), "m")
    with pytest.raises(InvalidSignatureError):
        cbor.open_message(KEY.public.ecdsa, cbor.encode({**parts, "Msg": b"\xff"}), "m")


@given(st.data())
def test_signed_message_with_a_byte_changed_is_refused(data: st.DataObject) -> None:
    message = bytearray(SIGNED)
    position = data.draw(st.integers(0, len(message) - 1))
    message[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedProofError, InvalidSignatureError)):
        cbor.open_message(KEY.public.ecdsa, bytes(message), "m")


@pytest.mark.parametrize("parts", [{"Msg": b"1"}, {"Sig": b"1"}, {"Msg": "1", "Sig": b"1"}, {"Msg": b"1", "Sig": b"1", "x": 0}, [], 5])
def test_what_is_no_signed_message_is_refused(parts: Any) -> None:
    with pytest.raises(MalformedProofError):
        cbor.open_message(KEY.public.ecdsa, cbor.encode(parts), "m")


def test_without_keys_nothing_is_signed_or_opened() -> None:
    with pytest.raises(MalformedKeyError):
        cbor.sign_message(None, 1)
    with pytest.raises(MalformedKeyError):
        cbor.open_message(None, b"", "m")
