"""The remote error table, and the only place where exceptions become the reference's JSON.

An exception without an entry is logged with its traceback and leaves as `INTERNAL_ERROR` without details.

Source: irmago `irma/server/errors.go`, `irma/messages.go` (`RemoteError`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idemix.errors import IdemixError, MalformedRequestError, NotPermittedError, SessionError, UnknownIdentifierError
from idemix.session.errors import HostMismatchError

from .stores.base import StoreError, UnknownSessionError


@dataclass(frozen=True, slots=True)
class RemoteError:
    """One entry of the table.

    Attributes:
        error: the name on the wire; several entries share `UNAUTHORIZED`.
        status: HTTP status.
        description: the fixed text.
    """

    error: str
    status: int
    description: str

    def to_json(self, message: str = "") -> dict[str, Any]:
        """The body of the answer; an empty message is left out."""
        body: dict[str, Any] = {"status": self.status, "error": self.error, "description": self.description}
        if message:
            body["message"] = message
        return body


INVALID_TIMESTAMP: Final = RemoteError("INVALID_TIMESTAMP", 400, "Timestamp was not an epoch boundary")
ISSUING_DISABLED: Final = RemoteError("ISSUING_DISABLED", 403, "This server does not support issuing")
MALFORMED_VERIFIER_REQUEST: Final = RemoteError("MALFORMED_VERIFIER_REQUEST", 400, "Malformed verification request")
MALFORMED_SIGNATURE_REQUEST: Final = RemoteError("MALFORMED_SIGNATURE_REQUEST", 400, "Malformed signature request")
MALFORMED_ISSUER_REQUEST: Final = RemoteError("MALFORMED_ISSUER_REQUEST", 400, "Malformed issuer request")
UNAUTHORIZED: Final = RemoteError("UNAUTHORIZED", 403, "You are not authorized to issue or verify this attribute")
ATTRIBUTES_WRONG: Final = RemoteError(
    "ATTRIBUTES_WRONG", 400, "Specified attribute(s) do not belong to this credential type or missing attributes"
)
CANNOT_ISSUE: Final = RemoteError("CANNOT_ISSUE", 500, "Cannot issue this credential")
SESSION_UNAUTHORIZED: Final = RemoteError("UNAUTHORIZED", 403, "You are not authorized to access the session")
PAIRING_REQUIRED: Final = RemoteError("PAIRING_REQUIRED", 403, "Pairing is required first")
ISSUANCE_FAILED: Final = RemoteError("ISSUANCE_FAILED", 500, "Failed to create credential(s)")
INVALID_PROOFS: Final = RemoteError("INVALID_PROOFS", 400, "Invalid secret key commitments and/or disclosure proofs")
ATTRIBUTES_MISSING: Final = RemoteError("ATTRIBUTES_MISSING", 400, "Not all requested-for attributes were present")
ATTRIBUTES_EXPIRED: Final = RemoteError("ATTRIBUTES_EXPIRED", 400, "Disclosed attributes were expired")
UNEXPECTED_REQUEST: Final = RemoteError("UNEXPECTED_REQUEST", 403, "Unexpected request in this state")
UNKNOWN_PUBLIC_KEY: Final = RemoteError("UNKNOWN_PUBLIC_KEY", 403, "Attributes were not valid against a known public key")
KEYSHARE_PROOF_MISSING: Final = RemoteError("KEYSHARE_PROOF_MISSING", 403, "ProofP object from a keyshare server missing")
SESSION_UNKNOWN: Final = RemoteError("SESSION_UNKNOWN", 400, "Unknown or expired session")
MALFORMED_INPUT: Final = RemoteError("MALFORMED_INPUT", 400, "Input could not be parsed")
EXCEPTION: Final = RemoteError("EXCEPTION", 500, "Encountered unexpected problem")
NEXT_SESSION: Final = RemoteError("NEXT_SESSION", 500, "Error starting next session")
REVOCATION: Final = RemoteError("REVOCATION", 500, "Revocation error")
UNKNOWN_REVOCATION_KEY: Final = RemoteError("UNKNOWN_REVOCATION_KEY", 404, "No issuance records correspond to the given revocationKey")
UNSUPPORTED: Final = RemoteError("UNSUPPORTED", 501, "Unsupported by this server")
INVALID_REQUEST: Final = RemoteError("INVALID_REQUEST", 400, "Invalid HTTP request")
PROTOCOL_VERSION: Final = RemoteError("PROTOCOL_VERSION", 400, "Protocol version negotiation failed")
INTERNAL_ERROR: Final = RemoteError("INTERNAL_ERROR", 500, "Internal server error")
#: As the one before, but another try may succeed. The reference answers a failure of its store with 500.
UNAVAILABLE: Final = RemoteError("INTERNAL_ERROR", 503, "Internal server error")
TOO_MANY_REQUESTS: Final = RemoteError("TOO_MANY_REQUESTS", 429, "Too many requests")
#: Not an entry of the reference's table, but its answer where server-sent events are off.
SSE_DISABLED: Final = RemoteError("SSE_DISABLED", 500, "Server sent events disabled")


class GatewayError(IdemixError):
    """Base of the gateway's own refusals. `remote` is the entry of the table, the text its message."""

    remote: RemoteError = INTERNAL_ERROR

    def __init__(self, message: str = "", *, departure: str | None = None) -> None:
        super().__init__(message, departure=departure)


