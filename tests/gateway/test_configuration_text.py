"""Configuration texts: both ways, and no value that becomes another kind on the way."""

import pytest

from gateway.configuration_text import Odd, UnreadableTextError, dump, format_of, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("'12'", "12"),
        ("'2020-01-01'", "2020-01-01"),
        ("1.5", 1.5),
        ("127.0.0.1:8088", "127.0.0.1:8088"),
        ("1e400", Odd("a number that is too large (line 1)")),
        ("2020-01-01", Odd("a date or time (line 1)")),
        ("2020-01-01 10:00:00", Odd("a date or time (line 1)")),
        ("0123", Odd("a number that is not written plainly (line 1)")),
        ("0x1f", Odd("a number that is not written plainly (line 1)")),
        ("0o17", Odd("a number that is not written plainly (line 1)")),
        ("1_000", Odd("a number that is not written plainly (line 1)")),
        ("12:30", Odd("a number that is not written plainly (line 1)")),
        (".inf", Odd("a number that is not written plainly (line 1)")),
        ("12345678901234567890", Odd("a number with too many digits (line 1)")),
    ],
)
def test_plain_words_of_yaml(text: str, value: object) -> None:
    assert parse(f"a: {text}".encode(), "yaml") == {"a": value}


def test_parts_that_are_named_once_and_used_often() -> None:
    text = b"a: &all ['*']\nb: *all\nc: &x {d: 1}\ne: {<<: *x, f: 2}\n"
    assert parse(text, "yaml") == {"a": ["*"], "b": ["*"], "c": {"d": 1}, "e": {"d": 1, "f": 2}}


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 8)}]\n" for name in "bcdefghij"
)


@pytest.mark.parametrize(
    ("text", "text_format", "message"),
    [
        (b"a: [1\nsecret", "yaml", r"^is no YAML: line 2"),
        (b"a: !!python/object/apply:os.system [x]", "yaml", "is no YAML"),
        (b"a: 1\na: 2", "yaml", "line 2: the name a stands twice"),
        (b"a: &x [*x]", "yaml", "inside itself"),
        (BOMB.encode(), "yaml", "more than 1000000 values"),
        (b"? [a]\n: b", "yaml", "a name must be a text"),
        (b"- 1", "yaml", "must be an object"),
        (b"a: \x07", "yaml", "characters"),
        (b"[" * 100_000, "yaml", "nested too deep"),
        (b"a = 1 secret", "toml", r"^is no TOML \(at line 1, column 7\)$"),
        (b"a = 1\na = 2", "toml", "is no TOML"),
        (b'{"a": 1, "a": 2}', "json", "has the name a twice"),
        (b'{"a": NaN}', "json", "NaN"),
        (b"[" * 100_000, "json", "nested too deep"),
        (b'{"a": secret}', "json", r"^is no JSON: line 1, column 7: Expecting value$"),
        (b'{"a": "\xff"}', "json", "UTF-8"),
        (b" " * (8 * 1024 * 1024 + 1), "json", "bytes"),
    ],
)
def test_what_is_refused_is_named_and_not_quoted(text: bytes, text_format: str, message: str) -> None:
    with pytest.raises(UnreadableTextError, match=message) as caught:
        parse(text, text_format)
    assert "secret" not in str(caught.value)


def test_formats_by_names() -> None:
    assert [format_of(name) for name in ("a.json", "a.TOML", "a.yaml", "a.yml", "a.ini", "json")] == [
        "json",
        "toml",
        "yaml",
        "yaml",
        None,
        None,
    ]


@pytest.mark.parametrize("text_format", ["json", "toml", "yaml"])
def test_texts_that_look_like_something_else_are_written_so_that_they_stay_texts(text_format: str) -> None:
    texts = [
        "yes",
        "0123",
        "1e5",
        "2020-01-01",
        "12:30",
        "~",
        "",
        "<<",
        "=",
        " x ",
        "a\nb\n",
        "#",
        "- a",
        "é",
        "\u2028",
        "null",
        "0o7",
        "a: b",
    ]
    value = {"texts": texts, "names": dict.fromkeys(texts, 1), "pem": "-----BEGIN X-----\nabc\n-----END X-----\n", "on": True}
    assert parse(dump(value, text_format).encode(), text_format) == value
