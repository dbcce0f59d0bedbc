"""The messages of the atum protocol, and the time stamp itself.

They are JSON objects; readers ignore keys that they do not know, and the case of those that they do.

Source: go-atum `api.go`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from ..errors import InvalidTimestampError, MalformedRequestError
from ..request.reading import Fields, as_text_map, parse_json
from .proof_of_work import WorkRequest, read_unpadded, write_unpadded

#: The signature algorithm that IRMA apps ask for (RFC 8032).
ED25519: Final = "ed25519"

#: The hash that makes a nonce of a longer message (FIPS 202), and the length of that nonce in bytes.
_SHAKE256: Final = "shake256"
_HASHED_BYTES: Final = 64

_UINT64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class TimestampSignature:
    """The signature of a time stamp.

    Attributes:
        algorithm: `ED25519`, or what else a server writes.
        data: the signature, None where it is absent.
        public_key: the key that the signature says it was made with; nothing follows from that.
    """

    algorithm: str
    data: bytes | None
    public_key: bytes | None


@dataclass(frozen=True, slots=True)
class Hashing:
    """How a server made a nonce of what it was given.

    Attributes:
        hash: the name of the hash.
        prefix: what was hashed before it.
    """

    hash: str
    prefix: bytes | None

    def nonce(self, value: bytes) -> bytes:
        """Return the nonce of a value.

        Raises:
            InvalidTimestampError: the hash is not supported.
        """
        if self.hash != _SHAKE256:
            raise InvalidTimestampError(f"the time stamp uses the hash {self.hash[:32]!r}")
        return hashlib.shake_256((self.prefix or b"") + value).digest(_HASHED_BYTES)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time stamp; what is stamped does not stand in it.

    Attributes:
        time: Unix seconds.
        server_url: the server, by its own word.
        signature: see there.
        hashing: None where the value itself is signed.
    """

    time: int
    server_url: str
    signature: TimestampSignature
    hashing: Hashing | None = None

    def signed_bytes(self, value: bytes) -> bytes:
        """Return what the signature is on: the time in eight bytes, then the nonce.

        Raises:
            InvalidTimestampError: the nonce is made with a hash that is not supported.
        """
        return encode_time_and_nonce(self.time, value if self.hashing is None else self.hashing.nonce(value))

    @classmethod
    def from_json(cls, value: object, where: str = "timestamp") -> Self:
        """Read a time stamp from decoded JSON.

        Raises:
            MalformedRequestError: it has another form.
        """
        fields = Fields.read(value, where, frozenset({"Time", "ServerUrl", "Sig", "Hashing"}))
        signature = Fields.read(fields.get("Sig"), f"{where}.Sig", frozenset({"Alg", "Data", "PublicKey"}))
        hashing = None
        if fields.get("Hashing") is not None:
            used = Fields.read(fields.get("Hashing"), f"{where}.Hashing", frozenset({"Hash", "Prefix"}))
            hashing = Hashing(used.text("Hash"), _read_bytes(used, "Prefix"))
        return cls(
            time=fields.integer("Time"),
            server_url=fields.text("ServerUrl"),
            signature=TimestampSignature(signature.text("Alg"), _read_bytes(signature, "Data"), _read_bytes(signature, "PublicKey")),
            hashing=hashing,
        )

    def to_json(self) -> dict[str, object]:
        """Write the time stamp as the reference does."""
        signature = self.signature
        result: dict[str, object] = {
            "Time": self.time,
            "ServerUrl": self.server_url,
            "Sig": {
                "Alg": signature.algorithm,
                "Data": _write_bytes(signature.data),
                "PublicKey": _write_bytes(signature.public_key),
            },
        }
        if self.hashing is not None:
            result["Hashing"] = {"Hash": self.hashing.hash, "Prefix": _write_bytes(self.hashing.prefix)}
        return result


def encode_time_and_nonce(time: int, nonce: bytes) -> bytes:
    """Return the time as 64 bits, the highest first, then the nonce."""
    return (time % _UINT64).to_bytes(8, "big") + nonce


