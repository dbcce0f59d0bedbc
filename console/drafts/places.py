"""Where a finding is mended: the document and the field that it is about."""

import re
from collections.abc import Mapping
from typing import Final

from idemix.errors import MalformedSchemeError
from idemix.scheme.diff import EntityKind, entity_of
from idemix.scheme.documents import Document, Field, Group, Kind, Value, document_kind

_ELEMENT: Final = re.compile(r"<([^<>]+)>")
_ATTRIBUTE: Final = re.compile(r"(?:<Attribute> (?P<number>[0-9]+)|attribute (?P<name>[A-Za-z0-9_-]+))")


def document_of(tree: Mapping[str, bytes], scheme_id: str, path: str) -> str | None:
    """The document in whose form a file is cared for: its own, or that of the issuer or type whose logo it is; None where there is none."""
    entity = entity_of(path, scheme_id)
    found = entity.path if entity.kind is not EntityKind.FILE else path
    return found if document_kind(found) is not None and found in tree else None


def key_of(tree: Mapping[str, bytes], path: str, place: str) -> str:
    """The field of a document that a finding is about, as its form names it; empty where it is the whole.

    Args:
        tree: the files.
        path: the document.
        place: the field in the finding's words: `<Name><en>`, `<Attribute> 3`, `attribute level <Name><en>`.
    """
    try:
        document = Document(path, tree[path])
    except (MalformedSchemeError, KeyError, ValueError):
        return ""
    fields = document.kind.fields
    prefix = ""
    found = _ATTRIBUTE.match(place)
    order = document.values.get("attributes")
    if found is not None and isinstance(order, tuple):
        number, name = found["number"], found["name"]
        if number is not None and 0 < int(number) <= len(order):
            prefix = f"attributes.{order[int(number) - 1]}"
        elif name in order:
            prefix = f"attributes.{name}"
        if prefix:
            fields = next(group.fields for group in fields if isinstance(group, Group) and group.key == "attributes")
            place = place[found.end() :]
    elements = _ELEMENT.findall(place)
    if not elements:
        return prefix
    field = next((field for field in fields if field.source.partition("/")[0] == elements[0]), None)
    if field is None:
        return prefix
    key = f"{prefix}.{field.key}" if prefix else field.key
    if isinstance(field, Field) and field.kind is Kind.TRANSLATED:
        return f"{key}.{elements[1]}" if len(elements) > 1 else _first_language(document.values, key)
    return key


def _first_language(values: Mapping[str, Value], key: str) -> str:
    """A missing or empty translation is told of the element: the field that is empty, or the first."""
    languages = [name for name in values if name.startswith(f"{key}.")]
    empty = [name for name in languages if not values[name]]
    return (empty or languages or [f"{key}.en"])[0]
