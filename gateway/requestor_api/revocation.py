"""POST /revocation: authenticate, check the permission; this server is authority for no credential type.

Source: irmago `irma/server/requestorserver/server.go` (`handleRevocation`, `revoke`).
"""

from flask import Response, request

from idemix.request import RevocationRequest

from ..auth.base import Purpose
from ..errors import NotRevocationAuthorityError, PermissionRefusedError
from ..permissions import Refused
from ..runtime import authenticated, current_gateway


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
    raise NotRevocationAuthorityError(f"cannot revoke {sender.request.credential_type}")
