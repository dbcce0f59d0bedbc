"""Reading JSON that comes from outside: doubled keys, deep nesting and numbers that are none are refused.

Which strings were written with escapes is remembered (`EscapedStr`), since an integer must not be (see `idemix.integers`).
"""

import json
import re
from collections.abc import Set
from typing import Any, Final, Self

from .errors import MalformedError, MalformedProofError

MAX_DEPTH: Final = 64

#: Longest decimal number; the longest response of a 4096-bit key has 1,660 digits.
MAX_NUMBER_LENGTH: Final = 4096


class EscapedStr(str):
    """A JSON string in whose text a backslash stood."""

    __slots__ = ()


class WrittenFloat(float):
    """A number with a fraction or an exponent.

    Attributes:
        text: how it was written.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


class _DuplicateKeyError(ValueError):
    """An object has a key twice."""


class _LimitError(ValueError):
    """A limit of ours is passed."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DuplicateKeyError(f"key {key[:64]!r} occurs twice")
        result[key] = value
    return result


def _number(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _LimitError(f"a number has more than {MAX_NUMBER_LENGTH} digits")
    return int(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=WrittenFloat, parse_int=_number, parse_constant=_constant)

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

#: Characters that no standard uses, of which one marks the strings that were written with escapes.
_MARKS: Final = tuple(map(chr, range(0xE000, 0xF900)))


def _decode_marking_escapes(text: str) -> Any:
    """Decode a text that has backslashes; strings written with them become `EscapedStr`.

    A character that the text does not hold is put in front of such strings and taken away again.
    """
    mark = next((mark for mark in _MARKS if mark not in text), None)
    if mark is None:
        raise _LimitError("every private character of Unicode occurs")

    def unmark(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(mark):
            # An unpaired surrogate is no character: it becomes U+FFFD, as in Go.
            return EscapedStr(value[1:].encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        if isinstance(value, list):
            return [unmark(element) for element in value]
        return value

    def marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _object([(unmark(key), unmark(value)) for key, value in pairs])

    marked = _STRING.sub(lambda string: f'"{mark}{string[0][1:]}' if "\\" in string[0] else string[0], text)
    decoder = json.JSONDecoder(object_pairs_hook=marked_object, parse_float=WrittenFloat, parse_int=_number, parse_constant=_constant)
    return unmark(decoder.decode(marked))


def _check_depth(text: str) -> None:
    """Bound the nesting before a recursive parser sees it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    in_string = False
    skip = False
    for character in text:
        if skip:
            skip = False
        elif in_string:
            if character == "\\":
                skip = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _LimitError(f"nested deeper than {MAX_DEPTH}")
        elif character in "]}":
            depth -= 1


def parse_json(text: str | bytes, where: str, error: type[MalformedError] = MalformedProofError) -> Any:
    """Read one JSON value.

    Args:
        text: the JSON, as text or as UTF-8.
        where: what it is, for the error.
        error: the class of error to raise.

    Returns:
        Python's values for JSON; numbers without fraction are int, others float.

    Raises:
        error: it is not JSON (RFC 8259), an object has a key twice (departure `doubled-key`), it is nested deeper than
            `MAX_DEPTH` or a number is longer than `MAX_NUMBER_LENGTH` (departure `json-limits`).
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        _check_depth(text)
        return _decode_marking_escapes(text) if "\\" in text else _DECODER.decode(text)
    except _DuplicateKeyError as cause:
        raise error(where, str(cause), departure="doubled-key") from cause
    except _LimitError as cause:
        raise error(where, str(cause), departure="json-limits") from cause
    except ValueError as cause:
        raise error(where, f"not JSON: {cause}") from cause


def check_object(value: Any, known: Set[str], where: str, error: type[MalformedError] = MalformedProofError) -> dict[str, Any]:
    """Check that a parsed value is an object with no key but the known ones, in their spelling.

    Raises:
        error: it is not an object, or has another key (departure `unknown-proof-key`).
    """
    if not isinstance(value, dict):
        raise error(where, "expected an object")
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None:
        raise error(where, f"unknown key {unknown[:64]!r}", departure="unknown-proof-key")
    return value


def check_spelling(value: Any, known: Set[str], where: str, error: type[MalformedError] = MalformedProofError) -> dict[str, Any]:
    """Check that a parsed value is an object whose known keys are spelled as they should; keys we do not know are passed over.

    Raises:
        error: it is not an object, or a key differs from a known one in case only (departure `unknown-proof-key`).
    """
    if not isinstance(value, dict):
        raise error(where, "expected an object")
    folded = {key.casefold() for key in known}
    for key in value:
        if key not in known and key.casefold() in folded:
            raise error(where, f"key {key[:64]!r} is spelled in another case", departure="unknown-proof-key")
    return value
