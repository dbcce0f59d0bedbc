"""Reading JSON from outside."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedProofError, MalformedRequestError
from idemix.json_text import MAX_DEPTH, MAX_NUMBER_LENGTH, EscapedStr, check_object, check_spelling, parse_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), children, max_size=3)
    ),
    max_leaves=10,
)


@given(values, st.booleans())
def test_reads_what_json_writes(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text, "value") == value
    assert parse_json(text.encode(), "value") == value


@pytest.mark.parametrize("text", ["", "[", '{"a":}', "nul", "[1] [2]", "\ufeff1", "NaN", "[Infinity]", '"\x01"', b'"\xff"'])
def test_other_texts_are_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedProofError, match="value") as refusal:
        parse_json(text, "value")
    assert refusal.value.departure is None


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"c":2,"a":3}}]', '{"\\u0061":1,"a":2}'])
def test_a_key_occurs_once(text: str) -> None:
    with pytest.raises(MalformedProofError, match="'a' occurs twice") as refusal:
        parse_json(text, "value")
    assert refusal.value.departure == "doubled-key"


@pytest.mark.parametrize("text", ["[" * (MAX_DEPTH + 1), '{"a":' * 5000, "1" * (MAX_NUMBER_LENGTH + 1), '"\\n"' + "[" * 200])
def test_limits(text: str) -> None:
    with pytest.raises(MalformedRequestError):
        parse_json(text, "value", MalformedRequestError)


def test_depth_is_told_from_brackets_in_strings() -> None:
    text = json.dumps([["[" * 500, '"' + "{" * 500]])
    assert parse_json(text, "value") == json.loads(text)
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deepest, "value") == json.loads(deepest)


def test_escapes_are_remembered() -> None:
    plain, escaped = parse_json('["AQ==", "A\\u0051=="]', "value")
    assert type(plain) is str
    assert isinstance(escaped, EscapedStr)
    assert escaped == plain == "AQ=="


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert parse_json('["\\ud800", "\\ud83d\\ude42"]', "value") == ["\ufffd", "🙂"]


def test_keys_of_a_proof_are_known_and_spelled() -> None:
    assert check_object({"c": 1}, {"c"}, "proof") == {"c": 1}
    for value in ({"c": 1, "d": 2}, {"C": 1}):
        with pytest.raises(MalformedProofError) as refusal:
            check_object(value, {"c"}, "proof")
        assert refusal.value.departure == "unknown-proof-key"
    with pytest.raises(MalformedProofError, match="expected an object"):
        check_object([], {"c"}, "proof")


def test_keys_of_a_message_may_be_new_but_not_misspelled() -> None:
    assert check_spelling({"n_2": 1, "new": 2}, {"n_2"}, "message") == {"n_2": 1, "new": 2}
    with pytest.raises(MalformedProofError, match="another case"):
        check_spelling({"N_2": 1}, {"n_2"}, "message")
    with pytest.raises(MalformedProofError, match="expected an object"):
        check_spelling(None, {"n_2"}, "message")
