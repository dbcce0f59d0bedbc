"""A time-stamp server without its HTTP: stamps with Ed25519, for tests, demonstrations and installations of one's own.

Source: atumd `main.go`.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import MalformedRequestError
from .keys import write_key
from .messages import ED25519, ServerInfo, StampRequest, StampResponse, Timestamp, TimestampSignature, encode_time_and_nonce
from .proof_of_work import WorkRequest

_MAX_NONCE_BYTES: Final = 128
_ACCEPTABLE_LAG_SECONDS: Final = 60
#: How long a client may take the answer about a key for granted.
_KEY_CHECK_LIFETIME: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, repr=False)
class TimestampServer:
    """Answers the messages of the protocol.

    Attributes:
        url: its own address.
        private_key: signs the stamps.
        work: what it asks for before it stamps, or None.
    """

    url: str
    private_key: Ed25519PrivateKey
    work: WorkRequest | None = None

    @property
    def key(self) -> str:
        """The public key as `TimestampKeys.parse` reads it."""
        return write_key(self.private_key.public_key())

    def info(self) -> ServerInfo:
        """What the server tells of itself."""
        return ServerInfo(_MAX_NONCE_BYTES, _ACCEPTABLE_LAG_SECONDS, ED25519, {} if self.work is None else {ED25519: self.work})

    def stamp(self, body: bytes, *, now: datetime) -> bytes:
        """Answer a request. Whatever algorithm it asks for, Ed25519 is used.

        Args:
            body: the request.
            now: the server's time.

        Raises:
            MalformedRequestError: it is none.
        """
        request = StampRequest.parse(body)
        server_time = int(now.timestamp())
        time = server_time if request.time is None else request.time
        error = self._fault(request, time, server_time)
        if error is not None or request.nonce is None:
            return StampResponse(error=error, info=self.info()).print()
        data = self.private_key.sign(encode_time_and_nonce(time, request.nonce))
        signature = TimestampSignature(ED25519, data, self.private_key.public_key().public_bytes_raw())
        return StampResponse(Timestamp(time, self.url, signature)).print()

    def _fault(self, request: StampRequest, time: int, server_time: int) -> str | None:
        """The protocol's name for what is wrong with a request."""
        if abs(server_time - time) > _ACCEPTABLE_LAG_SECONDS:
            return "too much lag"
        if request.nonce is None:
            return "missing nonce"
        if len(request.nonce) > _MAX_NONCE_BYTES:
            return "nonce is too long"
        if self.work is None:
            return None
        if request.proof_of_work is None:
            return "proof of work is missing"
        data = encode_time_and_nonce(time, request.nonce)
        return None if self.work.is_fulfilled(request.proof_of_work, data) else "proof of work is invalid"

    def check_key(self, algorithm: str, public_key: str, *, now: datetime) -> bytes:
        """Answer whether a key is this server's, for verifiers that ask.

        Args:
            algorithm, public_key: of the query; the key in hexadecimal.
            now: the server's time.

        Raises:
            MalformedRequestError: the key is not hexadecimal.
        """
        try:
            key = bytes.fromhex(public_key)
        except ValueError as error:
            raise MalformedRequestError("pk", "expected hexadecimal") from error
        trusted = algorithm == ED25519 and key == self.private_key.public_key().public_bytes_raw()
        return json.dumps({"Trusted": trusted, "Expires": (now + _KEY_CHECK_LIFETIME).isoformat()}).encode()
