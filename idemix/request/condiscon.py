"""The condiscon: a conjunction of disjunctions of conjunctions of attribute requests.

Source: irmago `irma/requests.go` (AttributeConDisCon, AttributeDisCon, AttributeCon, AttributeRequest).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from ..scheme.identifiers import AttributeTypeId, CredentialTypeId
from .reading import Fields, RequestRuleError, as_list, as_text


@dataclass(frozen=True, slots=True)
class AttributeRequest:
    """Asks for an attribute, or for a credential as such.

    Attributes:
        type: the attribute type (four parts) or the credential type (three parts).
        value: the exact value that is required, or None for any.
        not_null: whether the attribute must have a value.
    """

    type: AttributeTypeId | CredentialTypeId
    value: str | None = field(default=None, repr=False)
    not_null: bool = False

    @property
    def credential_type(self) -> CredentialTypeId:
        return self.type if isinstance(self.type, CredentialTypeId) else self.type.credential_type

    def is_satisfied_by(self, identifier: AttributeTypeId | CredentialTypeId, value: str | None) -> bool:
        """Whether a disclosed attribute is what this request asks for."""
        if self.type != identifier or (self.not_null and value is None):
            return False
        return self.value is None or self.value == value

    def to_json(self) -> str | dict[str, object]:
        if self.value is None and not self.not_null:
            return str(self.type)
        result: dict[str, object] = {"type": str(self.type)}
        if self.value is not None:
            result["value"] = self.value
        if self.not_null:
            result["notNull"] = True
        return result

    @classmethod
    def restored(cls, value: str | Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        if isinstance(value, str):
            return cls(_attribute_or_credential(value))
        return cls(_attribute_or_credential(value["type"]), value.get("value"), value.get("notNull", False))


def _attribute_or_credential(text: str) -> AttributeTypeId | CredentialTypeId:
    return AttributeTypeId(text) if text.count(".") + 1 == AttributeTypeId.PARTS else CredentialTypeId(text)


#: All of these attributes; empty: nothing, which makes the disjunction around it optional.
Con: TypeAlias = tuple[AttributeRequest, ...]
#: One of these conjunctions.
DisCon: TypeAlias = tuple[Con, ...]
#: All of these disjunctions.
ConDisCon: TypeAlias = tuple[DisCon, ...]

_ATTRIBUTE_FIELDS: Final = frozenset({"type", "value", "notNull"})


@dataclass(frozen=True, slots=True)
class _Unchecked:
    """An attribute request as it was read; its identifier may have any number of parts."""

    where: str
    type: str
    value: str | None
    not_null: bool


def _read_attribute(value: object, where: str) -> _Unchecked:
    if value is None or isinstance(value, str):
        return _Unchecked(where, as_text(value, where), None, False)
    fields = Fields.read(value, where, _ATTRIBUTE_FIELDS)
    return _Unchecked(where, fields.text("type"), fields.optional_text("value"), fields.flag("notNull"))


class UncheckedConDisCon:
    """A condiscon of which the JSON was read and the rules are still to be checked.

    The reference reads all of a request before it checks any rule, and so the two steps are apart here.
    """

    def __init__(self, value: object, where: str = "disclose") -> None:
        self.where = where
        self._discons = [
            [
                [_read_attribute(attribute, f"{where}[{i}][{j}][{k}]") for k, attribute in enumerate(as_list(con, f"{where}[{i}][{j}]"))]
                for j, con in enumerate(as_list(discon, f"{where}[{i}]"))
            ]
            for i, discon in enumerate(as_list(value, where))
        ]

    @property
    def is_empty(self) -> bool:
        """Whether the outer list is empty."""
        return not self._discons

    @property
    def has_attributes(self) -> bool:
        return any(con for discon in self._discons for con in discon)

    def checked(self) -> ConDisCon:
        """Apply the rules that need no scheme.

        Raises:
            RequestRuleError: an empty disjunction, an identifier of another number of parts than three or four, or attributes
                of one credential type that are not adjacent in their conjunction.
        """
        return tuple(self._checked_discon(discon, f"{self.where}[{i}]") for i, discon in enumerate(self._discons))

    def unchecked(self) -> ConDisCon:
        """The condiscon without its rules applied, but for the number of parts of identifiers."""
        return tuple(tuple(tuple(_checked_request(attribute) for attribute in con) for con in discon) for discon in self._discons)

    @staticmethod
    def _checked_discon(discon: list[list[_Unchecked]], where: str) -> DisCon:
        if not discon:
            raise RequestRuleError(where, "Empty disjunction")
        return tuple(_checked_con(con) for con in discon)


def _checked_con(con: list[_Unchecked]) -> Con:
    result: list[AttributeRequest] = []
    seen: set[CredentialTypeId] = set()
    for attribute in con:
        request = _checked_request(attribute)
        if request.credential_type in seen and request.credential_type != result[-1].credential_type:
            raise RequestRuleError(attribute.where, "Within inner conjunctions, attributes from the same credential type must be adjacent")
        seen.add(request.credential_type)
        result.append(request)
    return tuple(result)


def _checked_request(attribute: _Unchecked) -> AttributeRequest:
    parts = attribute.type.count(".") + 1
    if parts == AttributeTypeId.PARTS:
        return AttributeRequest(AttributeTypeId(attribute.type), attribute.value, attribute.not_null)
    if parts == CredentialTypeId.PARTS:
        return AttributeRequest(CredentialTypeId(attribute.type), attribute.value, attribute.not_null)
    raise RequestRuleError(attribute.where, f"Expected attribute request to consist of 4 or 3 parts, {parts} found")


def parse_condiscon(value: object, where: str = "disclose") -> ConDisCon:
    """Read a condiscon from decoded JSON and check the rules that need no scheme.

    Raises:
        MalformedRequestError: it is malformed; `where` is the path of the place.
    """
    return UncheckedConDisCon(value, where).checked()


def condiscon_to_json(condiscon: ConDisCon) -> list[list[list[str | dict[str, object]]]]:
    """Write a condiscon as the reference does."""
    return [[[attribute.to_json() for attribute in con] for con in discon] for discon in condiscon]


def condiscon_from_json(value: Iterable[Any]) -> ConDisCon:
    """Read what `condiscon_to_json` wrote, and check no rules: what was disclosed in a session need not follow them."""
    return tuple([tuple([tuple([AttributeRequest.restored(attribute) for attribute in con]) for con in discon]) for discon in value])


def attribute_requests(condiscon: ConDisCon) -> Iterator[tuple[str, AttributeRequest]]:
    """All attribute requests of a condiscon, each with its path."""
    for i, discon in enumerate(condiscon):
        for j, con in enumerate(discon):
            for k, attribute in enumerate(con):
                yield f"disclose[{i}][{j}][{k}]", attribute


#: Labels of the disjunctions, by index: language -> text, or None where the requestor wrote null.
Labels: TypeAlias = Mapping[int, Mapping[str, str] | None]
