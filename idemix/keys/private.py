"""The private key of an issuer."""

import base64
from dataclasses import dataclass, field
from typing import Final, Self

import gmpy2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from gmpy2 import mpz

from ..arith.modular import inverse, powmod_secret_pair
from ..errors import ComputationError, MalformedKeyError
from ..params import params_for
from .xml import KeyElement, KeyWriter, parse_key_xml

_ROOT: Final = "IssuerPrivateKey"

#: The prime on which the two halves of a root must agree, the largest of 64 bits: a wrong half agrees once in 2^64.
_CHECK_PRIME: Final = (mpz(1) << 64) - 59


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """The private key of an issuer: the two safe primes p = 2p'+1 and q = 2q'+1. Its `repr` shows nothing secret.

    Attributes:
        counter, expires_at: as in the public key.
        p, q: the factors of N.
        ecdsa: DER SEC1 ECPrivateKey (P-256) of the key that signs accumulators, or None.
    """

    counter: int
    expires_at: int
    p: mpz
    q: mpz
    ecdsa: bytes | None = None
    N: mpz = field(init=False, compare=False)
    _q_inverse: mpz = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name, prime in (("p", self.p), ("q", self.q)):
            if prime < 5 or not prime.bit_test(0):
                raise MalformedKeyError(f"Elements/{name}", "not a safe prime", departure="key-structure")
        if gmpy2.gcd(self.p, self.q) != 1:
            raise MalformedKeyError("Elements/q", "p and q have a factor in common", departure="key-structure")
        object.__setattr__(self, "N", self.p * self.q)
        params_for(self.N.bit_length())
        object.__setattr__(self, "_q_inverse", inverse(self.q, self.p))

    def __repr__(self) -> str:
        return f"PrivateKey(counter={self.counter}, {self.N.bit_length()} bits)"

    @property
    def order(self) -> mpz:
        """p'·q', the order of the group of squares modulo N."""
        return (self.p >> 1) * (self.q >> 1)

    def power(self, base: mpz, exponent: mpz) -> mpz:
        """Return base^exponent mod N in constant time, through the two factors (Chinese remainder theorem).

        The base is a unit; the exponent is secret and not negative. The result is for this side only: had it gone wrong in one
        half, it would give the factors away.
        """
        p, q = self.p, self.q
        return self._combine(*powmod_secret_pair(base % p, exponent % (p - 1), p, base % q, exponent % (q - 1), q))

    def root(self, value: mpz, e: mpz) -> mpz:
        """Return the e-th root of a unit modulo N, e odd and coprime to the order.

        The exponent is 1/e modulo 2p'q', by which every unit has its one root; modulo p'q' it would be right for squares only,
        and whether it is right for another unit would tell something about p'q'.

        A root that is wrong modulo one factor would give both away, so both halves compute the power modulo a small prime as
        well, and must agree on it.

        Raises:
            ZeroDivisionError: there is no such root for every unit.
            ComputationError: they disagree.

        Source: Boneh, DeMillo and Lipton, "On the Importance of Checking Cryptographic Protocols for Faults", EUROCRYPT 1997;
            the remedy is Shamir's (US patent 5,991,415, expired).
        """
        exponent = inverse(e, 2 * self.order)
        half_p, half_q = (
            (value % (prime * _CHECK_PRIME), exponent % ((prime - 1) * (_CHECK_PRIME - 1)), prime * _CHECK_PRIME)
            for prime in (self.p, self.q)
        )
        root_p, root_q = powmod_secret_pair(*half_p, *half_q)
        root = self._combine(root_p % self.p, root_q % self.q)
        if root_p % _CHECK_PRIME != root_q % _CHECK_PRIME or (root - root_p) % self.p or (root - root_q) % self.q:
            raise ComputationError("a root was computed wrongly: its two halves disagree")
        return root

    def _combine(self, value_p: mpz, value_q: mpz) -> mpz:
        """Return the number below N with these remainders by p and q."""
        return value_q + self.q * ((value_p - value_q) * self._q_inverse % self.p)

    def check_primes(self) -> None:
        """Check that p and q are safe primes.

        Raises:
            MalformedKeyError: one is not.
        """
        for name, prime in (("p", self.p), ("q", self.q)):
            if not gmpy2.is_prime(prime, 40) or not gmpy2.is_prime(prime >> 1, 40):
                raise MalformedKeyError(f"Elements/{name}", "not a safe prime")

    @classmethod
    def from_xml(cls, data: bytes, *, demo: bool = False) -> Self:
        """Read a key file.

        Args:
            data: the file.
            demo: whether it is a key of a demo scheme; the primality of p and q is then not checked.

        Raises:
            MalformedKeyError: it is not one, its parts do not belong together, or p or q is not a safe prime.
        """
        root = parse_key_xml(data, _ROOT)
        elements = root.child("Elements")
        key = cls(
            counter=root.child("Counter").unsigned(),
            expires_at=root.child("ExpiryDate").signed(),
            p=elements.child("p").integer(),
            q=elements.child("q").integer(),
            ecdsa=_read_ecdsa(root),
        )
        for name, prime in (("pPrime", key.p), ("qPrime", key.q)):
            if elements.child(name).integer() != prime >> 1:
                raise MalformedKeyError(f"Elements/{name}", f"not half of {name[0]}", departure="key-structure")
        if not demo:
            key.check_primes()
        return key

    def to_xml(self) -> bytes:
        """Return the key file, byte for byte as the reference writes it."""
        writer = KeyWriter(_ROOT)
        writer.element("Counter", self.counter)
        writer.element("ExpiryDate", self.expires_at)
        writer.open("Elements")
        for name, element in (("p", self.p), ("q", self.q), ("pPrime", self.p >> 1), ("qPrime", self.q >> 1)):
            writer.element(name, element)
        writer.close()
        if self.ecdsa is not None:
            writer.element("ECDSA", base64.b64encode(self.ecdsa).decode("ascii"))
        return writer.document()


def _read_ecdsa(root: KeyElement) -> bytes | None:
    element = root.find("ECDSA")
    if element is None or not element.text:
        return None
    der = element.base64()
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise MalformedKeyError("ECDSA", "not a private key (DER ECPrivateKey)") from cause
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise MalformedKeyError("ECDSA", "not a key on the curve P-256", departure="key-structure")
    return der