@dataclass(frozen=True, slots=True)
class StampRequest:
    """The wish for a time stamp.

    Attributes:
        nonce: what is to be stamped; None is a fault that the server tells.
        proof_of_work: 24 bytes where the server asks for that.
        time: Unix seconds for the stamp, not far from the server's; None for the server's.
        algorithm: of the signature; None for the server's default.
    """

    nonce: bytes | None
    proof_of_work: bytes | None = None
    time: int | None = None
    algorithm: str | None = None

    def print(self) -> bytes:
        """Write the message."""
        work = None if self.proof_of_work is None else write_unpadded(self.proof_of_work)
        return _print({"Nonce": _write_bytes(self.nonce), "ProofOfWork": work, "Time": self.time, "PreferredSigAlg": self.algorithm})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the message.

        Raises:
            MalformedRequestError: it is none.
        """
        fields = Fields.read(parse_json(body), "", frozenset({"Nonce", "ProofOfWork", "Time", "PreferredSigAlg"}))
        work = fields.optional_text("ProofOfWork")
        return cls(
            nonce=_read_bytes(fields, "Nonce"),
            proof_of_work=None if work is None else read_unpadded(work, "ProofOfWork"),
            time=fields.optional_integer("Time"),
            algorithm=fields.optional_text("PreferredSigAlg"),
        )


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server tells of itself.

    Attributes:
        max_nonce_size: in bytes.
        acceptable_lag: seconds that a wished time may differ from the server's.
        default_algorithm: of signatures.
        required_work: the proof of work that it asks for, by algorithm.
    """

    max_nonce_size: int
    acceptable_lag: int
    default_algorithm: str
    required_work: Mapping[str, WorkRequest] = field(default_factory=dict)

    def print(self) -> bytes:
        """Write the message."""
        return _print(self.to_json())

    def to_json(self) -> dict[str, object]:
        """Return the JSON object."""
        return {
            "MaxNonceSize": self.max_nonce_size,
            "AcceptableLag": self.acceptable_lag,
            "DefaultSigAlg": self.default_algorithm,
            "RequiredProofOfWork": {algorithm: str(work) for algorithm, work in self.required_work.items()},
        }

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read the JSON object.

        Raises:
            MalformedRequestError: it is none.
        """
        fields = Fields.read(value, where, frozenset({"MaxNonceSize", "AcceptableLag", "DefaultSigAlg", "RequiredProofOfWork"}))
        required = as_text_map(fields.get("RequiredProofOfWork"), fields.path("RequiredProofOfWork"))
        return cls(
            max_nonce_size=fields.integer("MaxNonceSize"),
            acceptable_lag=fields.integer("AcceptableLag"),
            default_algorithm=fields.text("DefaultSigAlg"),
            required_work={name: WorkRequest.parse(text, fields.path("RequiredProofOfWork")) for name, text in required.items()},
        )


@dataclass(frozen=True, slots=True)
class StampResponse:
    """A server's answer: a time stamp, or an error, mostly with what the server tells of itself."""

    stamp: Timestamp | None = None
    error: str | None = None
    info: ServerInfo | None = None

    def print(self) -> bytes:
        """Write the message."""
        stamp = None if self.stamp is None else self.stamp.to_json()
        return _print({"Error": self.error, "Stamp": stamp, "Info": None if self.info is None else self.info.to_json()})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the message.

        Raises:
            MalformedRequestError: it is none.
        """
        fields = Fields.read(parse_json(body), "", frozenset({"Error", "Stamp", "Info"}))
        stamp, info = fields.get("Stamp"), fields.get("Info")
        return cls(
            stamp=None if stamp is None else Timestamp.from_json(stamp, "Stamp"),
            error=fields.optional_text("Error"),
            info=None if info is None else ServerInfo.from_json(info, "Info"),
        )


def _print(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _read_bytes(fields: Fields, name: str) -> bytes | None:
    text = fields.optional_text(name)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError(fields.path(name), "not base64 in the standard alphabet with padding") from error


def _write_bytes(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
