"""API tokens: the bare token is the value of the Authorization header, beside a JSON body."""

from idemix.clock import Clock

from ..errors import TokenRefusedError
from ..requestors.directory import RequestorDirectory
from .base import JSON_TYPE, Authenticated, SignedBody, read_request


class TokenAuthenticator:
    """Applies to JSON with an Authorization header."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def authenticate(self, signed: SignedBody, directory: RequestorDirectory) -> Authenticated | None:
        if not signed.authorization or not signed.has_media_type(JSON_TYPE):
            return None
        found = directory.by_token(signed.authorization)
        if found is None or not found[1].is_valid(self._clock()):
            # Several headers arrive as one value with commas.
            raise TokenRefusedError(departure="single-authorization" if "," in signed.authorization else None)
        requestor, key = found
        return Authenticated(requestor, key, read_request(signed.body, signed.purpose))
