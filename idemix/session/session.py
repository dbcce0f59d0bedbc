"""A session: an immutable value that the engine turns into the next one and that a store keeps as JSON.

Source: irmago `irma/server/irmaserver/sessions.go` (sessionData); the JSON names are the reference's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, Self

from ..messages import SignedMessage
from ..protocol_version import ProtocolVersion
from ..request.base import Action
from ..request.condiscon import ConDisCon
from ..request.requestor import RequestorRequest
from ..verification import DisclosedAttribute, ProofStatus
from .result import SessionPointer, SessionResult
from .status import PairingMethod, Status

RequestorToken = NewType("RequestorToken", str)
ClientToken = NewType("ClientToken", str)
FrontendAuth = NewType("FrontendAuth", str)
ClientAuth = NewType("ClientAuth", str)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What frontend and app agree on."""

    pairing_method: PairingMethod = PairingMethod.NONE
    pairing_code: str = ""


@dataclass(frozen=True, slots=True)
class RememberedExchange:
    """The last exchange with the app, for an app that lost the answer and asks again.

    Attributes:
        path: the path asked for, literally.
        body_hash: SHA-256 of the request's body.
        authorization: the Authorization header of the caller, "" for none.
        response: the answer's body.
        http_status: the answer's status.
        session_status: the session's status after it.
    """

    path: str
    body_hash: bytes
    authorization: str
    response: bytes
    http_status: int
    session_status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session.

    Attributes:
        requestor_token: names the session to the requestor.
        client_token: names the session to the app.
        frontend_auth: secret of the requestor's web page.
        client_auth: secret of the app, bound when it connects.
        requestor: the requestor's name; "" for static sessions and servers without authentication.
        request: what was asked, with the values that the server filled in.
        implicit_disclosure: what earlier sessions of the chain disclosed and this one must disclose again.
        status, version, options: see there.
        last_active: from when the life time counts.
        proof_status, disclosed, signature, error, next_token: the result, see `SessionResult`.
        next_pointer: the QR of the next session of the chain.
        remembered: the last exchange with the app.
        revision: raised by one whenever a step of the engine changes the session; the store compares it when it writes.
    """

    requestor_token: RequestorToken
    client_token: ClientToken
    frontend_auth: FrontendAuth
    request: RequestorRequest
    last_active: datetime
    requestor: str = ""
    client_auth: ClientAuth | None = None
    implicit_disclosure: ConDisCon = ()
    status: Status = Status.INITIALIZED
    version: ProtocolVersion | None = None
    options: SessionOptions = field(default_factory=SessionOptions)
    proof_status: ProofStatus | None = None
    disclosed: tuple[tuple[DisclosedAttribute, ...] | None, ...] = ()
    signature: SignedMessage | None = None
    error: Mapping[str, object] | None = None
    next_token: RequestorToken | None = None
    next_pointer: SessionPointer | None = None
    remembered: RememberedExchange | None = None
    revision: int = 0

    @property
    def action(self) -> Action:
        return self.request.request.action

    @property
    def host(self) -> str:
        """The host[:port] by which the app and the frontend must come; "" for any."""
        return self.request.request.host

    @property
    def result(self) -> SessionResult:
        return SessionResult(
            token=self.requestor_token,
            status=self.status,
            action=self.action,
            proof_status=self.proof_status,
            disclosed=self.disclosed,
            signature=self.signature,
            error=self.error,
            next_session=self.next_token,
        )
