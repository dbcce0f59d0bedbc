"""A file of a scheme as its fields: read into values by key, and changed so that only what changed is written.

`Document.values` and `Document.edited` are each other's inverse: editing with no change gives the same bytes, and editing one document
with the difference to another gives one that says the same. Forms, diffs, merges and restores all work on these values.

The values are those of the file, absent fields left out. Keys: `url`, `name.en`, `attributes` (the keys in order),
`attributes.level.optional`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import MalformedSchemeError
from .fields import CREDENTIAL_TYPE, ISSUER, REQUESTOR_SCHEME, REQUESTORS, SCHEME, DocumentKind, Field, Group, Kind, Value, Values
from .json_fields import JsonFields
from .json_nodes import JsonDocument
from .xml_fields import REVOCATION_KEY, XmlFields
from .xml_nodes import XmlDocument, is_legal

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+|@revocation|@[0-9]+", re.ASCII)
_KINDS: Final = (
    (re.compile(r"description\.xml"), SCHEME),
    (re.compile(r"description\.json"), REQUESTOR_SCHEME),
    (re.compile(r"[^/]+\.json"), REQUESTORS),
    (re.compile(r"[^/]+/description\.xml"), ISSUER),
    (re.compile(r"[^/]+/Issues/[^/]+/description\.xml"), CREDENTIAL_TYPE),
)


def document_kind(path: str) -> DocumentKind | None:
    """What kind of document stands at a path of a scheme; None for what is no document (keys, logos, other files)."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(path)), None)


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a document, taken apart.

    Attributes:
        field: the field.
        language: of a translated field; else empty.
        object_key: of the object of a group that the field is of; empty where it is the document's own.
    """

    field: Field | Group
    language: str = ""
    object_key: str = ""


class Document:
    """A file of a scheme.

    Args:
        path: in the scheme; it says which kind of document it is.
        content: its bytes.

    Raises:
        MalformedSchemeError: it cannot be read.
        ValueError: there is no kind of document at such a path.
    """

    def __init__(self, path: str, content: bytes) -> None:
        kind = document_kind(path)
        if kind is None:
            raise ValueError(f"{path}: no document of a scheme")
        self.path: Final = path
        self.kind: Final = kind
        self.content: Final = content
        self.values: Final[Mapping[str, Value]] = dict(_values(self._open()[1], kind.fields, ""))

    def edited(self, changes: Mapping[str, Value]) -> "Document":
        """The document with some fields changed.

        Args:
            changes: values by key; None removes. A list of keys (`attributes`) adds, removes and orders objects; where it is absent
                and a change is about an object that is new, the object is put last.

        Raises:
            MalformedSchemeError: no such field, or a value that it cannot hold; `field` is the key.
        """
        for key in changes.keys() - self.values.keys():
            self.place(key)
        changes = {key: value for key, value in changes.items() if not same(self.values.get(key), value)}
        if not changes:
            return self
        for key, value in changes.items():
            self._demand(key, value)
        document, fields = self._open()
        _change(fields, self.kind.fields, "", changes)
        return Document(self.path, bytes(document))

    def place(self, key: str) -> Place:
        """Take a key apart.

        Raises:
            MalformedSchemeError: there is no such field.
        """
        found = find_place(self.kind, key)
        if found is None:
            raise MalformedSchemeError(self.path, "is no field of this file", field=key)
        return found

    def _open(self) -> "tuple[XmlDocument | JsonDocument, XmlFields | JsonFields]":
        if not self.kind.root:
            parsed = JsonDocument(self.content, self.path)
            return parsed, JsonFields(parsed, parsed.container("[]" if self.kind is REQUESTORS else "{}"))
        document = XmlDocument(self.content, self.path)
        if document.root.name != self.kind.root:
            raise MalformedSchemeError(self.path, f"the root element must be <{self.kind.root}>, not <{document.root.name}>")
        return document, XmlFields(document, document.root, self.kind.fields)

    def _demand(self, key: str, value: Value) -> None:
        if value is not None and (rule := rule_of(self.place(key), value, in_xml=bool(self.kind.root))) is not None:
            raise MalformedSchemeError(self.path, rule, field=key)


def new_document(path: str, values: Mapping[str, Value]) -> Document:
    """A document that says these values and nothing else, in the form of the published schemes.

    Raises:
        MalformedSchemeError: a value that its field cannot hold.
    """
    kind = document_kind(path)
    if kind is None:
        raise ValueError(f"{path}: no document of a scheme")
    if not kind.root:
        empty = b"[\n]\n" if kind is REQUESTORS else b"{\n}\n"
        return Document(path, empty).edited(values)
    document = Document(path, f'<{kind.root} version="{kind.version}">\n</{kind.root}>\n'.encode())
    return document.edited(values)


def same(one: Value, other: Value) -> bool:
    """Whether two values are one; a truth is no number."""
    return type(one) is type(other) and one == other


def find_place(kind: DocumentKind, key: str) -> Place | None:
    """Take a key of a kind of document apart; None where there is no such field."""
    return _find_place(kind.fields, key, "")


def _find_place(fields: Sequence[Field | Group], key: str, object_key: str) -> Place | None:
    for field in fields:
        if key == field.key:
            translated = isinstance(field, Field) and field.kind is Kind.TRANSLATED
            return None if translated else Place(field, object_key=object_key)
        if not key.startswith(f"{field.key}."):
            continue
        rest = key[len(field.key) + 1 :]
        if isinstance(field, Group):
            name, _, inner = rest.partition(".")
            if _KEY.fullmatch(name):
                return _find_place(field.fields, inner, f"{object_key}.{name}" if object_key else name)
        elif field.kind is Kind.TRANSLATED:
            return Place(field, rest, object_key)
    return None


def rule_of(place: Place, value: Value, *, in_xml: bool) -> str | None:
    """The rule that a value breaks, such that the file could not hold it; None where it breaks none."""
    field = place.field
    if isinstance(field, Field) and field.kind is Kind.TRANSLATED and not _LANGUAGE.fullmatch(place.language):
        return "is not a language code"
    if isinstance(field, Group):
        fits = (
            isinstance(value, tuple)
            and all(isinstance(key, str) and _KEY.fullmatch(key) for key in value)
            and len(set(value)) == len(value)
        )
        return None if fits else "must hold identifiers of letters, digits, - and _, each once"
    if field.kind is Kind.NUMBER:
        fits = isinstance(value, int) and not isinstance(value, bool) and field.lowest <= value < 1 << 63
        return None if fits else "must be a whole number" if field.lowest < 0 else "must be a whole number, 0 or more"
    if field.kind is Kind.FLAG:
        return None if isinstance(value, bool) else "must be true or false"
    if field.kind is Kind.TEXTS:
        if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
            return "must be a list of texts"
    elif field.kind is Kind.DEPENDENCIES:
        if not _is_condiscon(value):
            return "must be a conjunction of disjunctions of conjunctions"
    elif field.kind is not Kind.PARTS and not isinstance(value, str):
        return "must be a text"
    if in_xml and not all(map(is_legal, _texts(value))):
        return "holds a character that XML cannot hold"
    if any("\ud800" <= letter <= "\udfff" for text in _texts(value) for letter in text):
        return "holds half a character"
    return None


def _is_condiscon(value: Value) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(discon, tuple) and all(isinstance(con, tuple) and all(isinstance(name, str) for name in con) for con in discon)
        for discon in value
    )


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _texts(part)


def _values(source: "XmlFields | JsonFields", fields: Sequence[Field | Group], prefix: str) -> Iterator[tuple[str, Value]]:
    for field in fields:
        key = f"{prefix}{field.key}"
        if isinstance(field, Group):
            objects = source.objects(field)
            if objects is None:
                continue
            yield key, tuple(objects)
            for name, inner in objects.items():
                yield from _values(inner, field.fields, f"{key}.{name}.")
        elif field.kind is Kind.TRANSLATED:
            for language, text in source.texts(field).items():
                yield f"{key}.{language}", text
        elif (value := source.get(field)) is not None:
            yield key, value


def _change(target: "XmlFields | JsonFields", fields: Sequence[Field | Group], prefix: str, changes: Mapping[str, Value]) -> None:
    for field in fields:
        key = f"{prefix}{field.key}"
        inside = {name: value for name, value in changes.items() if name.startswith(f"{key}.")}
        if isinstance(field, Group):
            if inside or key in changes:
                _change_group(target, field, key, changes, inside)
        elif field.kind is Kind.TRANSLATED:
            if inside:
                target.set_texts(field, {name[len(key) + 1 :]: _text(value) for name, value in inside.items()})
        elif key in changes:
            target.set(field, changes[key])


def _change_group(
    target: "XmlFields | JsonFields", group: Group, key: str, changes: Mapping[str, Value], inside: Mapping[str, Value]
) -> None:
    if key in changes and changes[key] is None:
        target.drop(group)
        return
    present = list(target.objects(group) or ())
    about = dict.fromkeys(name[len(key) + 1 :].partition(".")[0] for name, value in inside.items() if value is not None)
    listed = changes[key] if key in changes else (*present, *(name for name in about if name not in present))
    order = [str(name) for name in listed] if isinstance(listed, tuple) else []
    identifiers = {}
    for name in order:
        given = inside.get(f"{key}.{name}.{group.identity}")
        identifiers[name] = given if isinstance(given, str) else "" if name.startswith("@") else name
    objects = target.regroup(group, order, identifiers)
    for name, part in objects.items():
        prefix = f"{key}.{name}."
        own = {place: value for place, value in inside.items() if place.startswith(prefix)}
        if own:
            _change(part, group.fields, prefix, own)


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def typed_values(kind: DocumentKind, description: Any) -> Values:
    """The values of a typed description, as `new_document` takes them; what is as if absent is left out."""
    return dict(_typed(kind.fields, description, ""))


def _typed(fields: Sequence[Field | Group], description: Any, prefix: str) -> Iterator[tuple[str, Value]]:
    for field in fields:
        key = f"{prefix}{field.key}"
        if isinstance(field, Group):
            objects = getattr(description, field.key)
            names = [getattr(item, _identity(field)) or REVOCATION_KEY for item in objects]
            yield key, tuple(names)
            for name, item in zip(names, objects, strict=True):
                yield from _typed(field.fields, item, f"{key}.{name}.")
            continue
        if not field.typed:
            continue
        value = description
        for name in field.typed.split("."):
            value = getattr(value, name)
        if field.kind is Kind.TRANSLATED:
            for language, text in (value or {}).items():
                yield f"{key}.{language}", text
        elif field.kind is Kind.DEPENDENCIES:
            if value:
                yield key, tuple(tuple(tuple(map(str, con)) for con in discon) for discon in value)
        elif field.required or not _is_default(field, value):
            yield key, value


def _is_default(field: Field, value: Any) -> bool:
    """Whether a typed value says what an absent element says. Of numbers, that is 0 for counts, which are elements, and else None."""
    if field.kind is Kind.NUMBER and value == 0:
        return field.lowest == 0 and not field.source.startswith("@")
    return not value


def _identity(group: Group) -> str:
    return next(field.typed for field in group.fields if isinstance(field, Field) and field.key == group.identity)
