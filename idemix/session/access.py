"""Who may speak to a session: its app, its frontend, and only by its host.

Source: irmago `irma/server/irmaserver/helpers.go` (sessionMiddleware, frontendMiddleware, pairingMiddleware).
"""

import hmac

from .errors import HostMismatchError, PairingRequiredError, SessionUnauthorizedError, UnexpectedRequestError
from .session import Session
from .status import Status


def same_secret(left: str, right: str) -> bool:
    """Compare two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape"))


def check_frontend(session: Session, authorization: str) -> None:
    """Require the frontend's secret.

    Raises:
        SessionUnauthorizedError: it is another.
    """
    if not same_secret(session.frontend_auth, authorization):
        raise SessionUnauthorizedError


def check_host(session: Session, host: str) -> None:
    """Require that a request of the app or frontend came by the host in the QR.

    Raises:
        HostMismatchError: the session names a host, and the request came by another.
    """
    if session.host and session.host != host:
        raise HostMismatchError("Host mismatch")


def require_connected(session: Session, authorization: str) -> None:
    """Require that the session awaits its app, and that this is the app.

    Raises:
        PairingRequiredError: pairing is under way.
        UnexpectedRequestError: the session is not connected.
        SessionUnauthorizedError: another app than the one that connected.
    """
    if session.status is Status.PAIRING:
        raise PairingRequiredError
    if session.status is not Status.CONNECTED:
        raise UnexpectedRequestError("Session not yet started or already finished")
    if session.client_auth is None or not same_secret(session.client_auth, authorization):
        raise SessionUnauthorizedError
