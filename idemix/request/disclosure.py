"""Disclosure requests.

Source: irmago `irma/requests.go` (DisclosureRequest).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from .base import DISCLOSURE_FIELDS, Action, SessionRequest, read_base, read_disclosure
from .reading import Fields, RequestRuleError


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRequest(SessionRequest):
    """Asks an app to disclose attributes."""

    LD_CONTEXT: ClassVar[str] = "https://irma.app/ld/request/disclosure/v2"
    ACTION: ClassVar[Action] = Action.DISCLOSING

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """Read a request from decoded JSON and check the rules that need no scheme.

        Raises:
            MalformedRequestError: it is malformed.
        """
        fields = Fields.read(value, where, DISCLOSURE_FIELDS)
        base = read_base(fields)
        condiscon, disclosure = read_disclosure(fields)
        if fields.text("@context") != cls.LD_CONTEXT:
            raise RequestRuleError(fields.path("@context"), "Not a disclosure request")
        if not condiscon.has_attributes:
            raise RequestRuleError(condiscon.where, "Disclosure request had no attributes")
        return cls(disclose=condiscon.checked(), **disclosure, **base)
