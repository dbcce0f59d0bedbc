"""No authentication: whoever reaches the server may start sessions, within the global permissions."""

from ..requestors.directory import RequestorDirectory
from .base import JSON_TYPE, Authenticated, SignedBody, read_request


class NoAuthenticator:
    """Applies to JSON without an Authorization header."""

    def authenticate(self, signed: SignedBody, directory: RequestorDirectory) -> Authenticated | None:  # noqa: ARG002 - there is nobody to look up
        if signed.authorization or not signed.has_media_type(JSON_TYPE):
            return None
        return Authenticated(None, None, read_request(signed.body, signed.purpose))
