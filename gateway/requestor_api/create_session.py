"""POST /session: authenticate, judge (limits, permissions, constraints), start.

Source: irmago `irma/server/requestorserver/server.go` (`handleCreateSession`, `createSession`).
"""

from flask import Response

from idemix.request import RequestorRequest

from ..auth.base import Authenticated, Purpose
from ..errors import PermissionRefusedError, UnsupportedError
from ..runtime import authenticated, current_gateway, current_request, json_response


def create_session() -> Response:
    """Start a session for a requestor."""
    gateway, asked = current_gateway(), current_request()
    sender = authenticated(Purpose.SESSION)
    if not isinstance(sender.request, RequestorRequest):
        raise TypeError("a session request was read")
    judgement = gateway.sessions.judge_request(sender.name, sender.request, address=asked.remote_addr or "")
    if judgement.refused_by is not None:
        gateway.sessions.note_refusal(sender.request, sender.name, judgement.refused_by)
        raise PermissionRefusedError(judgement.reason, departure=judgement.departure)
    # An empty address of a next session is refused with a reason of its own when the session is started.
    if sender.request.next_session_url != "":
        require_signed_calls(sender.request)
    package = gateway.sessions.start(sender.request, sender.name, told_apart_by=told_apart_by(sender, asked.get_data()))
    return json_response(package.to_json())


def told_apart_by(sender: Authenticated, body: bytes) -> bytes:
    """What tells a request from others: the claim `jti` of a JWT that has one, else the body."""
    # No body begins so: JSON has a brace or blanks there, a JWT base64.
    return f"jti {sender.jti}".encode() if sender.jti else body


def require_signed_calls(asked: RequestorRequest) -> None:
    """Require that calls to the requestor's server can be signed, or that unsigned ones are allowed.

    Raises:
        UnsupportedError: they can not; the message names the field.
    """
    gateway = current_gateway()
    if gateway.signer is not None or gateway.config.allow_unsigned_callbacks:
        return
    field = "callbackUrl" if asked.callback_url else "nextSession" if asked.next_session_url is not None else None
    if field is not None:
        raise UnsupportedError(
            f"{field} provided but no JWT private key is installed: either install JWT or enable allow_unsigned_callbacks in configuration"
        )
