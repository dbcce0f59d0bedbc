"""Documents written as no program writes them: everything that XML and JSON allow and readers of schemes bear."""

import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from idemix.scheme.documents import (
    CREDENTIAL_TYPE,
    ISSUER,
    REQUESTOR_SCHEME,
    REQUESTORS,
    SCHEME,
    Document,
    DocumentKind,
    Field,
    Group,
    Kind,
    Value,
    Values,
)

PATHS: Final = {
    SCHEME: "description.xml",
    ISSUER: "Library/description.xml",
    CREDENTIAL_TYPE: "Library/Issues/card/description.xml",
    REQUESTOR_SCHEME: "description.json",
    REQUESTORS: "requestors.json",
}

identifiers = st.sampled_from(("a", "b", "level", "A-1", "x_y", "0"))
languages = st.sampled_from(("en", "nl", "fr", "pt-BR", "EN"))
words = st.text(st.sampled_from("ab é€&<>\"'\n\t]/\\\U0001f600"), max_size=5)
numbers = st.integers(0, 10**10)
condiscons = st.lists(st.lists(st.lists(words, max_size=2).map(tuple), max_size=2).map(tuple), min_size=1, max_size=2).map(tuple)


def values_of(field: Field) -> st.SearchStrategy[Value]:
    """Values that a field can hold."""
    match field.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.NUMBER:
            return numbers
        case Kind.TEXTS:
            return st.lists(words, min_size=1, max_size=3).map(tuple)
        case Kind.DEPENDENCIES:
            return condiscons
        case Kind.PARTS:
            if field.key == "contents":
                return st.sampled_from(((), (((),),), ((({"type": "website", "inapp": True},),),)))
            return st.lists(st.fixed_dictionaries({"question": st.fixed_dictionaries({"en": words})}), max_size=2).map(tuple)
        case _:
            return words


@st.composite
def edits(draw: st.DrawFn, document: Document, most: int = 4) -> Values:
    """Some changes of a document: fields set and removed, objects added, removed and moved."""
    changes: Values = {}
    for _ in range(draw(st.integers(1, most))):
        draw_change(draw, document, document.kind.fields, "", changes)
    return changes


def draw_change(draw: st.DrawFn, document: Document, fields: Sequence[Field | Group], prefix: str, changes: Values) -> None:
    """Change one field."""
    field = draw(st.sampled_from(fields))
    key = prefix + field.key
    if isinstance(field, Group):
        order = changes.get(key, document.values.get(key, ()))
        assert isinstance(order, tuple)
        what = draw(st.sampled_from(("inside", "inside", "add", "remove", "move")))
        if what == "add":
            changes[key] = (*order, *{draw(st.sampled_from(("new", "newer", "newest")))}.difference(order))
        elif what == "remove" and order:
            gone = draw(st.sampled_from(order))
            changes[key] = tuple(other for other in order if other != gone)
            for name in [name for name in changes if name.startswith(f"{key}.{gone}.")]:
                del changes[name]
        elif what == "move":
            changes[key] = tuple(draw(st.permutations(order)))
        elif order:
            draw_change(draw, document, field.fields, f"{key}.{draw(st.sampled_from(order))}.", changes)
    elif field.kind is Kind.TRANSLATED:
        changes[f"{key}.{draw(languages)}"] = draw(st.none() | words)
    elif field.key != "id" and (field.key, prefix) != ("revocation", "attributes.@revocation."):
        changes[key] = draw(st.none() | values_of(field))


# --- XML ---


