"""What the engine answers: to requestors, apps and frontends.

Source: irmago `irma/server/api.go` (SessionPackage), `irma/requests.go` (FrontendSessionRequest, ClientSessionRequest),
`irma/messages.go` (ServerSessionResponse).
"""

from dataclasses import dataclass
from typing import Final

from ..issuance.messages import IssueSignatureMessage
from ..protocol_version import ProtocolVersion
from ..request.base import SessionRequest
from ..verification import ProofStatus
from .pairing import SessionOptions
from .result import SessionPointer, SessionResult
from .session import FrontendAuth, RequestorToken, Session
from .version import FRONTEND_MAX_VERSION, FRONTEND_MIN_VERSION

CLIENT_REQUEST_CONTEXT: Final = "https://irma.app/ld/request/client/v1"


@dataclass(frozen=True, slots=True)
class SessionPackage:
    """What the requestor gets when a session starts."""

    pointer: SessionPointer
    token: RequestorToken
    frontend_auth: FrontendAuth
    pairing_hint: bool

    def to_json(self) -> dict[str, object]:
        frontend: dict[str, object] = {"authorization": self.frontend_auth}
        if self.pairing_hint:
            frontend["pairingHint"] = True
        frontend |= {"minProtocolVersion": str(FRONTEND_MIN_VERSION), "maxProtocolVersion": str(FRONTEND_MAX_VERSION)}
        return {"sessionPtr": self.pointer.to_json(), "token": self.token, "frontendRequest": frontend}


@dataclass(frozen=True, slots=True)
class ClientSessionRequest:
    """The first answer to the app.

    Attributes:
        version: the chosen protocol version.
        options: pairing method and code.
        request: the session request as the app sees it; None while pairing is under way.
    """

    version: ProtocolVersion
    options: SessionOptions
    request: SessionRequest | None

    def to_json(self) -> dict[str, object]:
        result: dict[str, object] = {
            "@context": CLIENT_REQUEST_CONTEXT,
            "protocolVersion": str(self.version),
            "options": self.options.to_json(),
        }
        if self.request is not None:
            result["request"] = self.request.to_json()
        return result


@dataclass(frozen=True, slots=True)
class ServerResponse:
    """The answer to the app's proofs or commitments."""

    proof_status: ProofStatus
    signatures: tuple[IssueSignatureMessage, ...] = ()
    next_session: SessionPointer | None = None

    def to_json(self) -> dict[str, object]:
        result: dict[str, object] = {"proofStatus": self.proof_status.value}
        if self.signatures:
            result["sigs"] = [signature.to_json() for signature in self.signatures]
        if self.next_session is not None:
            result["nextSession"] = self.next_session.to_json()
        return result


@dataclass(frozen=True, slots=True)
class NextSessionNeeded:
    """The proofs hold and the chain goes on: POST the result to `url`, then call `SessionEngine.start_next`.

    Attributes:
        url: where the next session request is fetched.
        result: what is posted there; its status is CONNECTED.
        response: what the app gets, once the next session is known.
    """

    url: str
    result: SessionResult
    response: ServerResponse


@dataclass(frozen=True, slots=True)
class ChainContinued:
    """The end of a session that has a next one.

    Attributes:
        response: the answer to the app, with the QR of the next session if there is one.
        next_session: the new session, to be stored as well; None where the chain ends.
    """

    response: ServerResponse
    next_session: Session | None


def frontend_status(session: Session) -> dict[str, object]:
    """What the frontend is told of the session's status, as JSON."""
    result: dict[str, object] = {"status": session.status.value}
    if session.next_pointer is not None:
        result["nextSession"] = session.next_pointer.to_json()
    return result
