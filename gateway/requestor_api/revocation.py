"""POST /revocation: authenticate, check the permission, revoke.

Source: irmago `irma/server/requestorserver/server.go` (`handleRevocation`, `revoke`).
"""

from flask import Response, request

from idemix.request import RevocationRequest

from ..actor import Actor, ActorKind, Grant, Role
from ..auth.base import Purpose
from ..errors import PermissionRefusedError, UnknownRevocationKeyError
from ..permissions import Refused
from ..runtime import authenticated, current_gateway, text_response


def revoke() -> Response:
    """Revoke credentials."""
    gateway = current_gateway()
    sender = authenticated(Purpose.REVOCATION)
    if not isinstance(sender.request, RevocationRequest):
        raise TypeError("a revocation request was read")
    gateway.sessions.require_access(sender.name, address=request.remote_addr or "")
    verdict = gateway.sessions.judge(sender.name).may_revoke(sender.request, gateway.schemes.current.issuer_keys)
    if isinstance(verdict, Refused):
        raise PermissionRefusedError(verdict.reason, departure=verdict.departure)
    wanted = sender.request
    # The permission of the requestor was the authorisation; the role lets it through to the audit under its name.
    actor = Actor(ActorKind.SYSTEM, f"requestor {sender.name}".strip(), (Grant(Role.ADMIN),), address=request.remote_addr)
    try:
        gateway.revocation.revoke(actor, wanted.credential_type, wanted.revocation_key, issued_ns=wanted.issued_ns)
    except UnknownRevocationKeyError as error:
        raise UnknownRevocationKeyError from error  # without a text, as in the reference
    return text_response("OK")
