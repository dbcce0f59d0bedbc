"""A session: an immutable value that the engine turns into the next one and that a store keeps as JSON.

Source: irmago `irma/server/irmaserver/sessions.go` (sessionData); the JSON names are the reference's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType, Self

from ..messages import SignedMessage
from ..protocol_version import ProtocolVersion
from ..request.base import Action
from ..request.condiscon import ConDisCon, condiscon_from_json, condiscon_to_json
from ..request.requestor import RequestorRequest
from ..verification import DisclosedAttributes, ProofStatus, disclosed_from_json
from .pairing import SessionOptions
from .result import SessionPointer, SessionResult
from .status import PairingMethod, Status

RequestorToken = NewType("RequestorToken", str)
ClientToken = NewType("ClientToken", str)
FrontendAuth = NewType("FrontendAuth", str)
ClientAuth = NewType("ClientAuth", str)


@dataclass(frozen=True, slots=True, repr=False)
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

    def to_json(self) -> dict[str, object]:
        return {
            "Endpoint": self.path,
            "Message": self.body_hash.hex(),
            "Authorization": self.authorization,
            "Response": self.response.decode(),
            "Status": self.http_status,
            "SessionStatus": self.session_status.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            path=value["Endpoint"],
            body_hash=bytes.fromhex(value["Message"]),
            authorization=value["Authorization"],
            response=value["Response"].encode(),
            http_status=value["Status"],
            session_status=Status(value["SessionStatus"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Session:
    """A session. Its `repr` shows nothing of it, for it holds secrets and attribute values.

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
        request_id: of the request that started the session, or the chain that it belongs to; "" for none.
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
    disclosed: DisclosedAttributes = ()
    signature: SignedMessage | None = None
    error: Mapping[str, object] | None = None
    next_token: RequestorToken | None = None
    next_pointer: SessionPointer | None = None
    remembered: RememberedExchange | None = None
    request_id: str = ""
    revision: int = 0

    def to_json(self) -> dict[str, object]:
        """Write the session for a store, under the reference's names where it has them."""
        return {
            "Action": self.action.value,
            "RequestorToken": self.requestor_token,
            "ClientToken": self.client_token,
            "FrontendAuth": self.frontend_auth,
            "ClientAuth": self.client_auth,
            "Requestor": self.requestor,
            "Rrequest": self.request.to_json(),
            "ImplicitDisclosure": condiscon_to_json(self.implicit_disclosure),
            "Status": self.status.value,
            "Version": None if self.version is None else str(self.version),
            "Options": {"pairingMethod": self.options.pairing_method.value, "pairingCode": self.options.pairing_code},
            "LastActive": self.last_active.isoformat(),
            "Result": self.result.to_json(),
            "Next": None if self.next_pointer is None else self.next_pointer.to_json(),
            "ResponseCache": None if self.remembered is None else self.remembered.to_json(),
            "RequestId": self.request_id,
            "Revision": self.revision,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        result, options, version = value["Result"], value["Options"], value["Version"]
        return cls(
            requestor_token=RequestorToken(value["RequestorToken"]),
            client_token=ClientToken(value["ClientToken"]),
            frontend_auth=FrontendAuth(value["FrontendAuth"]),
            client_auth=None if value["ClientAuth"] is None else ClientAuth(value["ClientAuth"]),
            requestor=value["Requestor"],
            request=RequestorRequest.restored(value["Rrequest"]),
            implicit_disclosure=condiscon_from_json(value["ImplicitDisclosure"]),
            status=Status(value["Status"]),
            version=None if version is None else ProtocolVersion.parse(version),
            options=SessionOptions(PairingMethod(options["pairingMethod"]), options["pairingCode"]),
            last_active=datetime.fromisoformat(value["LastActive"]),
            proof_status=ProofStatus(result["proofStatus"]) if "proofStatus" in result else None,
            disclosed=disclosed_from_json(result.get("disclosed", ())),
            signature=SignedMessage.from_json(result["signature"]) if "signature" in result else None,
            error=result.get("error"),
            next_token=RequestorToken(result["nextSession"]) if "nextSession" in result else None,
            next_pointer=None if value["Next"] is None else SessionPointer.from_json(value["Next"]),
            remembered=None if value["ResponseCache"] is None else RememberedExchange.from_json(value["ResponseCache"]),
            request_id=value.get("RequestId", ""),
            revision=value["Revision"],
        )

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
