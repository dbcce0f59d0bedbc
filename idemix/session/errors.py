"""The refusals of a session. `code` is the error name of the reference's table (irmago `irma/server/errors.go`).

The gateway owns the table with HTTP status and description; here the errors only name their entry.
"""

from typing import TYPE_CHECKING

from ..errors import SessionError

if TYPE_CHECKING:
    from .session import Session


class UnexpectedRequestError(SessionError):
    """The request does not fit the session's status."""

    code = "UNEXPECTED_REQUEST"


class UnexpectedEventError(UnexpectedRequestError):
    """The table of transitions has no entry for this status and event."""


class PairingRequiredError(SessionError):
    """The frontend has not confirmed the pairing code yet."""

    code = "PAIRING_REQUIRED"


class SessionUnauthorizedError(SessionError):
    """The caller does not show the secret that binds it to the session ("not authorized to access the session")."""

    code = "UNAUTHORIZED"


class HostMismatchError(SessionError):
    """The request came by another host than the one in the QR ("not authorized to issue or verify", as the reference says)."""

    code = "UNAUTHORIZED"


class ProtocolVersionError(SessionError):
    """App and server have no protocol version in common."""

    code = "PROTOCOL_VERSION"


class MalformedInputError(SessionError):
    """A header or body of the app or the frontend cannot be read."""

    code = "MALFORMED_INPUT"


class WrongEndpointError(SessionError):
    """The answer was posted to the endpoint of another session type."""

    code = "INVALID_REQUEST"


class UnknownKeyError(SessionError):
    """A proof names a public key that no loaded scheme has."""

    code = "UNKNOWN_PUBLIC_KEY"


class InvalidProofsError(SessionError):
    """The proofs of an issuance session do not hold or do not satisfy the request."""

    code = "INVALID_PROOFS"


class AttributesExpiredError(SessionError):
    """A credential disclosed in an issuance session has expired."""

    code = "ATTRIBUTES_EXPIRED"


class KeyshareProofMissingError(SessionError):
    """A keyshare server's part is missing from the commitments, or not to be trusted."""

    code = "KEYSHARE_PROOF_MISSING"


class IssuanceFailedError(SessionError):
    """A credential could not be signed."""

    code = "ISSUANCE_FAILED"


class RevocationStateError(SessionError):
    """The state of revocation that the session needs cannot be had."""

    code = "REVOCATION"


class NextSessionError(SessionError):
    """The next session of a chain cannot be fetched or started. The session stays connected, with its result filled."""

    code = "NEXT_SESSION"


class VerificationFailedError(SessionError):
    """The proofs name something that cannot be looked up: an index out of range, an unknown credential type."""

    code = "EXCEPTION"


class SessionFailedError(SessionError):
    """A refusal that also cancels the session.

    Attributes:
        cause: the refusal itself; `code` is its code, the text its text.
        session: the session to store: cancelled, its result replaced by the error.
    """

    session: "Session"

    def __init__(self, cause: SessionError, session: "Session") -> None:
        super().__init__(str(cause), departure=cause.departure, session=session)
        self.cause = cause
        self.code = cause.code
