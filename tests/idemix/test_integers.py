"""Integers in JSON."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedProofError
from idemix.integers import decode_integer, decode_integer_map, encode_integer, encode_integer_map
from idemix.json_text import parse_json

naturals = st.integers(min_value=0, max_value=1 << 4096).map(mpz)


@given(naturals)
def test_what_is_written_is_read(value: mpz) -> None:
    assert decode_integer(encode_integer(value), "x") == value
    assert decode_integer(int(value), "x") == value


@given(st.dictionaries(st.integers(0, 9999), naturals, max_size=5))
def test_maps_come_back(values: dict[int, mpz]) -> None:
    assert decode_integer_map(encode_integer_map(values), "x") == values


def test_zero_is_the_empty_string() -> None:
    assert encode_integer(0) == ""
    assert decode_integer("", "x") == 0


def test_a_negative_integer_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="negative"):
        encode_integer(-1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("null", id="null"),
        pytest.param("true", id="true"),
        pytest.param("1.0", id="fraction"),
        pytest.param("1e3", id="exponent"),
        pytest.param("-1", id="negative"),
        pytest.param("{}", id="object"),
        pytest.param('"AQ"', id="unpadded"),
        pytest.param('"AQ==="', id="surplus padding"),
        pytest.param('"-_8="', id="URL alphabet"),
        pytest.param('"AQ =="', id="blank"),
        pytest.param('"+\\/8="', id="escaped slash"),
        pytest.param('"\\u0041Q=="', id="escaped letter"),
        pytest.param('"é==="', id="not ASCII"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(MalformedProofError, match="field"):
        decode_integer(parse_json(text, "value"), "field")


@pytest.mark.parametrize("key", ["", "-1", "+1", "01", "1 ", "٣", "1.0", "a", "10000"])
def test_other_indices_are_refused(key: str) -> None:
    with pytest.raises(MalformedProofError) as refusal:
        decode_integer_map({key: "AQ=="}, "a_responses")
    assert refusal.value.departure == "index-form"