class AuthenticationError(GatewayError):
    """Nobody the gateway knows sent this request, or the request cannot be read as one."""

    remote = INVALID_REQUEST


class NotAuthenticatedError(AuthenticationError):
    """No method of authentication applies to the request. `hint` names what is wrong with it, beside the reference's text."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class TokenRefusedError(GatewayError, NotPermittedError):
    """An API token that belongs to nobody, or to a key that is not valid now."""

    remote = UNAUTHORIZED


class JwtTooOldError(GatewayError):
    """A JWT issued too long ago, or without time of issue."""

    remote = UNAUTHORIZED


class PermissionRefusedError(GatewayError, NotPermittedError):
    """The requestor may not do this. The text is the reason of the verdict."""

    remote = UNAUTHORIZED


class RequestReplayedError(GatewayError, NotPermittedError):
    """A request that started a session came again."""

    remote = UNAUTHORIZED


class TooManyRequestsError(GatewayError):
    """A limit of the requestor is used up for now.

    Attributes:
        retry_after: seconds after which it is worth another try.
    """

    remote = TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidRequestError(GatewayError):
    """A request that cannot be served."""

    remote = INVALID_REQUEST


class MalformedInputError(GatewayError):
    """A request body that cannot be read."""

    remote = MALFORMED_INPUT


class UnsupportedError(GatewayError):
    """Something that this server is not configured for."""

    remote = UNSUPPORTED


class SigningUnsupportedError(GatewayError):
    """A signed result was asked of a server without a key for it."""

    remote = EXCEPTION


class EventsDisabledError(GatewayError):
    """Server-sent events are off."""

    remote = SSE_DISABLED


class NotRevocationAuthorityError(GatewayError):
    """This server cannot revoke credentials of that type."""

    remote = REVOCATION


class UnknownRevocationKeyError(GatewayError):
    """Nothing that is not revoked already was issued under this key."""

    remote = UNKNOWN_REVOCATION_KEY


class SessionAccessError(GatewayError):
    """The caller does not know the secret of the session, or came by another host."""

    remote = SESSION_UNAUTHORIZED


#: Seconds after which a request that met `UNAVAILABLE` is worth another try.
RETRY_SECONDS: Final = 1

#: Exceptions of other packages. The first entry that fits decides.
_TABLE: Final[tuple[tuple[type[Exception], RemoteError], ...]] = (
    (StoreError, UNAVAILABLE),
    (UnknownSessionError, SESSION_UNKNOWN),
    (MalformedRequestError, INVALID_REQUEST),
    (UnknownIdentifierError, INVALID_REQUEST),
)

#: The codes that the engine's refusals carry.
_CODES: Final[Mapping[str, RemoteError]] = {
    entry.error: entry
    for entry in (
        SESSION_UNAUTHORIZED,
        PAIRING_REQUIRED,
        ISSUANCE_FAILED,
        INVALID_PROOFS,
        ATTRIBUTES_EXPIRED,
        UNEXPECTED_REQUEST,
        UNKNOWN_PUBLIC_KEY,
        KEYSHARE_PROOF_MISSING,
        MALFORMED_INPUT,
        EXCEPTION,
        NEXT_SESSION,
        REVOCATION,
        INVALID_REQUEST,
        PROTOCOL_VERSION,
        UNSUPPORTED,
    )
}


def remote_error(error: Exception) -> tuple[RemoteError, str]:
    """The entry for an exception, and the message that may leave with it.

    An exception without an entry leaves without details.
    """
    if isinstance(error, GatewayError):
        return error.remote, str(error)
    if isinstance(error, HostMismatchError):
        return UNAUTHORIZED, str(error)
    if isinstance(error, SessionError):
        return _CODES.get(error.code, INTERNAL_ERROR), str(error)
    for kind, entry in _TABLE:
        if isinstance(error, kind):
            return entry, "" if entry in (INTERNAL_ERROR, SESSION_UNKNOWN) else str(error)
    return INTERNAL_ERROR, ""


def remote_error_of_code(code: str, message: str) -> dict[str, Any]:
    """The JSON of an error that a session keeps in its result, from the code that the engine gave it."""
    return _CODES.get(code, INTERNAL_ERROR).to_json(message)
