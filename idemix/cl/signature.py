"""The CL signature: verify, randomize, sign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import gmpy2
from gmpy2 import mpz

from ..arith.modular import inverse, powmod
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..challenge import hash_integer
from ..errors import InvalidSignatureError, MalformedProofError
from ..integers import decode_integer, encode_integer
from ..json_text import check_object
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..params import SystemParameters
from .primes import find_prime


def attribute_exponent(attribute: mpz, params: SystemParameters) -> mpz:
    """Return the exponent that stands for an attribute: itself, or its SHA-256 where it is longer than l_m bits.

    Source: gabi `internal/common/mathutil.go` (RepresentToBases).
    """
    return attribute if attribute.bit_length() <= params.l_m else hash_integer(attribute)


def represent_to_bases(public_key: PublicKey, attributes: Mapping[int, mpz]) -> mpz:
    """Return ∏ R_i^{m_i} mod N, attributes longer than l_m bits hashed first.

    Args:
        public_key: holds the bases.
        attributes: m_i by index of base.
    """
    return public_key.power_product(R={index: attribute_exponent(value, public_key.params) for index, value in attributes.items()})


@dataclass(frozen=True, slots=True)
class CLSignature:
    """A CL signature.

    Attributes:
        A: the root.
        e: the prime.
        v: the blinding; negative after randomization, now and then.
        keyshare_p: R_0^{m}, m the keyshare server's part of the secret key, or None where there is none.
    """

    A: mpz
    e: mpz
    v: mpz
    keyshare_p: mpz | None = None

    def verify(self, public_key: PublicKey, attributes: Sequence[mpz]) -> None:
        """Check that this CL signature is on `attributes`.

        Require A^e · S^v · ∏ R_i^{m_i} · P = Z (mod N), P the keyshare server's part, and e prime in
        [2^(l_e-1), 2^(l_e-1) + 2^(l_e'-1)].

        Args:
            public_key: the issuer's key.
            attributes: m_0 … m_k in base order, m_0 the secret key, k < len(public_key.R). A value above l_m bits is hashed first.

        Raises:
            InvalidSignatureError: the equation or the range of e does not hold, e is not prime, or there are more attributes than bases.
            MalformedKeyError: an element of the key has no inverse modulo N.

        Source: Camenisch and Lysyanskaya, SCN 2002, section 3; same checks as gabi `clsignature.go`.
        """
        params = public_key.params
        if len(attributes) > len(public_key.R):
            raise InvalidSignatureError(f"{len(attributes)} attributes, the key has {len(public_key.R)} bases")
        start = mpz(1) << (params.l_e - 1)
        if not start <= self.e <= start + (mpz(1) << (params.l_e_prime - 1)):
            raise InvalidSignatureError("e is not in its range")
        exponents = {index: attribute_exponent(value, params) for index, value in enumerate(attributes)}
        result = powmod(self.A, self.e, public_key.N) * public_key.power_product(S=self.v, R=exponents) % public_key.N
        if self.keyshare_p is not None:
            result = result * self.keyshare_p % public_key.N
        if result != public_key.Z:
            raise InvalidSignatureError("the signature does not hold on the attributes")
        if not gmpy2.is_prime(self.e, 80):
            raise InvalidSignatureError("e is not prime")

    def randomize(self, public_key: PublicKey, random: RandomSource = SYSTEM_RANDOM) -> Self:
        """Return a signature on the same attributes that cannot be linked to this one.

        A' = A · S^r and v' = v - e·r for a fresh r of l_RA bits; e stays.

        Source: Camenisch and Lysyanskaya, SCN 2002, section 4.2; gabi `clsignature.go` (Randomize).
        """
        r = random.bits(public_key.params.l_ra)
        return replace(self, A=self.A * public_key.power_product(S=r) % public_key.N, v=self.v - self.e * r)

    @classmethod
    def from_json(cls, value: Any, where: str = "signature") -> Self:
        """Read the JSON of a signature.

        Raises:
            MalformedProofError: a field is absent, unknown or not an integer.
        """
        fields = check_object(value, {"A", "e", "v", "KeyshareP"}, where)
        keyshare_p = fields.get("KeyshareP")
        return cls(
            A=decode_integer(fields.get("A"), f"{where}.A"),
            e=decode_integer(fields.get("e"), f"{where}.e"),
            v=decode_integer(fields.get("v"), f"{where}.v"),
            keyshare_p=None if keyshare_p is None else decode_integer(keyshare_p, f"{where}.KeyshareP"),
        )

    def to_json(self) -> dict[str, str | None]:
        """Return the JSON object; v is not negative."""
        return {
            "A": encode_integer(self.A),
            "e": encode_integer(self.e),
            "v": encode_integer(self.v),
            "KeyshareP": None if self.keyshare_p is None else encode_integer(self.keyshare_p),
        }


def sign_commitment(
    private_key: PrivateKey,
    public_key: PublicKey,
    attributes: Sequence[mpz],
    U: mpz,
    random: RandomSource = SYSTEM_RANDOM,
    prime: mpz | None = None,
) -> tuple[CLSignature, mpz]:
    """Sign attributes together with what a holder committed to.

    v random of l_v bits with the top one set, e a random prime of its range,
    Q = Z · (S^v · U · ∏ R_i^{m_i})^{-1} and A = Q^(1/e) (mod N).

    Args:
        private_key, public_key: one key pair.
        attributes: m_0 … m_k; m_0 is 0 where U holds the secret key.
        U: the holder's commitment, a unit modulo N; 1 for none.
        random: the source of v and e.
        prime: e where it was found before, never used twice.

    Returns:
        The signature and Q, which the proof of its correctness needs.

    Raises:
        ComputationError: see `PrivateKey.root`.
        MalformedProofError: there are more attributes than bases, or U has no inverse.

    Source: Camenisch and Lysyanskaya, SCN 2002, section 4.1; gabi `clsignature.go` (signMessageBlockAndCommitment).
    """
    params = public_key.params
    if len(attributes) > len(public_key.R):
        raise MalformedProofError("attributes", f"{len(attributes)} attributes, the key has {len(public_key.R)} bases")
    v = (mpz(1) << (params.l_v - 1)) + random.bits(params.l_v - 1)
    e = prime if prime is not None else find_prime(params, random)
    exponents = {index: attribute_exponent(value, params) for index, value in enumerate(attributes)}
    # Q = Z · inv(S^v · ∏ R_i^{m_i} · U)
    try:
        Q = public_key.Z * inverse(public_key.power_product(S=v, R=exponents) * U, public_key.N) % public_key.N
    except ZeroDivisionError as cause:
        raise MalformedProofError("U", "has no inverse modulo n") from cause
    return CLSignature(private_key.root(Q, e), e, v), Q


def sign(private_key: PrivateKey, public_key: PublicKey, attributes: Sequence[mpz], random: RandomSource = SYSTEM_RANDOM) -> CLSignature:
    """Sign attributes m_0 … m_k that the signer knows whole; see `sign_commitment`."""
    return sign_commitment(private_key, public_key, attributes, mpz(1), random)[0]
