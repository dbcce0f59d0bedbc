"""Signature requests: disclosure requests whose proofs sign a message.

Source: irmago `irma/requests.go` (SignatureRequest).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from .base import DISCLOSURE_FIELDS, Action, SessionRequest, read_base, read_disclosure
from .reading import Fields, RequestRuleError


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRequest(SessionRequest):
    """Asks an app to sign a message with attributes."""

    LD_CONTEXT: ClassVar[str] = "https://irma.app/ld/request/signature/v2"
    ACTION: ClassVar[Action] = Action.SIGNING

    message: str

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """Read a request from decoded JSON and check the rules that need no scheme.

        Raises:
            MalformedRequestError: it is malformed.
        """
        fields = Fields.read(value, where, DISCLOSURE_FIELDS | {"message"})
        base = read_base(fields)
        condiscon, disclosure = read_disclosure(fields)
        message = fields.text("message")
        if fields.text("@context") != cls.LD_CONTEXT:
            raise RequestRuleError(fields.path("@context"), "Not a signature request")
        if not message:
            raise RequestRuleError(fields.path("message"), "Signature request had empty message")
        if condiscon.is_empty:
            raise RequestRuleError(condiscon.where, "Signature request had no attributes")
        return cls(message=message, disclose=condiscon.checked(), **disclosure, **base)

    def to_json(self) -> dict[str, object]:
        return {**SessionRequest.to_json(self), "message": self.message}

    @classmethod
    def _own_arguments(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        return {"message": value["message"]}
