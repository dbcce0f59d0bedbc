"""What tests of documents know of them from elsewhere: what the reading side reads, and where in the bytes a field stands.

Nothing here goes through `idemix.scheme.documents` but its tables of fields.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from idemix.scheme.descriptions import (
    parse_credential_type,
    parse_issuer,
    parse_requestor_scheme,
    parse_requestors,
    parse_scheme_manager,
)
from idemix.scheme.documents import (
    CREDENTIAL_TYPE,
    ISSUER,
    REQUESTOR_SCHEME,
    REQUESTORS,
    REVOCATION_KEY,
    SCHEME,
    Document,
    Field,
    Group,
    Kind,
    Value,
    Values,
    document_kind,
    find_place,
)
from idemix.scheme.xml_reader import Element, parse_xml

_READERS: Final = {
    SCHEME.name: parse_scheme_manager,
    ISSUER.name: parse_issuer,
    CREDENTIAL_TYPE.name: parse_credential_type,
    REQUESTOR_SCHEME.name: parse_requestor_scheme,
    REQUESTORS.name: lambda content, path: SimpleNamespace(requestors=parse_requestors(content, path)),
}


def read(path: str, content: bytes) -> Values:
    """What the typed description says, by the keys of documents; what says no more than an absent field is left out."""
    kind = document_kind(path)
    assert kind is not None
    return dict(_read(kind.fields, _READERS[kind.name](content, path), ""))


def plain(path: str, values: Mapping[str, Value]) -> Values:
    """Values as `read` gives them: without what has no attribute of a typed description, or says what an absent field says."""
    kind = document_kind(path)
    assert kind is not None
    found = {}
    for key, value in values.items():
        place = find_place(kind, key)
        assert place is not None
        if value not in ("", 0, ()) and (isinstance(place.field, Group) or _is_read(place.field)):
            found[key] = value
    return found


def _is_read(field: Field) -> bool:
    return field.kind is not Kind.PARTS and (bool(field.typed) or field.key == "version")


def _read(fields: tuple[Field | Group, ...], description: Any, prefix: str) -> Iterator[tuple[str, Value]]:
    for field in fields:
        key = prefix + field.key
        if isinstance(field, Group):
            objects = getattr(description, field.key)
            by_name = {_name(item): item for item in (objects.values() if hasattr(objects, "values") else objects)}
            if by_name:
                yield key, tuple(by_name)
            for name, item in by_name.items():
                yield from _read(field.fields, item, f"{key}.{name}.")
            continue
        if not _is_read(field):
            continue
        value = description
        for name in (field.typed or field.key).split("."):
            value = getattr(value, name)
        if field.kind is Kind.TRANSLATED:
            yield from ((f"{key}.{language}", text) for language, text in (value or {}).items() if text)
        elif field.kind is Kind.DEPENDENCIES and value:
            yield key, tuple(tuple(tuple(map(str, con)) for con in discon) for discon in value)
        else:
            value = str(value or "") if field.kind is Kind.TEXT else value
            if value not in ("", 0, (), None):
                yield key, value


def _name(item: Any) -> str:
    if hasattr(item, "attribute_id"):
        return item.attribute_id or REVOCATION_KEY
    return str(getattr(item, "wizard_id", "") or item.requestor_id).rpartition(".")[2]


@dataclass(frozen=True)
class Span:
    """Where something stands in a file.

    Attributes:
        start, end: in bytes.
        is_filled: whether anything of its kind is inside.
        own: what is written inside, where nothing of its kind is.
    """

    start: int
    end: int
    is_filled: bool
    own: bytes = b""


def spans(path: str, content: bytes, key: str) -> list[Span]:
    """The elements or members from the outermost to the one that a field is: as many of them as are there."""
    kind = document_kind(path)
    assert kind is not None
    return list(_xml_spans(content, path, kind.fields, key) if kind.root else _json_spans(content, kind.fields, key))


def without(content: bytes, span: Span, *, line: bool = False) -> bytes:
    """A file without a part; with its line, too: the blanks before it to the end of the line above."""
    start = span.start
    if line:
        blanks = re.search(rb"\r?\n[ \t\r]*\Z", content[:start])
        start = blanks.start() if blanks else start
    return content[:start] + content[span.end :]


def assert_only_element_changed(path: str, before: bytes, after: Document, key: str, where: str) -> None:
    """That without the element, both files are the same, maybe but for its line. An object that is renamed is passed over."""
    place = after.place(key)
    if place.object_key and place.field.key == "id":
        return
    if isinstance(place.field, Group):
        old_order, new_order = Document(path, before).values.get(key, ()), after.values[key]
        assert isinstance(old_order, tuple)
        assert isinstance(new_order, tuple)
        key = f"{key}.{(set(old_order) ^ set(new_order)).pop()}"
    old, new = spans(path, before, key), spans(path, after.content, key)
    if len(old) == len(new):
        assert without(before, old[-1]) == without(after.content, new[-1]), where
        return
    (less, shorter), (more, longer) = sorted(((before, old), (after.content, new)), key=lambda side: len(side[1]))
    if not shorter[-1].is_filled:
        assert without(more, longer[len(shorter) - 1]) == without(less, shorter[-1]), where
    elif path.endswith(".xml"):
        span = longer[len(shorter)]
        behind = more[: span.start] + re.sub(rb"\A\r?\n[ \t\r]*", b"", more[span.end :])
        assert less in (without(more, span), without(more, span, line=True), behind), where
    else:
        span = longer[len(shorter)]
        left, right = more[: span.start].rstrip(b" \r\n\t"), more[span.end :].lstrip(b" \r\n\t")
        left, right = (left[:-1], right) if left.endswith(b",") else (left, right.removeprefix(b","))
        left, right = left.rstrip(b" \r\n\t"), right.lstrip(b" \r\n\t")
        assert less.startswith(left), where
        assert less.endswith(right), where
        assert not less[len(left) : len(less) - len(right)].strip(b" \r\n\t,"), where


def _field(fields: tuple[Field | Group, ...], key: str) -> Field | Group:
    return next(field for field in fields if key == field.key or key.startswith(f"{field.key}."))


def _xml_spans(content: bytes, path: str, fields: tuple[Field | Group, ...], key: str) -> Iterator[Span]:
    element = parse_xml(content, path)
    yield _span(content, element)
    while True:
        field = _field(fields, key)
        rest = key[len(field.key) + 1 :]
        if isinstance(field, Group):
            outer, inner = field.source.split("/")
            if (found := _last(element, outer)) is None:
                return
            yield _span(content, found)
            name, _, key = rest.partition(".")
            found = next((item for item in element.all(outer, inner) if _is_named(item, name)), None)
            if found is None:
                return
            element, fields = found, field.fields
            yield _span(content, found)
            if not key:
                return
            continue
        if field.source.startswith("@"):
            yield Span(element.start, _tag_end(content, element.start), False)
            return
        if field.kind in (Kind.TEXTS, Kind.DEPENDENCIES):
            chain = [field.source.partition("/")[0]]
        else:
            chain = [*field.source.split("/"), *([rest] if field.kind is Kind.TRANSLATED else [])]
            if field.alias and _last(element, field.source) is None:
                chain = [field.alias]
        for name in chain:
            if (found := _last(element, name)) is None:
                return
            yield _span(content, found)
            element = found
        return


def _is_named(item: Element, name: str) -> bool:
    identifier = item.attributes.get("id", "")
    return identifier == name if identifier else name == REVOCATION_KEY and item.boolean_attribute("revocation")


def _last(element: Element, name: str) -> Element | None:
    return next((child for child in reversed(element.children) if child.name == name), None)


def _span(content: bytes, element: Element) -> Span:
    inside = _tag_end(content, element.start)
    if element.close == inside and content[inside - 2 : inside] == b"/>":
        return Span(element.start, inside, False)
    end = content.index(b">", element.close) + 1
    return Span(element.start, end, bool(element.children), content[inside : element.close])


def _tag_end(content: bytes, start: int) -> int:
    quote, position = b"", start
    while True:
        letter = content[position : position + 1]
        if letter == quote:
            quote = b""
        elif not quote and letter in (b'"', b"'"):
            quote = letter
        elif not quote and letter == b">":
            return position + 1
        position += 1


def _json_spans(content: bytes, fields: tuple[Field | Group, ...], key: str) -> Iterator[Span]:
    root = read_json(content)
    members = root.members
    assert members is not None
    yield root.span
    while True:
        field = _field(fields, key)
        rest = key[len(field.key) + 1 :]
        if field.source:
            found = next((member for member in reversed(members) if member.name.lower() == field.source.lower()), None)
            if found is None:
                return
            yield found.span
            if not rest or found.members is None:
                return
            members = found.members
        name, _, key = rest.partition(".")
        if not isinstance(field, Group):
            found = next((member for member in reversed(members) if member.name == rest), None)
        else:
            found = next((member for member in members if member.identifier == name), None)
        if found is None:
            return
        yield found.span
        if not key or not isinstance(field, Group):
            return
        assert found.members is not None
        fields, members = field.fields, found.members


@dataclass(frozen=True)
class Member:
    """A member of an object or item of a list: its name, where it stands, and what is inside it."""

    name: str
    span: Span
    members: "list[Member] | None"
    text: str

    @property
    def identifier(self) -> str:
        """The last part of its `id`."""
        found = next((member.text for member in reversed(self.members or []) if member.name.lower() == "id"), "")
        return found.strip('"').rpartition(".")[2]


def read_json(content: bytes) -> Member:
    """A document with what is inside it."""
    tokens = [(found.start(), found[0]) for found in re.finditer(rb'"(?:[^"\\]|\\.)*"|[^\s,:\[\]{}]+|[,:\[\]{}]', content)]

    def value(number: int, name: str, start: int) -> tuple[Member, int]:
        position, token = tokens[number]
        if token not in (b"[", b"{"):
            end = position + len(token)
            return Member(name, Span(start, end, False, content[position:end]), None, token.decode()), number + 1
        inside: list[Member] = []
        number += 1
        while tokens[number][1] not in (b"]", b"}"):
            if tokens[number][1] == b",":
                number += 1
            if token == b"{":
                place, key = tokens[number]
                member, number = value(number + 2, key.decode()[1:-1], place)
            else:
                member, number = value(number, "", tokens[number][0])
            inside.append(member)
        end = tokens[number][0] + 1
        return Member(name, Span(start, end, bool(inside), content[position:end]), inside, ""), number + 1

    return value(0, "", tokens[0][0])[0]