class XmlWriter:
    """Writes one document in one manner, which it draws.

    Attributes:
        repeats: whether elements are repeated.
    """

    def __init__(self, draw: st.DrawFn, *, repeats: bool) -> None:
        self._draw = draw
        # What is written is drawn, and found smaller where it fails; how it is written is but random, which is quicker.
        self._random = draw(st.randoms(use_true_random=True))
        self.repeats = repeats
        self._newline = self.one("\n", "\n", "\n", "\r\n", "\r", "")
        self._step = self.one("\t", "  ", "    ", "")
        self._prefix = self.one("", "", "x:")

    def one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def document(self, kind: DocumentKind) -> bytes:
        names = {"xmlns:x": "urn:x>y"} if self._prefix else {"xmlns": "urn:y"} if self.one(True, False, False) else {}
        before = self.one("", "\ufeff") + self.one("", '<?xml version="1.0" encoding="utf-8" ?>') + self.noise(0)
        body = self.element(kind.root, self.fields(kind.fields, 1), 0, {**names, "version": str(kind.version)})
        return (before + body + self.noise(0) + self.one("", "\n", " ")).encode()

    def fields(self, fields: Sequence[Field | Group], depth: int) -> list[str]:
        """Elements for some fields, in some order, with what nobody knows between them."""
        chosen = self._draw(st.lists(st.sampled_from(fields), unique=not self.repeats, max_size=4))
        chosen = [field for field in chosen if not field.source.startswith("@")]
        nested: dict[str, list[str]] = {}
        found: list[str] = []
        for field in chosen:
            outer, _, inner = field.source.partition("/")
            if isinstance(field, Group):
                found.append(self.element(outer, self.objects(field, inner, depth + 1), depth))
            elif field.kind is Kind.TEXTS:
                texts = self._draw(st.lists(words, max_size=2))
                found.append(self.element(outer, [self.element(inner, text, depth + 1) for text in texts], depth))
            elif field.kind is Kind.TRANSLATED:
                names = self._draw(st.lists(languages, unique=not self.repeats, max_size=3))
                found.append(self.element(outer, [self.element(name, self._draw(words), depth + 1) for name in names], depth))
            elif field.kind is Kind.DEPENDENCIES:
                found.append(self.dependencies(outer, depth))
            elif inner:
                nested.setdefault(outer, []).append(self.element(inner, self.scalar(field), depth + 1))
            else:
                found.append(self.element(outer, self.scalar(field), depth))
        found += [self.element(outer, parts, depth) for outer, parts in nested.items()]
        if self.one(True, False):
            found.insert(self._draw(st.integers(0, len(found))), self.element("zz", [self.element("en", "unknown", depth + 1)], depth))
        return found

    def scalar(self, field: Field) -> str:
        match field.kind:
            case Kind.FLAG:
                return str(self.one("true", "false", "1", " T ", "", "0"))
            case Kind.NUMBER:
                return str(self.one("0", " 7 ", "", "12345678901"))
            case _:
                return self._draw(words)

    def objects(self, group: Group, name: str, depth: int) -> list[str]:
        found = []
        for identifier in self._draw(st.lists(identifiers | st.just(""), unique=not self.repeats, max_size=3)):
            attributes = {"id": identifier} if identifier else {"revocation": "true"}
            for key, value in self._draw(
                st.dictionaries(st.sampled_from(("optional", "displayIndex", "displayHint", "other")), st.just(""))
            ).items():
                attributes[key] = value or str(self.one("1", "0"))
            if self.one(True, False, False) and "optional" not in attributes:
                attributes["optional"] = self.one("true", "false", "TRUE", "")
            found.append(self.element(name, self.fields(group.fields, depth + 1), depth, attributes))
        return found

    def dependencies(self, name: str, depth: int) -> str:
        value = self._draw(condiscons)
        return self.element(
            name,
            [
                self.element(
                    "Or",
                    [self.element("And", [self.element("CredentialType", item, depth + 3) for item in con], depth + 2) for con in discon],
                    depth + 1,
                )
                for discon in value
            ],
            depth,
        )

    def element(self, name: str, inside: "str | list[str]", depth: int, attributes: dict[str, str] | None = None) -> str:
        """An element with a text, or with elements."""
        tag = self._prefix + name
        opening = tag + "".join(self.attribute(key, value) for key, value in (attributes or {}).items()) + self.one("", "", " ", "\n")
        if not inside and self.one(True, False):
            return f"<{opening}/>"
        content = self.text(inside) if isinstance(inside, str) else self.lines(inside, depth)
        return f"<{opening}>{content}</{tag}{self.one('', '', ' ')}>"

    def attribute(self, name: str, value: str) -> str:
        quote = self.one('"', '"', "'")
        blanks = self.one(" ", " ", "  ", "\n\t", "\r\n ")
        return f"{blanks}{name}{self.one('=', '=', ' = ')}{quote}{value}{quote}"

    def text(self, text: str) -> str:
        """A text with whatever may stand in one."""
        found = []
        for letter in text:
            escaped = letter.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            found.append(self.one(escaped, escaped, f"&#{ord(letter)};", f"&#x{ord(letter):x};", f"<![CDATA[{letter}]]>"))
            found.append(self.one("", "", "", "<!-- in a > text -->", "<?in text?>"))
        return "".join(found)

    def lines(self, elements: list[str], depth: int) -> str:
        found = []
        for element in elements:
            found.append(self.noise(depth + 1))
            found.append(self.one(*[self._newline + self._step * (depth + 1)] * 4, "", " \t"))
            found.append(element)
        return "".join(found) + self.noise(depth + 1) + self.one(self._newline + self._step * depth, self._newline + self._step * depth, "")

    def noise(self, depth: int) -> str:
        return str(self.one("", "", "", "", " ", "\n", f"{self._newline}{self._step * depth}<!-- noise <b> -->", "<?noise <b> ?>"))


