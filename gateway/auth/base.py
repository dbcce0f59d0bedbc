"""What the methods of authentication have in common.

Source: irmago `irma/server/requestorserver/auth.go`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from idemix.errors import MalformedRequestError
from idemix.request import RequestorRequest, RevocationRequest, parse_revocation_request, parse_session_request

from ..errors import NotAuthenticatedError
from ..requestors.directory import DirectoryKey, DirectoryRequestor, RequestorDirectory

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain"
NOT_AUTHENTICATED: Final = "request could not be authenticated"


class Purpose(Enum):
    """Which endpoint was called."""

    SESSION = "session"
    REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A request as it came in.

    Attributes:
        content_type: the header, "" where it is absent.
        authorization: the header, "" where it is absent.
        body: the bytes.
        purpose: which endpoint was called.
    """

    content_type: str
    authorization: str
    body: bytes
    purpose: Purpose = Purpose.SESSION

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip()

    def has_media_type(self, media_type: str) -> bool:
        """Whether the body has this type. Case counts, as for the reference.

        Raises:
            MalformedRequestError: the type only begins like it.
        """
        if self.content_type.startswith(media_type) and self.media_type != media_type:
            raise MalformedRequestError("Content-Type", f"Unsupported Content-Type: {self.content_type}", departure="content-type")
        return self.media_type == media_type


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A request and who sent it.

    Attributes:
        requestor: who sent it, or None on a server without authentication.
        key: with which key, where there is one.
        request: the session or revocation request.
        jti: the name that a JWT gives itself, "" for none.
    """

    requestor: DirectoryRequestor | None
    key: DirectoryKey | None
    request: RequestorRequest | RevocationRequest
    jti: str = ""

    @property
    def name(self) -> str:
        """The requestor's name, or an empty text."""
        return "" if self.requestor is None else self.requestor.name


class Authenticator(Protocol):
    """One method of authentication."""

    def authenticate(self, signed: SignedBody, directory: RequestorDirectory) -> Authenticated | None:
        """Find out who sent a request, and read it.

        Returns:
            The request with its sender, or None where this method does not apply to it.

        Raises:
            AuthenticationError, TokenRefusedError: the method applies, but does not authenticate the request.
            MalformedRequestError: the request cannot be read.
        """
        ...


def read_request(body: bytes, purpose: Purpose) -> RequestorRequest | RevocationRequest:
    """Read a JSON body for its endpoint."""
    return parse_session_request(body) if purpose is Purpose.SESSION else parse_revocation_request(body)


def authenticate(signed: SignedBody, directory: RequestorDirectory, authenticators: tuple[Authenticator, ...]) -> Authenticated:
    """Try the methods in order; the first that applies decides.

    Raises:
        NotAuthenticatedError: none applies.
        AuthenticationError, TokenRefusedError, MalformedRequestError: as of the methods.
    """
    for authenticator in authenticators:
        authenticated = authenticator.authenticate(signed, directory)
        if authenticated is not None:
            return authenticated
    if signed.media_type not in (JSON_TYPE, TEXT_TYPE):
        raise NotAuthenticatedError(f"Unsupported Content-Type: {signed.content_type}")
    raise NotAuthenticatedError(NOT_AUTHENTICATED)
