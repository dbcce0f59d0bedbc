"""Fields of a JSON document: how each kind is read from its members, and written back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import MalformedSchemeError
from .fields import IDENTIFIER, Field, Group, Kind, Value
from .json_nodes import JsonContainer, JsonDocument, JsonMember, change, line_of, made

_TYPES = {Kind.TEXT: str, Kind.FLAG: bool, Kind.NUMBER: int, Kind.TEXTS: list}


class JsonFields:
    """The fields of one object: the document itself, or an object of a group.

    Args:
        document: the document, for errors.
        node: the object, or the list where the document is one.
        where: the name of the object, for errors.
    """

    def __init__(self, document: JsonDocument, node: JsonContainer, where: str = "") -> None:
        self._document = document
        self._node = node
        self._where = where

    # --- reading ---

    def get(self, field: Field) -> Value:
        """What a field holds; None where it is absent or null.

        Raises:
            MalformedSchemeError: it holds something of another kind.
        """
        member = self._node.find(field.source)
        value = None if member is None else member.node.value
        if value is None:
            return None
        kind = _TYPES.get(field.kind)
        if kind is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise self._refuse("is of another kind", field.source)
        if field.kind is Kind.NUMBER and not -(1 << 63) <= value < 1 << 63:
            raise self._refuse("must be an integer of 64 bits", field.source)
        if field.kind is Kind.TEXTS:
            if not all(isinstance(item, str | None) for item in value):
                raise self._refuse("must be a list of texts", field.source)
            return tuple(item or "" for item in value)
        return value_of(value)

    def texts(self, field: Field) -> dict[str, str]:
        """The texts of a translated field by language."""
        member = self._node.find(field.source)
        value = None if member is None else member.node.value
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(text, str | None) for text in value.values()):
            raise self._refuse("must be texts by language", field.source)
        return {language: text or "" for language, text in value.items()}

    def objects(self, group: Group) -> "dict[str, JsonFields] | None":
        """The objects of a group by key, in order; None where there is no such list or object."""
        holder = self._holder(group)
        if holder is None:
            return None
        return {key: JsonFields(self._document, node, f"{self._where}{key}.") for key, _, node in self._keyed(group, holder)}

    # --- writing ---

    def set(self, field: Field, value: Value) -> None:
        """Write what a field holds; None removes it."""
        self._set(self._node, field.source, _plain(value))

    def set_texts(self, field: Field, texts: Mapping[str, str | None]) -> None:
        """Write texts of a translated field by language; None removes one, and the member goes with its last."""
        member = self._node.find(field.source)
        if member is None or not isinstance(member.node, JsonContainer):
            self._set(self._node, field.source, {language: text for language, text in texts.items() if text is not None} or None)
            return
        for language, text in texts.items():
            self._set(member.node, language, text, JsonContainer.find_exact)
        if not member.node.members and not field.required:
            self._set(self._node, field.source, None)

    def regroup(self, group: Group, order: Sequence[str], identifiers: Mapping[str, str]) -> "dict[str, JsonFields]":
        """Make a group hold these objects in this order; see `XmlFields.regroup`."""
        holder = self._holder(group)
        if holder is None:
            member = self._set(self._node, group.source, {})
            assert member is not None  # noqa: S101 - it was just set
            assert isinstance(member.node, JsonContainer)  # noqa: S101 - it was set to an object
            holder = member.node
            holder.empty = line_of(member.before)
        found: dict[str, JsonContainer] = {}
        for key, member, node in self._keyed(group, holder):
            if key in order:
                found[key] = node
            else:
                holder.remove(member)
        for key in order:
            if key not in found:
                node = JsonContainer("{}")
                node.empty = line_of(holder.add(identifiers[key], node).before)
                if identifiers[key]:
                    self._set(node, group.identity, identifiers[key])
                found[key] = node
        names = {id(member.node): member.key for member in holder.members}
        for member, key in zip(holder.members, order, strict=True):
            member.key, member.node = names[id(found[key])], found[key]
        return {key: JsonFields(self._document, found[key], f"{self._where}{key}.") for key in order}

    def drop(self, group: Group) -> None:
        """Remove a group whole; the document itself is emptied."""
        if group.source:
            self._set(self._node, group.source, None)
        else:
            self.regroup(group, (), {})

    # --- inside ---

    def _refuse(self, rule: str, name: str) -> MalformedSchemeError:
        return MalformedSchemeError(self._document.path, rule, field=f"{self._where}{name}")

    def _holder(self, group: Group) -> JsonContainer | None:
        if not group.source:
            return self._node
        member = self._node.find(group.source)
        if member is None or str(member.node) == "null":
            return None
        if not isinstance(member.node, JsonContainer) or member.node.brackets != "{}":
            raise self._refuse("must be an object", group.source)
        return member.node

    def _keyed(self, group: Group, holder: JsonContainer) -> list[tuple[str, JsonMember, JsonContainer]]:
        """Key, member and object of each; the key is the last part of the identifier, or the place where that is none."""
        found: list[tuple[str, JsonMember, JsonContainer]] = []
        seen: set[str] = set()
        for position, member in enumerate(holder.members):
            if not isinstance(member.node, JsonContainer) or member.node.brackets != "{}":
                raise self._refuse("must be an object", f"{group.source}[{position}]")
            identifier = member.node.find(group.identity)
            key = str(identifier.node.value or "").rpartition(".")[2] if identifier is not None else ""
            if not IDENTIFIER.fullmatch(key) or key in seen:
                key = f"@{position + 1}"
            seen.add(key)
            found.append((key, member, member.node))
        return found

    def _set(
        self,
        node: JsonContainer,
        name: str,
        value: Any,
        find: Callable[[JsonContainer, str], JsonMember | None] = JsonContainer.find,
    ) -> JsonMember | None:
        member = find(node, name)
        if value is None:
            while member is not None:  # where a name is repeated, an earlier one would be read
                node.remove(member)
                member = find(node, name)
            return None
        if member is None:
            return node.add(name, made(value, node.members[-1].before if node.members else ""))
        change(member, value)
        return member


def value_of(value: Any) -> Value:
    """What a parsed JSON value is as the value of a field: lists are tuples."""
    if isinstance(value, list):
        return tuple(value_of(item) for item in value)
    return {key: value_of(item) for key, item in value.items()} if isinstance(value, dict) else value


def _plain(value: Value) -> Any:
    """The inverse."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
