"""A time-stamp server in memory, and the way to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idemix.errors import IdemixError
from idemix.timestamp import TimestampKeys
from idemix.timestamp.proof_of_work import WorkRequest
from idemix.timestamp.server import TimestampServer

#: The server that the scheme `irma-demo` of the reference's test configuration names.
URL = "https://atumd.staging.yivi.app/"


def timestamp_server(url: str = URL, *, seed: int = 1, work: WorkRequest | None = None) -> TimestampServer:
    """A server with a key of its own, the same for each seed."""
    return TimestampServer(url, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), work)


@dataclass
class MemoryService:
    """The way to one server.

    Attributes:
        server: answers what is posted to its address.
        now: the server's time.
        posted: what was posted.
    """

    server: TimestampServer
    now: Callable[[], datetime]
    posted: list[bytes] = field(default_factory=list)

    def post(self, url: str, body: bytes) -> bytes:
        if url != self.server.url:
            raise IdemixError(f"nobody answers at {url}")
        self.posted.append(body)
        return self.server.stamp(body, now=self.now())

    @property
    def keys(self) -> TimestampKeys:
        """What a verifier knows who trusts the server."""
        return TimestampKeys.parse({self.server.url: [self.server.key]})
