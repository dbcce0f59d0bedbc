"""POST /session: authenticate, check the permissions, start.

Source: irmago `irma/server/requestorserver/server.go` (`handleCreateSession`, `createSession`).
"""

from flask import Response

from idemix.request import RequestorRequest

from ..auth.base import Purpose
from ..errors import PermissionRefusedError, UnsupportedError
from ..permissions import Refused
from ..runtime import authenticated, current_gateway, json_response


def create_session() -> Response:
    """Start a session for a requestor."""
    gateway = current_gateway()
    sender = authenticated(Purpose.SESSION)
    if not isinstance(sender.request, RequestorRequest):
        raise TypeError("a session request was read")
    verdict = gateway.sessions.judge(sender.name).may_request(sender.request.request)
    if isinstance(verdict, Refused):
        gateway.sessions.note_refusal(sender.request, sender.name, verdict.refused_by)
        raise PermissionRefusedError(verdict.reason, departure=verdict.departure)
    # An empty address of a next session is refused with a reason of its own when the session is started.
    if sender.request.next_session_url != "":
        require_signed_calls(sender.request)
    return json_response(gateway.sessions.start(sender.request, sender.name).to_json())


def require_signed_calls(request: RequestorRequest) -> None:
    """Require that calls to the requestor's server can be signed, or that unsigned ones are allowed.

    Raises:
        UnsupportedError: they can not; the message names the field.
    """
    gateway = current_gateway()
    if gateway.signer is not None or gateway.config.allow_unsigned_callbacks:
        return
    field = "callbackUrl" if request.callback_url else "nextSession" if request.next_session_url is not None else None
    if field is not None:
        raise UnsupportedError(
            f"{field} provided but no JWT private key is installed: either install JWT or enable allow_unsigned_callbacks in configuration"
        )