@st.composite
def odd_xml(draw: st.DrawFn, *, repeats: bool = False) -> Document:
    """A description in XML."""
    kind = draw(st.sampled_from((SCHEME, ISSUER, CREDENTIAL_TYPE, CREDENTIAL_TYPE)))
    return Document(PATHS[kind], XmlWriter(draw, repeats=repeats).document(kind))


# --- JSON ---


class JsonWriter:
    """Writes one document in one manner, which it draws; see `XmlWriter`."""

    def __init__(self, draw: st.DrawFn, *, repeats: bool) -> None:
        self._draw = draw
        self._random = draw(st.randoms(use_true_random=True))
        self.repeats = repeats
        self._newline = self.one("\n", "\n", "\r\n", "")
        self._step = self.one("\t", "  ", "    ", "")

    def one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def document(self, kind: DocumentKind) -> bytes:
        if kind is REQUESTOR_SCHEME:
            body = self.container("{}", self.fields(kind.fields, 1, None), 0)
        else:
            group = kind.fields[0]
            assert isinstance(group, Group)
            body = self.container("[]", [item for _, item in self.objects(group, 1)], 0)
        return (self.blanks() + body + self.blanks()).encode()

    def fields(self, fields: Sequence[Field | Group], depth: int, identifier: str | None) -> list[str]:
        chosen = self._draw(st.lists(st.sampled_from(fields), unique=not self.repeats, max_size=4))
        found = [self.member(field.source, self.value(field, depth + 1)) for field in chosen if identifier is None or field.source != "id"]
        if identifier is not None:
            found.insert(self._draw(st.integers(0, len(found))), self.member("id", self.scalar(identifier)))
        if self.one(True, False):
            found.insert(self._draw(st.integers(0, len(found))), self.member("unknown", self.one("1.50", "null", '{"a":[ ]}', "1e3")))
        return found

    def objects(self, group: Group, depth: int) -> list[tuple[str, str]]:
        names = [f"s.{name}" for name in self._draw(st.lists(identifiers, unique=True, max_size=3))]
        return [(name, self.container("{}", self.fields(group.fields, depth + 1, name), depth)) for name in names]

    def value(self, field: Field | Group, depth: int) -> str:
        if isinstance(field, Group):
            return self.container("{}", [self.member(name, item, exact=True) for name, item in self.objects(field, depth + 1)], depth)
        if self.one(*[False] * 9, True):
            return "null"
        match field.kind:
            case Kind.TRANSLATED:
                names = self._draw(st.lists(languages, unique=not self.repeats, max_size=3))
                return self.container("{}", [self.member(name, self.scalar(self._draw(words)), exact=True) for name in names], depth)
            case Kind.TEXTS:
                return self.container("[]", [self.scalar(text) for text in self._draw(st.lists(words, max_size=3))], depth)
            case Kind.PARTS:
                return self.container("[]", [json.dumps(part) for part in self._draw(values_of(field))], depth)  # type: ignore[union-attr]
            case _:
                return self.scalar(self._draw(values_of(field)))

    def scalar(self, value: Value) -> str:
        return json.dumps(value, ensure_ascii=self.one(True, False))

    def member(self, name: str, value: str, *, exact: bool = False) -> str:
        if not exact and self.repeats:
            name = self.one(name, name, name.upper(), name.capitalize())
        written = "".join(self.one(*[letter] * 9, f"\\u{ord(letter):04x}") for letter in name) if self.repeats else name
        return f'"{written}"{self.blanks()}:{self.blanks()}{value}'

    def blanks(self) -> str:
        return str(self.one("", "", "", " ", "\n", "\t"))

    def container(self, brackets: str, members: list[str], depth: int) -> str:
        line = self._newline and self._newline + self._step * (depth + 1)
        if self.one(True, False, False):
            line = ""
        inside = ",".join(line + self.blanks_between() + member + self.blanks_between() for member in members)
        return brackets[0] + inside + (line[: -len(self._step)] if line and self._step else line) + brackets[1]

    def blanks_between(self) -> str:
        return str(self.one(*[""] * 9, " ", "\n"))


@st.composite
def odd_json(draw: st.DrawFn, *, repeats: bool = False) -> Document:
    """A document of a requestor scheme."""
    kind = draw(st.sampled_from((REQUESTOR_SCHEME, REQUESTORS, REQUESTORS)))
    return Document(PATHS[kind], JsonWriter(draw, repeats=repeats).document(kind))
