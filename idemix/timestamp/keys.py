"""Which keys of time-stamp servers are trusted, and the verification of stamps with them."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ..errors import InvalidTimestampError, MalformedKeyError
from .messages import ED25519, Timestamp

_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class TimestampKeys:
    """The trusted Ed25519 keys of time-stamp servers.

    Attributes:
        trusted: pairs of a server's address, with a slash at its end, and a key.
    """

    trusted: frozenset[tuple[str, bytes]] = frozenset()

    @classmethod
    def parse(cls, servers: Mapping[str, Iterable[str]]) -> Self:
        """Read keys as time-stamp servers write them, `ed25519-BASE64`.

        Args:
            servers: the keys by the server's address, as the schemes name it.

        Raises:
            MalformedKeyError: one is not such a key; `where` is the server.
        """
        return cls(frozenset((_address(url), _read_key(text, url)) for url, keys in servers.items() for text in keys))

    def verify(self, stamp: Timestamp, value: bytes, server_url: str) -> None:
        """Check that a time stamp on a value was made by a server.

        Args:
            stamp: the time stamp.
            value: what was stamped.
            server_url: the server that it must be from; the address inside the stamp is not looked at.

        Raises:
            InvalidTimestampError: it was not; or with another algorithm than Ed25519 (departure `timestamp-algorithm`).

        Source: go-atum `client.go` (Timestamp.Verify), which asks the server whether it trusts the key.
        """
        if stamp.signature.algorithm == ED25519 and (_address(server_url), stamp.signature.public_key) not in self.trusted:
            raise InvalidTimestampError(f"the key of the time stamp is none that is known of {server_url}")
        check_signature(stamp, value)


#: Trusts no time stamp.
NO_KEYS: Final = TimestampKeys()


def check_signature(stamp: Timestamp, value: bytes) -> None:
    """Check a time stamp on a value with the key that it names itself, which tells nothing of who made it.

    Raises:
        InvalidTimestampError: the signature does not hold, or is of another algorithm (departure `timestamp-algorithm`).
    """
    signature = stamp.signature
    if signature.algorithm != ED25519:
        raise InvalidTimestampError(
            f"the time stamp is signed with {signature.algorithm[:32]!r}, not {ED25519}", departure="timestamp-algorithm"
        )
    if signature.public_key is None or len(signature.public_key) != _KEY_BYTES or signature.data is None:
        raise InvalidTimestampError("the time stamp has no signature, or no key of the right length")
    try:
        Ed25519PublicKey.from_public_bytes(signature.public_key).verify(signature.data, stamp.signed_bytes(value))
    except InvalidSignature as error:
        raise InvalidTimestampError("the signature of the time stamp is not on this message and time") from error


def write_key(key: Ed25519PublicKey) -> str:
    """Return the text `ed25519-BASE64` of a key."""
    return f"{ED25519}-{base64.b64encode(key.public_bytes_raw()).decode()}"


def _address(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _read_key(text: str, where: str) -> bytes:
    algorithm, _, encoded = text.partition("-")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if algorithm != ED25519 or len(key) != _KEY_BYTES:
        raise MalformedKeyError(where, f"expected {ED25519}-BASE64, found {text[:80]!r}")
    return key
