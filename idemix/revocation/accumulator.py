"""The accumulator ν, and how the issuer signs it.

Source: gabi `revocation/api.go` (Accumulator, SignedAccumulator).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

from gmpy2 import mpz

from .. import cbor
from ..errors import InvalidSignatureError, MalformedProofError
from ..integers import integer_to_bytes
from ..json_text import check_object
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..params import REVOCATION_PRIME_BITS
from ..proofs.checks import check_group_element
from .notation import CBOR, HASH_PREFIX, Message, Notation, read_time, read_unsigned

#: The longest signed accumulator that is read; one of a 4096-bit key has some 700 bytes.
MAX_SIGNED_BYTES: Final = 4096

#: How many signed accumulators are remembered as verified: every proof of the same minute is about the same one.
_REMEMBERED: Final = 256


def event_hash(index: int, parent_hash: bytes, prime: mpz) -> bytes:
    """Return the hash of an event: SHA-256 of the index as 8 bytes, the hash of the event before it, and the shortest bytes of its prime.

    Source: gabi `revocation/api.go` (hashBytes).
    """
    digest = hashlib.sha256(index.to_bytes(8, "big") + parent_hash + integer_to_bytes(prime))
    return HASH_PREFIX + digest.digest()


def check_prime(value: mpz, where: str) -> mpz:
    """Check that a revocation attribute is between 1 and 2^196. That it is prime is the issuer's care.

    Raises:
        MalformedProofError: it is not (departure `revocation-attribute-size`).
    """
    if not 1 <= value < 1 << REVOCATION_PRIME_BITS + 1:
        rule = f"a revocation attribute has 1 to {REVOCATION_PRIME_BITS + 1} bits"
        raise MalformedProofError(where, rule, departure="revocation-attribute-size")
    return value


@dataclass(frozen=True, slots=True)
class Accumulator(Message):
    """The state of revocation of one credential type under one key.

    Attributes:
        nu: ν, a square modulo N.
        index: how many credentials have been revoked.
        time: when the issuer vouched for it, Unix seconds; renewed while nothing is revoked.
        event_hash: the hash of the last event.
    """

    nu: mpz
    index: int
    time: int
    event_hash: bytes

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_object(value, {"Nu", "Index", "Time", "EventHash"}, where)
        return cls(
            nu=notation.read_integer(fields.get("Nu"), f"{where}.Nu"),
            index=read_unsigned(fields.get("Index"), f"{where}.Index"),
            time=read_time(fields.get("Time"), f"{where}.Time"),
            event_hash=notation.read_hash(fields.get("EventHash"), f"{where}.EventHash"),
        )

    def write(self, notation: Notation) -> dict[str, Any]:
        return {
            "Nu": notation.write_integer(self.nu),
            "Index": self.index,
            "Time": self.time,
            "EventHash": notation.write_hash(self.event_hash),
        }

    def without(self, private_key: PrivateKey, primes: Sequence[mpz], *, now: int) -> Self:
        """Return the accumulator after these primes are revoked, one event each: ν' = ν^(1/∏e mod p'q').

        Args:
            private_key: the issuer's.
            primes: the revocation attributes, in the order of their events.
            now: Unix seconds.

        Raises:
            MalformedProofError: one cannot be a revocation attribute, or has no inverse modulo 2p'q'.
            ComputationError: see `PrivateKey.root`.
        """
        product = mpz(1)
        last = self.event_hash
        for offset, prime in enumerate(primes, start=1):
            product *= check_prime(prime, "revocation attribute")
            last = event_hash(self.index + offset, last, prime)
        try:
            nu = private_key.root(self.nu, product)
        except ZeroDivisionError as cause:
            raise MalformedProofError("revocation attribute", "is even or divides the order of the group") from cause
        return type(self)(nu, self.index + len(primes), now, last)

    def sign(self, private_key: PrivateKey) -> "SignedAccumulator":
        """Sign the accumulator.

        Raises:
            MalformedKeyError: the key does not support revocation.
        """
        return SignedAccumulator(cbor.sign_message(private_key.ecdsa, self.write(CBOR)), private_key.counter)


@dataclass(frozen=True, slots=True)
class SignedAccumulator(Message):
    """An accumulator with the issuer's signature: the form in which it travels. What it holds is known only after `verify`.

    Attributes:
        data: the signed message, see `idemix.cbor`.
        key_counter: the issuer's key.
    """

    data: bytes
    key_counter: int

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_object(value, {"data", "pk"}, where)
        data = notation.read_bytes(fields.get("data"), f"{where}.data")
        if len(data) > MAX_SIGNED_BYTES:
            raise MalformedProofError(f"{where}.data", f"longer than {MAX_SIGNED_BYTES} bytes", departure="revocation-limits")
        return cls(data, read_unsigned(fields.get("pk"), f"{where}.pk"))

    def write(self, notation: Notation) -> dict[str, Any]:
        return {"data": notation.write_bytes(self.data), "pk": self.key_counter}

    def verify(self, public_key: PublicKey, where: str = "sacc") -> Accumulator:
        """Check the signature and return the accumulator. To repeat it costs nothing: the last ones verified are remembered.

        Args:
            public_key: the key of the issuer with this counter.
            where: what it is, for errors.

        Raises:
            InvalidSignatureError: it names another key, or the signature does not hold.
            MalformedKeyError: the key does not support revocation.
            MalformedProofError: what was signed is no accumulator.
            InvalidProofError: ν is not between 1 and N, or not coprime to it (departure `element-range`).

        Source: gabi `revocation/api.go` (SignedAccumulator.UnmarshalVerify).
        """
        if self.key_counter != public_key.counter:
            raise InvalidSignatureError(f"{where}: signed with key {self.key_counter}, not {public_key.counter}")
        accumulator = _open(public_key.ecdsa, self.data)
        check_group_element(accumulator.nu, public_key, f"{where}.Nu")
        return accumulator


@lru_cache(maxsize=_REMEMBERED)
def _open(ecdsa: bytes | None, data: bytes) -> Accumulator:
    return Accumulator.read(cbor.open_message(ecdsa, data, "sacc.data"), CBOR, "accumulator")
