"""The witness (u, e) of a credential: u^e = ν modulo N for the accumulator ν of its time.

Source: gabi `revocation/proof.go` (RandomWitness, Witness.Update), `revocation/api.go` (Witness); irmago
`irma/irmaclient/revocation.go`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import gmpy2
from gmpy2 import mpz

from ..arith.modular import powmod_secret
from ..arith.primes import random_prime_in_range
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import InvalidUpdateError, InvalidWitnessError, MalformedProofError, MissingEventsError, RevokedError
from ..json_text import check_spelling
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..params import MODULUS_LENGTHS, REVOCATION_PRIME_BITS
from .accumulator import Accumulator, SignedAccumulator, check_prime
from .notation import Message, Notation
from .update import Update

#: The prime e is 2^3 + δ with δ of 195 bits.
_PRIME_START_BITS: Final = 3

#: u of the reference can be up to twice as long as the modulus; what is longer is refused unread.
_MAX_U_BITS: Final = 2 * max(MODULUS_LENGTHS)

#: The chance that a holder fetches updates for a witness, at each of its regular looks, rises to this bound with the witness' age.
_MAX_PROBABILITY: Final = 1 / 3
#: The part of the bound that is reached at the age that a credential type calls its update speed.
_REFERENCE_PART: Final = 3 / 4

#: The age, in hours, where a credential type does not say.
DEFAULT_UPDATE_SPEED_HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class Witness(Message):
    """A witness. Its `repr` shows neither u nor e, which are the holder's secrets.

    Attributes:
        u: the witness proper; as received, perhaps not below N.
        e: the credential's revocation attribute.
        signed_accumulator: the accumulator that it belongs to.
        updated_at: until when it is known that the credential is not revoked, Unix seconds; the accumulator's time.
    """

    u: mpz
    e: mpz
    signed_accumulator: SignedAccumulator
    updated_at: int

    def __repr__(self) -> str:
        return f"Witness(updated_at={self.updated_at})"

    @classmethod
    def issue(
        cls,
        private_key: PrivateKey,
        signed_accumulator: SignedAccumulator,
        accumulator: Accumulator,
        random: RandomSource = SYSTEM_RANDOM,
    ) -> Self:
        """Make the witness of a new credential: e a random prime, u = ν^(1/e).

        Args:
            private_key: the issuer's.
            signed_accumulator, accumulator: the newest accumulator, and what it holds.
            random: the source of e.

        Source: gabi `revocation/proof.go` (RandomWitness).
        """
        e = random_prime_in_range(_PRIME_START_BITS, REVOCATION_PRIME_BITS, random)
        return cls(private_key.root(accumulator.nu, e), e, signed_accumulator, accumulator.time)

    def verify(self, public_key: PublicKey) -> Accumulator:
        """Check that this is a witness for its accumulator, and that the issuer signed that; return the accumulator.

        Raises:
            InvalidWitnessError: u^e is not ν.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`.
        """
        accumulator = self.signed_accumulator.verify(public_key)
        self._check(public_key, accumulator)
        return accumulator

    def _check(self, public_key: PublicKey, accumulator: Accumulator) -> None:
        if powmod_secret(self.u, self.e, public_key.N) != accumulator.nu:
            raise InvalidWitnessError("the witness does not belong to its accumulator")

    def update(self, public_key: PublicKey, update: Update) -> Self:
        """Return the witness for the accumulator of an update; this one where the update brings nothing new.

        With E the product of the primes revoked since, a·e + b·E = 1, and u' = u^b · ν'^a: for then
        u'^e = ν^b · ν'^(a·e) = ν'^(b·E + a·e) = ν'.

        Args:
            public_key: the issuer's key, under which the credential was issued.
            update: from the issuer, about the same credential type.

        Raises:
            RevokedError: e is among the primes revoked.
            MissingEventsError: the update's events start later than those that this witness has not seen.
            InvalidWitnessError: this is no witness for its own accumulator, or the update's does not follow on that.
            InvalidUpdateError: the events do not end in the accumulator, or it is another one than this witness' with the same index.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`.

        Source: Camenisch and Lysyanskaya, CRYPTO 2002, section 3.2; gabi `revocation/proof.go` (Witness.Update).
        """
        newest, known = update.verify(public_key), self.verify(public_key)
        if newest.index < known.index or (newest.index == known.index and newest.time <= known.time):
            return self
        u = self.u
        if newest.index == known.index:
            if newest != replace(known, time=newest.time):
                raise InvalidUpdateError("the accumulator is another one with the same index", departure="renewed-accumulator")
        else:
            if update.events is None:
                return self
            if update.events.index > known.index + 1:
                raise MissingEventsError(known.index + 1)
            # Each of a and b tells e, so both are secret.
            divisor, a, b = gmpy2.gcdext(self.e, update.events.product(known.index + 1))
            if divisor != 1:
                raise RevokedError("the credential was revoked")
            u = powmod_secret(u, b, public_key.N) * powmod_secret(newest.nu, a, public_key.N) % public_key.N
        result = replace(self, u=u, signed_accumulator=update.signed_accumulator, updated_at=newest.time)
        result._check(public_key, newest)
        return result

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_spelling(value, {"u", "e", "sacc", "Updated"}, where)
        u, updated = notation.read_integer(fields.get("u"), f"{where}.u"), fields.get("Updated")
        if u.bit_length() > _MAX_U_BITS:
            raise MalformedProofError(f"{where}.u", f"longer than {_MAX_U_BITS} bits", departure="revocation-limits")
        return cls(
            u=u,
            e=check_prime(notation.read_integer(fields.get("e"), f"{where}.e"), f"{where}.e"),
            signed_accumulator=SignedAccumulator.read(fields.get("sacc"), notation, f"{where}.sacc"),
            updated_at=0 if updated is None else notation.read_time(updated, f"{where}.Updated"),
        )

    def write(self, notation: Notation) -> dict[str, Any]:
        return {
            "u": notation.write_integer(self.u),
            "e": notation.write_integer(self.e),
            "sacc": self.signed_accumulator.write(notation),
            "Updated": notation.write_time(self.updated_at),
        }


def update_probability(age_seconds: float, speed_hours: int) -> float:
    """Return the chance with which a holder fetches updates for a witness at one of its regular looks, every ten seconds.

    It rises with the witness' age, so that every witness is updated now and then and the moment tells the server nothing:
    p = (2·A/π) · atan(t/T · tan(3π/8)) with A = 1/3, which is 3/4 of A at t = T.

    Args:
        age_seconds: t, since the witness was updated.
        speed_hours: T, the credential type's update speed; 0 stands for a week.

    Source: irmago `irma/irmaclient/revocation.go` (probability).
    """
    slope = math.tan(math.pi * _REFERENCE_PART / 2)
    age = max(age_seconds, 0) / ((speed_hours or DEFAULT_UPDATE_SPEED_HOURS) * 3600)
    return 2 * _MAX_PROBABILITY / math.pi * math.atan(age * slope)
