"""Reads the JSON files of a requestor scheme as the reference's decoder does (Go `encoding/json`).

Field names match without regard to case, of repeated fields the last wins, null stands for the absent value, unknown
fields are ignored, nothing may follow the value.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeVar

from ..errors import MalformedSchemeError
from .translations import TranslatedString
from .tree import MAX_FILE_BYTES

#: Arrays and objects inside one another. A requestor file needs 9.
MAX_DEPTH: Final = 64

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_Value = TypeVar("_Value")


class JSONObject:
    """An object of which fields are asked by name.

    Attributes:
        where: the field that holds the object, for errors.
    """

    def __init__(self, pairs: list[tuple[str, Any]], path: str, where: str) -> None:
        self.path = path
        self.where = where
        self._pairs = pairs
        self._values = {key.casefold(): value for key, value in pairs}

    def items(self) -> Iterator[tuple[str, Any]]:
        """The pairs as written."""
        yield from self._pairs

    def get(self, name: str) -> Any:
        """The raw value of a field, None where absent or null."""
        return self._values.get(name.casefold())

    def field(self, name: str) -> str:
        """The full name of a field, for errors."""
        return f"{self.where}.{name}" if self.where else name

    def fail(self, name: str, rule: str) -> NoReturn:
        """Refuse a field."""
        raise MalformedSchemeError(self.path, rule, field=self.field(name))

    def string(self, name: str) -> str:
        """A text; absent or null is `""`."""
        return self.optional_string(name) or ""

    def optional_string(self, name: str) -> str | None:
        """A text, or None where absent or null."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            self.fail(name, "must be a text")
        return value

    def boolean(self, name: str) -> bool:
        """A boolean; absent or null is false."""
        return self.optional_boolean(name) or False

    def optional_boolean(self, name: str) -> bool | None:
        """A boolean, or None where absent or null."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            self.fail(name, "must be true or false")
        return value

    def optional_seconds(self, name: str) -> int | None:
        """A Unix time in whole seconds, or None where absent or null."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
            self.fail(name, "must be a whole number of seconds")
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of texts; absent or null is empty."""
        return tuple(
            "" if item is None else item if isinstance(item, str) else self.fail(f"{name}[{number}]", "must be a text")
            for number, item in enumerate(self.list(name))
        )

    def list(self, name: str) -> list[Any]:
        """A list; absent or null is empty."""
        value = self.get(name)
        if value is None:
            return []
        if isinstance(value, JSONPairs) or not isinstance(value, list):
            self.fail(name, "must be a list")
        return value

    def objects(self, name: str, read: Callable[["JSONObject"], _Value]) -> tuple[_Value, ...]:
        """A list of objects, each read by a function; null is an empty object."""
        return tuple(
            read(as_object(JSONPairs() if item is None else item, self.path, self.field(f"{name}[{number}]")))
            for number, item in enumerate(self.list(name))
        )

    def translated(self, name: str) -> TranslatedString | None:
        """An object of language → text, or None where absent or null."""
        value = self.get(name)
        if value is None:
            return None
        texts = as_object(value, self.path, self.field(name))
        for language, text in texts.items():
            if text is not None and not isinstance(text, str):
                texts.fail(language, "must be a text")
        return TranslatedString((language, text or "") for language, text in texts.items())


class JSONPairs(list[tuple[str, Any]]):
    """An object as its pairs in order, told apart from a list."""


def as_object(value: Any, path: str, where: str) -> JSONObject:
    """Take a value for an object.

    Raises:
        MalformedSchemeError: it is something else.
    """
    if not isinstance(value, JSONPairs):
        raise MalformedSchemeError(path, "must be an object", field=where)
    return JSONObject(value, path, where)


def parse_json(content: bytes, path: str) -> Any:
    """Read a JSON document; objects become `JSONPairs`.

    Raises:
        MalformedSchemeError: not one JSON value in UTF-8, or beyond our bounds.
    """
    if len(content) > MAX_FILE_BYTES:
        raise MalformedSchemeError(path, f"a file of a scheme has at most {MAX_FILE_BYTES} bytes", departure="scheme-limits")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedSchemeError(path, f"must be UTF-8 (byte {error.start})", departure="json-utf-8") from error
    _check_depth(text, path)
    try:
        return without_surrogates(json.loads(text, object_pairs_hook=JSONPairs, parse_constant=_refuse_constant))
    except ValueError as error:
        # Also an integer of thousands of digits, which the interpreter refuses to read.
        raise MalformedSchemeError(path, f"not JSON: {error}") from error


def without_surrogates(value: Any) -> Any:
    """The value with half surrogate pairs, which `\\u` escapes can write, replaced as the reference replaces them."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, JSONPairs):
        return JSONPairs((without_surrogates(key), without_surrogates(item)) for key, item in value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_depth(text: str, path: str) -> None:
    """Bound the nesting before the recursive decoder sees the text; brackets inside texts do not count."""
    depth = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedSchemeError(path, f"values are nested at most {MAX_DEPTH} deep", departure="scheme-limits")
        elif character in "]}":
            depth -= 1
