"""Reads JSON the way the reference does, so that requests written for it are read alike.

Object keys match a field by exact name or else ignoring case; unknown keys are ignored; null is the same as absence.
Numbers of integer fields are written without fraction and exponent. Text that is not Unicode gets U+FFFD in place of
what cannot be read. One thing is ours: a key that occurs twice is refused, for the two readers of a message must not
see different values.

Source: Go `encoding/json`, as irmago uses it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from .. import json_text
from ..errors import MalformedRequestError

INT64: Final = range(-(2**63), 2**63)
UINT64: Final = range(2**64)


class RequestRuleError(MalformedRequestError):
    """A rule that the reference states in words of its own: `str()` is these words alone, `where` still names the field."""

    def __init__(self, where: str, rule: str, *, departure: str | None = None) -> None:
        super().__init__(where, rule, departure=departure)
        self.args = (rule,)


def parse_json(body: bytes | str, where: str = "body") -> object:
    """Read a JSON text.

    Raises:
        MalformedRequestError: it is no JSON, is nested too deeply or has a key twice in one object.
    """
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    value: object = json_text.parse_json(text, where, MalformedRequestError)
    return value


def readable(text: str) -> str:
    """Replace the half of a surrogate pair, which JSON can write but which is no text, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_text(value: object, where: str) -> str:
    """Read a JSON string; null is the empty text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedRequestError(where, f"expected a string, found {kind(value)}")
    return readable(value)


def as_integer(value: object, where: str, allowed: range = INT64) -> int:
    """Read a JSON integer within `allowed`; null is 0."""
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedRequestError(where, f"expected an integer, found {kind(value)}")
    if value not in allowed:
        raise MalformedRequestError(where, f"expected an integer in [{allowed.start}, {allowed.stop - 1}]")
    return value


def as_list(value: object, where: str) -> list[object]:
    """Read a JSON array; null is the empty list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedRequestError(where, f"expected a list, found {kind(value)}")
    return value


def as_object(value: object, where: str) -> Mapping[str, object]:
    """Read a JSON object; null is the empty object."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MalformedRequestError(where, f"expected an object, found {kind(value)}")
    return value


def as_text_map(value: object, where: str) -> dict[str, str]:
    """Read a JSON object whose values are strings."""
    return {readable(key): as_text(text, f"{where}.{readable(key)}") for key, text in as_object(value, where).items()}


def kind(value: object) -> str:
    """Name the JSON type of a value, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def _fold(name: str) -> str:
    """Fold the case of a name, character by character."""
    if name.isascii():
        return name.lower()
    return "".join(folded if len(folded := character.casefold()) == 1 else character for character in name)


@cache
def _folded(names: frozenset[str]) -> Mapping[str, str]:
    """The names by their folded form; there is one set of names for each kind of object."""
    return {_fold(name): name for name in names}


@dataclass(frozen=True, slots=True)
class Fields:
    """The known fields of one JSON object.

    Attributes:
        where: the path of the object, "" at the top.
        values: the values by field name; absent and null fields are left out.
    """

    where: str
    values: Mapping[str, object]

    @classmethod
    def read(cls, value: object, where: str, names: frozenset[str]) -> "Fields":
        """Pick the fields called `names` out of a JSON object.

        Raises:
            MalformedRequestError: the value is no object, or two of its keys mean the same field.
        """
        found: dict[str, object] = {}
        for key, item in as_object(value, where or "body").items():
            name = key if key in names else _folded(names).get(_fold(key))
            if name is None:
                continue
            if name in found:
                raise MalformedRequestError(f"{where}.{name}".lstrip("."), "key occurs twice in one object", departure="doubled-key")
            found[name] = item
        return cls(where, {name: item for name, item in found.items() if item is not None})

    def path(self, name: str) -> str:
        """The path of a field, for messages."""
        return f"{self.where}.{name}" if self.where else name

    def get(self, name: str) -> object:
        return self.values.get(name)

    def text(self, name: str) -> str:
        return as_text(self.get(name), self.path(name))

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self.values else None

    def integer(self, name: str) -> int:
        return as_integer(self.get(name), self.path(name))

    def unsigned(self, name: str) -> int:
        return as_integer(self.get(name), self.path(name), UINT64)

    def optional_integer(self, name: str) -> int | None:
        return self.integer(name) if name in self.values else None

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise MalformedRequestError(self.path(name), f"expected a boolean, found {kind(value)}")
        return value

    def items(self, name: str) -> Iterator[tuple[str, object]]:
        """The elements of a list with their paths."""
        path = self.path(name)
        for index, item in enumerate(as_list(self.get(name), path)):
            yield f"{path}[{index}]", item

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(as_text(item, path) for path, item in self.items(name))
