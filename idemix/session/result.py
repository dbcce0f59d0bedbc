"""What the requestor gets to see of a session.

Source: irmago `irma/server/api.go` (SessionResult).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..errors import MalformedRequestError
from ..messages import SignedMessage
from ..request.base import Action
from ..request.reading import Fields
from ..verification import DisclosedAttributes, ProofStatus, disclosed_to_json
from .status import Status


@dataclass(frozen=True, slots=True)
class SessionPointer:
    """The contents of a QR: where an app finds a session.

    Attributes:
        url: `{server url}session/{client token}`.
        action: the session type.
    """

    url: str
    action: Action

    def to_json(self) -> dict[str, object]:
        return {"u": self.url, "irmaqr": self.action.value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the JSON of a QR.

        Raises:
            MalformedRequestError: it is none.
        """
        fields = Fields.read(value, "", frozenset({"u", "irmaqr"}))
        action = fields.text("irmaqr")
        if action not in {known.value for known in Action}:
            raise MalformedRequestError("irmaqr", "expected a session type")
        return cls(fields.text("u"), Action(action))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionResult:
    """The result of a session, in whatever status it is.

    Attributes:
        proof_status: None until proofs were received.
        disclosed: one list per disjunction (None where it is not satisfied), and one of the attributes nobody asked for.
        signature: the app's signed message, valid or not.
        error: the remote error with which the server ended the session, as JSON.
        next_session: the requestor token of the next session of the chain.
    """

    token: str
    status: Status
    action: Action
    proof_status: ProofStatus | None = None
    disclosed: DisclosedAttributes = ()
    signature: SignedMessage | None = None
    error: Mapping[str, object] | None = None
    next_session: str | None = None

    def to_json(self) -> dict[str, object]:
        """Write the result as the reference does: fields without value left out."""
        result: dict[str, object] = {"token": self.token, "status": self.status.value, "type": self.action.value}
        if self.proof_status is not None:
            result["proofStatus"] = self.proof_status.value
        if self.disclosed:
            result["disclosed"] = disclosed_to_json(self.disclosed)
        if self.signature is not None:
            result["signature"] = self.signature.to_json()
        if self.error is not None:
            result["error"] = dict(self.error)
        if self.next_session is not None:
            result["nextSession"] = self.next_session
        return result
