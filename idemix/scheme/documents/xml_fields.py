"""Fields of an XML document: how each kind is read from its elements, and written back."""

from collections.abc import Mapping, Sequence
from typing import Final

from ..xml_reader import Element
from .fields import IDENTIFIER, Field, Group, Kind, Value
from .xml_nodes import XmlDocument, XmlNode, descendants, make

#: The key of the attribute that has no identifier. No identifier holds an `@`.
REVOCATION_KEY: Final = "@revocation"


class XmlFields:
    """The fields of one element: the root of a document, or an object of a group.

    What is read is what the file said; what is written shows in the document's bytes.

    Args:
        document: the document.
        node: the element.
        fields: what it can say, in the order in which new elements are written.
    """

    def __init__(self, document: XmlDocument, node: XmlNode, fields: Sequence[Field | Group]) -> None:
        self._document = document
        self._node = node
        self._order = [field.source.partition("/")[0] for field in fields if not field.source.startswith("@")]

    # --- reading ---

    def get(self, field: Field) -> Value:
        """What a field holds; None where it is absent.

        Raises:
            MalformedSchemeError: it holds something of another kind.
        """
        name = field.source
        if name.startswith("@"):
            return _markup_value(_element(self._node), field)
        if field.kind is Kind.TEXTS:
            outer, inner = name.split("/")
            return _element(self._node).strings(outer, inner) if self._node.children(outer) else None
        found = self._find(field)
        if not found:
            return None
        parent, child = found[-1]
        if field.kind is Kind.FLAG:
            return _element(parent).boolean(child.name)
        if field.kind is Kind.NUMBER:
            return _element(parent).integer(child.name)
        if field.kind is Kind.DEPENDENCIES:
            discons = _element(self._node).all(name, "Or")
            return tuple(tuple(con.strings("CredentialType") for con in discon.all("And")) for discon in discons)
        return _element(child).text

    def texts(self, field: Field) -> dict[str, str]:
        """The texts of a translated field by language."""
        return dict(_element(self._node).translated(field.source) or {})

    def objects(self, group: Group) -> "dict[str, XmlFields] | None":
        """The objects of a group by key, in order; None where the element around them is absent."""
        if not self._node.children(group.source.partition("/")[0]):
            return None
        return {key: XmlFields(self._document, node, group.fields) for key, _, node in self._keyed(group)}

    # --- writing ---

    def set(self, field: Field, value: Value) -> None:
        """Write what a field holds; None removes it."""
        name = field.source
        if name.startswith("@"):
            self._node.set_markup(name[1:], None if value is None or value is False else _written(value))
        elif field.kind is Kind.TEXTS:
            self._set_list(name, value if isinstance(value, tuple) else ())
        elif field.kind is Kind.DEPENDENCIES:
            self._set_dependencies(name, value if isinstance(value, tuple) else ())
        else:
            self._set_text(field, None if value is None else _written(value))

    def set_texts(self, field: Field, texts: Mapping[str, str | None]) -> None:
        """Write texts of a translated field by language; None removes one, and the element goes with its last."""
        nodes = self._node.children(field.source)
        if not nodes:
            new = [make(language, text) for language, text in texts.items() if text is not None]
            if new:
                self._insert(make(field.source, new))
            return
        for language, text in texts.items():
            found = list(descendants(self._node, field.source, language))
            if text is None:
                for parent, child in found:
                    self._document.remove(parent, child)
            elif found:
                found[-1][1].set_text(text)
            else:
                self._document.insert(nodes[-1], make(language, text))
        if not field.required and not any(node.children() for node in nodes):
            self._remove_all(field.source)

    def regroup(self, group: Group, order: Sequence[str], identifiers: Mapping[str, str]) -> "dict[str, XmlFields]":
        """Make a group hold these objects in this order: those not named go, new ones are made, moved ones take each other's places.

        Args:
            group: the group.
            order: the keys.
            identifiers: of each new object, by its key.
        """
        outer, inner = group.source.split("/")
        places: list[tuple[XmlNode, XmlNode]] = []
        nodes: dict[str, XmlNode] = {}
        for key, parent, node in self._keyed(group):
            if key in order:
                places.append((parent, node))
                nodes[key] = node
            else:
                self._document.remove(parent, node)
        if not self._node.children(outer) and order:
            self._insert(make(outer, ()))
        for key in order:
            if key not in nodes:
                parent = self._node.children(outer)[-1]
                nodes[key] = make(inner, (), {group.identity: identifiers[key]} if identifiers[key] else {})
                self._document.insert(parent, nodes[key])
                places.append((parent, nodes[key]))
        slots = [(parent, parent.content.index(node)) for parent, node in places]
        for (parent, position), key in zip(slots, order, strict=True):
            parent.content[position] = nodes[key]
        return {key: XmlFields(self._document, nodes[key], group.fields) for key in order}

    def drop(self, group: Group) -> None:
        """Remove a group whole, with the element around it."""
        self._remove_all(group.source.partition("/")[0])

    # --- inside ---

    def _find(self, field: Field) -> list[tuple[XmlNode, XmlNode]]:
        found = list(descendants(self._node, *field.source.split("/")))
        return found or (list(descendants(self._node, field.alias)) if field.alias else [])

    def _keyed(self, group: Group) -> list[tuple[str, XmlNode, XmlNode]]:
        """Key, parent and element of each object; one whose identifier is no key, or was used before, is named by its place."""
        found: list[tuple[str, XmlNode, XmlNode]] = []
        seen: set[str] = set()
        for position, (parent, node) in enumerate(descendants(self._node, *group.source.split("/"))):
            element = _element(node)
            key = element.attributes.get(group.identity, "")
            if not key and element.boolean_attribute("revocation"):
                key = REVOCATION_KEY
            elif not IDENTIFIER.fullmatch(key):
                key = ""
            if not key or key in seen:
                key = f"@{position + 1}"
            seen.add(key)
            found.append((key, parent, node))
        return found

    def _insert(self, node: XmlNode) -> None:
        self._document.insert(self._node, node, self._order)

    def _remove_all(self, name: str) -> None:
        for child in self._node.children(name):
            self._document.remove(self._node, child)

    def _set_text(self, field: Field, text: str | None) -> None:
        outer, _, inner = field.source.partition("/")
        found = self._find(field)
        if text is None:
            for parent, child in found:
                self._document.remove(parent, child)
            if inner:
                for node in self._node.children(outer):
                    if not node.children():
                        self._document.remove(self._node, node)
        elif found:
            found[-1][1].set_text(text)
        elif not inner:
            self._insert(make(outer, text))
        elif nodes := self._node.children(outer):
            self._document.insert(nodes[-1], make(inner, text))
        else:
            self._insert(make(outer, [make(inner, text)]))

    def _set_dependencies(self, name: str, value: tuple[Value, ...]) -> None:
        present = self._node.children(name)
        for node in present[:-1] if value else present:
            self._document.remove(self._node, node)
        if value and present:
            self._document.replace(self._node, present[-1], _dependencies(value))
        elif value:
            self._insert(_dependencies(value))

    def _set_list(self, source: str, texts: Sequence[Value]) -> None:
        outer, inner = source.split("/")
        if not texts:
            self._remove_all(outer)
            return
        if not self._node.children(outer):
            self._insert(make(outer, [make(inner, str(text)) for text in texts]))
            return
        found = list(descendants(self._node, outer, inner))
        for (_, child), text in zip(found, texts, strict=False):
            if _element(child).text != text:
                child.set_text(str(text))
        for parent, child in found[len(texts) :]:
            self._document.remove(parent, child)
        for text in texts[len(found) :]:
            self._document.insert(self._node.children(outer)[-1], make(inner, str(text)))


def _element(node: XmlNode) -> Element:
    """What the file says of an element; nothing of one that was made here."""
    return node.element or Element("", node.name, {})


def _markup_value(element: Element, field: Field) -> Value:
    name = field.source[1:]
    if name not in element.attributes:
        return None
    if field.kind is Kind.NUMBER:
        return element.integer_attribute(name)
    if field.kind is Kind.FLAG:
        # Of `optional` readers know the exact text `true` alone.
        return element.attributes[name] == "true" if name == "optional" else element.boolean_attribute(name)
    return element.attributes[name]


def _dependencies(value: tuple[Value, ...]) -> XmlNode:
    def parts(name: str, values: Value) -> list[XmlNode]:
        return [make(name, _inside(name, part)) for part in (values if isinstance(values, tuple) else ())]

    def _inside(name: str, part: Value) -> str | list[XmlNode]:
        return str(part) if name == "CredentialType" else parts({"Or": "And", "And": "CredentialType"}[name], part)

    return make("Dependencies", parts("Or", value))


def _written(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
