import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.json_reader import MAX_DEPTH, JSONObject, as_object, parse_json
from idemix.scheme.translations import TranslatedString


def read(text: str) -> JSONObject:
    return as_object(parse_json(text.encode(), "a.json"), "a.json", "")


def test_field_names_match_in_any_case_and_the_last_wins() -> None:
    fields = read('{"HostNames": ["a"], "hostnames": ["b", null]}')
    assert fields.strings("hostnames") == ("b", "")


def test_null_is_absent() -> None:
    fields = read('{"a": null}')
    assert fields.string("a") == ""
    assert fields.optional_string("a") is None
    assert fields.boolean("a") is False
    assert fields.strings("a") == ()
    assert fields.translated("a") is None
    assert fields.optional_seconds("a") is None


def test_translations() -> None:
    assert read('{"name": {"en": "a", "nl": null}}').translated("name") == TranslatedString({"en": "a", "nl": ""})


@pytest.mark.parametrize(
    ("text", "method", "field"),
    [
        ('{"a": 1}', "string", "a"),
        ('{"a": "true"}', "boolean", "a"),
        ('{"a": {}}', "strings", "a"),
        ('{"a": [1]}', "strings", "a[0]"),
        ('{"a": "x"}', "translated", "a"),
        ('{"a": {"en": 1}}', "translated", "a.en"),
        ('{"a": 1.5}', "optional_seconds", "a"),
        ('{"a": "1"}', "optional_seconds", "a"),
        ('{"a": true}', "optional_seconds", "a"),
        ('{"a": 9223372036854775808}', "optional_seconds", "a"),
    ],
)
def test_wrong_kinds_name_the_field(text: str, method: str, field: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        getattr(read(text), method)("a")
    assert (caught.value.path, caught.value.field) == ("a.json", field)


@pytest.mark.parametrize(
    ("content", "departure"),
    [
        (b"", None),
        (b"{", None),
        (b"{} x", None),
        (b"\xef\xbb\xbf{}", None),
        (b"[NaN]", None),
        (b"[Infinity]", None),
        (b'["\n"]', None),
        (b"[" + b"9" * 5000 + b"]", None),
        (b'["\xff"]', "json-utf-8"),
        (b"[" * (MAX_DEPTH + 1), "scheme-limits"),
        (b" " * 5_000_001, "scheme-limits"),
    ],
)
def test_refuses(content: bytes, departure: str | None) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        parse_json(content, "a.json")
    assert (caught.value.path, caught.value.departure) == ("a.json", departure)


def test_brackets_in_texts_do_not_nest() -> None:
    assert parse_json(b'["' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"]', "a.json") == ["[" * 100 + '"' + "{" * 100]


def test_half_surrogate_pairs_are_replaced() -> None:
    fields = read('{"a": "x\\ud800y", "\\udfff": {"en": "\\ud83d\\ude00"}}')
    assert fields.string("a") == "x\ufffdy"
    assert fields.translated("\ufffd") == TranslatedString({"en": "\U0001f600"})


@given(st.one_of(st.binary(max_size=100), st.text(alphabet='[]{},:"\\ 1e-.truefalsn', max_size=60).map(str.encode)))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(MalformedSchemeError):
        parse_json(content, "a.json")
