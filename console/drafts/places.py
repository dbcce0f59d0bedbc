"""Where a finding is mended: the document and the field that it is about."""

import re
from collections.abc import Mapping
from typing import Final

from idemix.errors import MalformedSchemeError
from idemix.scheme.diff import entity_of
from idemix.scheme.documents import Document, Field, Group, Kind, Value, document_kind

_ELEMENT: Final = re.compile(r"<([^<>]+)>")
_ATTRIBUTE: Final = re.compile(r"(?:<Attribute> (?P<number>[0-9]+)|attribute (?P<name>[A-Za-z0-9_-]+))")


class Places:
    """The documents of a tree as places where things are mended; each is read once.

    Args:
        scheme_id: whose tree it is.
        tree: the files.
    """

    def __init__(self, scheme_id: str, tree: Mapping[str, bytes]) -> None:
        self._scheme_id = scheme_id
        self._tree = tree
        self._documents: dict[str, Document | None] = {}

    def document(self, path: str) -> str:
        """The document in whose form a file is cared for: its own, or that of the issuer or type whose logo it is; empty where none."""
        found = entity_of(path, self._scheme_id).path
        return found if document_kind(found) is not None and found in self._tree else ""

    def key(self, path: str, place: str) -> str:
        """The field of a document that a finding is about, as its form names it; empty where it is the whole.

        Args:
            path: the document.
            place: the field in the finding's words: `<Name><en>`, `<Attribute> 3`, `attribute level <Name><en>`.
        """
        document = self._read(path)
        if document is None:
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
        field = next((field for field in fields if elements and field.source.partition("/")[0] == elements[0]), None)
        if field is None:
            return prefix
        key = f"{prefix}.{field.key}" if prefix else field.key
        if isinstance(field, Field) and field.kind is Kind.TRANSLATED:
            return f"{key}.{elements[1]}" if len(elements) > 1 else _first_language(document.values, key)
        return key

    def _read(self, path: str) -> Document | None:
        if path not in self._documents:
            try:
                self._documents[path] = Document(path, self._tree[path])
            except MalformedSchemeError:
                self._documents[path] = None  # the finding is about that: there is no form to go to
        return self._documents[path]


def _first_language(values: Mapping[str, Value], key: str) -> str:
    """A missing or empty translation is told of the element: the field that is empty, or the first."""
    languages = [name for name in values if name.startswith(f"{key}.")]
    empty = [name for name in languages if not values[name]]
    return (empty or languages or [f"{key}.en"])[0]
