"""A JSON document that is changed in place: what nobody touched keeps its bytes."""

import json
import re
from typing import Any, Final

from ...errors import MalformedSchemeError
from ..json_reader import parse_json, without_surrogates

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
#: The last line end of some blanks, with the indentation behind it.
_LINE: Final = re.compile(r"\r?\n[ \t]*\Z")
_SCALAR: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,\]}]+', re.DOTALL)


class JsonNode:
    """A value as it is written.

    Attributes:
        text: a value that is no list and no object, as written.
    """

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> Any:
        """What it says; objects as dictionaries."""
        return without_surrogates(json.loads(str(self)))


class JsonMember:
    """A member of an object, or an item of a list (whose key is empty).

    Attributes:
        before, after: blanks before it, and between it and the comma or bracket behind it.
        key: as written, with its quotes.
        colon: the colon with the blanks around it.
        node: the value.
    """

    __slots__ = ("after", "before", "colon", "key", "node")

    def __init__(self, before: str, key: str, colon: str, node: JsonNode, after: str = "") -> None:
        self.before, self.key, self.colon, self.node, self.after = before, key, colon, node, after

    def __str__(self) -> str:
        return f"{self.before}{self.key}{self.colon}{self.node}{self.after}"

    @property
    def name(self) -> str:
        """The key, read."""
        return str(without_surrogates(json.loads(self.key))) if self.key else ""


class JsonContainer(JsonNode):
    """An object or a list.

    Attributes:
        brackets: `{}` or `[]`.
        members: in order.
        empty: the blanks inside where there are none.
    """

    __slots__ = ("brackets", "empty", "members")

    def __init__(self, brackets: str, members: list[JsonMember] | None = None, empty: str = "") -> None:
        super().__init__()
        self.brackets = brackets
        self.members = members or []
        self.empty = empty

    def __str__(self) -> str:
        return self.brackets[0] + (",".join(map(str, self.members)) if self.members else self.empty) + self.brackets[1]

    def find(self, name: str) -> JsonMember | None:
        """The member of a name, found as readers find it: without regard to case, the last one."""
        return next((member for member in reversed(self.members) if member.name.casefold() == name.casefold()), None)

    def find_exact(self, name: str) -> JsonMember | None:
        """The last member of exactly this name: languages are told apart by case."""
        return next((member for member in reversed(self.members) if member.name == name), None)

    def add(self, name: str, node: JsonNode) -> JsonMember:
        """Put a member (or an item, whose name counts for nothing) behind the others, laid out as they are."""
        key = json.dumps(name, ensure_ascii=False) if self.brackets == "{}" else ""
        if not self.members:
            line = line_of(self.empty)
            member = JsonMember(line and line + _step(line), key, ": " if key else "", node, line)
        else:
            last = self.members[-1]
            member = JsonMember(last.before or " ", key, last.colon, node, last.after)
            last.after = "" if "\n" in last.after else last.after
        self.members.append(member)
        return member

    def remove(self, member: JsonMember) -> None:
        """Take a member out."""
        if member is self.members[-1] and len(self.members) > 1:
            self.members[-2].after = member.after
        elif member is self.members[0] and len(self.members) > 1 and "\n" not in member.before:
            self.members[1].before = member.before
        self.members.remove(member)


class JsonDocument:
    """A document whose values can be changed.

    Args:
        content: the file.
        path: its path in the scheme, for errors.

    Raises:
        MalformedSchemeError: it cannot be read.
    """

    def __init__(self, content: bytes, path: str) -> None:
        parse_json(content, path)
        self.path = path
        text = content.decode()
        start = _blanks(text, 0)
        self.root, end = _read(text, start)
        self._before, self._after = text[:start], text[end:]

    def __bytes__(self) -> bytes:
        return f"{self._before}{self.root}{self._after}".encode()

    def container(self, brackets: str) -> JsonContainer:
        """The object (`{}`) or list (`[]`) that the document is.

        Raises:
            MalformedSchemeError: it is something else.
        """
        if not isinstance(self.root, JsonContainer) or self.root.brackets != brackets:
            raise MalformedSchemeError(self.path, "must be an object" if brackets == "{}" else "must be a list")
        return self.root


def line_of(blanks: str) -> str:
    """The last line end in some blanks with the indentation behind it; empty where they stand on one line."""
    found = _LINE.search(blanks)
    return found[0] if found else ""


def _step(line: str) -> str:
    """By how much more than a line what is inside it is indented."""
    return "\t" if line.endswith("\t") else "    "


def made(value: Any, before: str = "") -> JsonNode:
    """A new value.

    Args:
        value: what `json.dumps` takes.
        before: the blanks before the member that holds it; its lines are indented after them. Without a line end in them the value
            stands on one line.
    """
    line = line_of(before)
    text = json.dumps(value, ensure_ascii=False, indent=_step(line) if line else None).replace("\n", line)
    return _read(text, 0)[0]


def change(member: JsonMember, value: Any) -> None:
    """Make a member say something else; of a list, items that stay keep their bytes."""
    node = member.node
    if isinstance(node, JsonContainer) and node.brackets == "[]" and node.members and isinstance(value, list) and value:
        for item, part in zip(node.members, value, strict=False):
            if item.node.value != part:
                change(item, part)
        for item in node.members[len(value) :]:
            node.remove(item)
        for part in value[len(node.members) :]:
            node.add("", made(part, node.members[-1].before))
    else:
        member.node = made(value, member.before if "\n" in str(node) or not isinstance(node, JsonContainer) else "")


def _blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    assert found is not None  # noqa: S101 - it may match nothing
    return found.end()


def _read(text: str, position: int) -> tuple[JsonNode, int]:
    """The value at a position of a text that is known to be JSON, and where it ends."""
    if text[position] not in "[{":
        found = _SCALAR.match(text, position)
        assert found is not None  # noqa: S101 - it is known to be JSON
        return JsonNode(found[0]), found.end()
    container = JsonContainer("{}" if text[position] == "{" else "[]")
    position += 1
    start = _blanks(text, position)
    if text[start] in "]}":
        container.empty = text[position:start]
        return container, start + 1
    while True:
        start = _blanks(text, position)
        before, key, colon = text[position:start], "", ""
        if container.brackets == "{}":
            found = _SCALAR.match(text, start)
            assert found is not None  # noqa: S101 - it is known to be JSON
            key = found[0]
            value = _blanks(text, _blanks(text, found.end()) + 1)
            colon, start = text[found.end() : value], value
        node, end = _read(text, start)
        position = _blanks(text, end)
        container.members.append(JsonMember(before, key, colon, node, text[end:position]))
        position += 1
        if text[position - 1] != ",":
            return container, position
