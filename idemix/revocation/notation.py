"""The two notations of revocation messages. Both have the same keys in the same order; they differ in how bytes are written.

| value   | JSON                                        | CBOR                          |
| integer | base64 of its shortest bytes                | its shortest bytes            |
| bytes   | base64                                      | bytes                         |
| hash    | base64 in the alphabet for URLs, with padding | bytes                       |
| moment  | as in RFC 3339                              | Unix seconds                  |

Source: gabi `revocation/api.go`, `big/int.go`.
"""

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from gmpy2 import mpz

from .. import cbor
from ..errors import MalformedProofError
from ..integers import decode_integer, encode_integer, integer_from_bytes, integer_to_bytes

#: A hash in a chain of events is SHA-256 as a multihash: the code of SHA-256, the length, the digest.
HASH_PREFIX: Final = bytes.fromhex("1220")
HASH_BYTES: Final = 34

_UNSIGNED: Final = range(1 << 64)
_SIGNED: Final = range(-(1 << 63), 1 << 63)
_TIMES: Final = range(253_402_300_800)


def read_unsigned(value: Any, where: str) -> int:
    """Read an unsigned machine integer, which both notations write alike."""
    return _read_number(value, where, _UNSIGNED)


def read_time(value: Any, where: str) -> int:
    """Read Unix seconds of a year up to 9999.

    Raises:
        MalformedProofError: it is no number of 64 bits, or (departure `revocation-limits`) of another time.
    """
    seconds = _read_number(value, where, _SIGNED)
    if seconds not in _TIMES:
        raise MalformedProofError(where, "not between 1970 and 9999", departure="revocation-limits")
    return seconds


def read_nanoseconds(value: Any, where: str) -> int:
    """Read Unix nanoseconds: a signed machine integer."""
    return _read_number(value, where, _SIGNED)


def _read_number(value: Any, where: str, allowed: range) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise MalformedProofError(where, "missing" if value is None else "expected an integer of 64 bits")
    return value


def check_hash(value: bytes, where: str) -> bytes:
    """Check that a hash is whole and SHA-256.

    Raises:
        MalformedProofError: it is not (departure `event-hash`).
    """
    if len(value) != HASH_BYTES or not value.startswith(HASH_PREFIX):
        raise MalformedProofError(where, "not the multihash of a whole SHA-256", departure="event-hash")
    return value


def _bytes_from_json(value: Any, where: str) -> bytes:
    return _from_base64(value, where, b"+/")


def _hash_from_json(value: Any, where: str) -> bytes:
    return check_hash(_from_base64(value, where, b"-_"), where)


def _from_base64(value: Any, where: str, alphabet: bytes) -> bytes:
    foreign = b"-_+/".translate(None, alphabet).decode()
    if not isinstance(value, str) or any(character in value for character in foreign):
        raise MalformedProofError(where, "missing" if value is None else "not base64 in the alphabet of the field")
    try:
        return base64.b64decode(value, alphabet, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise MalformedProofError(where, "not base64 with padding") from cause


def _bytes_from_cbor(value: Any, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedProofError(where, "missing" if value is None else "expected bytes")
    return value


def _time_from_json(value: Any, where: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as cause:
        raise MalformedProofError(where, "not a moment as RFC 3339 writes it") from cause
    if moment.utcoffset() is None:
        raise MalformedProofError(where, "a moment without its offset from UTC")
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def _time_to_json(value: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)).isoformat().replace("+00:00", "Z")


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _to_url_base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii")


@dataclass(frozen=True, slots=True)
class Notation:
    """How the values of a message are read and written; the readers also get the name of the field, for errors.

    Attributes:
        read_integer, write_integer: for an integer that is not negative, of any length.
        read_bytes, write_bytes: for bytes.
        read_hash, write_hash: for a hash of the chain of events.
        read_time, write_time: for a moment, Unix seconds.
    """

    read_integer: Callable[[Any, str], mpz]
    write_integer: Callable[[mpz], Any]
    read_bytes: Callable[[Any, str], bytes]
    write_bytes: Callable[[bytes], Any]
    read_hash: Callable[[Any, str], bytes]
    write_hash: Callable[[bytes], Any]
    read_time: Callable[[Any, str], int]
    write_time: Callable[[int], Any]


JSON: Final = Notation(
    read_integer=decode_integer,
    write_integer=encode_integer,
    read_bytes=_bytes_from_json,
    write_bytes=_to_base64,
    read_hash=_hash_from_json,
    write_hash=_to_url_base64,
    read_time=_time_from_json,
    write_time=_time_to_json,
)

CBOR: Final = Notation(
    read_integer=lambda value, where: integer_from_bytes(_bytes_from_cbor(value, where)),
    write_integer=integer_to_bytes,
    read_bytes=_bytes_from_cbor,
    write_bytes=bytes,
    read_hash=lambda value, where: check_hash(_bytes_from_cbor(value, where), where),
    write_hash=bytes,
    read_time=read_time,
    write_time=int,
)


class Message(ABC):
    """A message that has both notations; classes of messages say how they are read and written in either."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        """Read the message from a decoded value.

        Raises:
            MalformedProofError: it is malformed.
        """

    @abstractmethod
    def write(self, notation: Notation) -> dict[str, Any]:
        """Return what is to be encoded."""

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Read the message from decoded JSON.

        Raises:
            MalformedProofError: it is malformed.
        """
        return cls.read(value, JSON, where)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return self.write(JSON)

    @classmethod
    def from_cbor(cls, data: bytes, where: str) -> Self:
        """Read the message from CBOR.

        Raises:
            MalformedProofError: it is malformed.
        """
        return cls.read(cbor.decode(data, where), CBOR, where)

    def to_cbor(self) -> bytes:
        """Return the CBOR."""
        return cbor.encode(self.write(CBOR))
