"""ProofS: an issuer proves to have made A with the e that it gives, so that a holder can trust the signature's form."""

from dataclasses import dataclass
from typing import Any, Self

import gmpy2
from gmpy2 import mpz

from ..arith.modular import inverse, powmod
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..challenge import hash_commit
from ..cl.signature import CLSignature
from ..errors import IssuerProofError, ResponseSizeError
from ..integers import decode_integer, encode_integer
from ..json_text import check_object
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from .checks import check_challenge, check_response


@dataclass(frozen=True, slots=True)
class ProofS:
    """A proof of knowledge of 1/e modulo the order of the group.

    Attributes:
        c: the challenge.
        e_response: the response for 1/e.
    """

    c: mpz
    e_response: mpz

    def verify(self, public_key: PublicKey, signature: CLSignature, *, context: mpz | int, nonce: mpz | int) -> None:
        """Check this proof on a signature.

        With Q = A^e and Ã = A^{c + ê·e}, require c = H(context, Q, A, nonce, Ã).

        Args:
            public_key: the issuer's key.
            signature: the signature as received; its A and e are what the proof is about.
            context: the session's.
            nonce: the holder's nonce n_2.

        Raises:
            IssuerProofError: it does not hold.
            ResponseSizeError: a number is out of bounds.

        Source: Identity Mixer specification 2.3.40, section 6.1.4; gabi `proofs.go` (ProofS.Verify).
        """
        check_challenge(self.c, "proof.c")
        check_response(self.e_response, public_key.params.l_n, "proof.e_response")
        if signature.e.bit_length() > public_key.params.l_e:
            raise ResponseSizeError("signature.e: longer than l_e bits")
        N = public_key.N
        Q = powmod(signature.A, signature.e, N)
        A_commit = powmod(signature.A, self.c + self.e_response * signature.e, N)
        if self.c != hash_commit([context, Q, signature.A, nonce, A_commit]):
            raise IssuerProofError("the issuer's proof of correctness does not hold")

    @classmethod
    def from_json(cls, value: Any, where: str = "proof") -> Self:
        """Read the JSON of the proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not an integer.
        """
        fields = check_object(value, {"c", "e_response"}, where)
        return cls(decode_integer(fields.get("c"), f"{where}.c"), decode_integer(fields.get("e_response"), f"{where}.e_response"))

    def to_json(self) -> dict[str, str]:
        """Return the JSON object."""
        return {"c": encode_integer(self.c), "e_response": encode_integer(self.e_response)}


def prove_signature(
    private_key: PrivateKey,
    signature: CLSignature,
    Q: mpz,
    *,
    context: mpz | int,
    nonce: mpz | int,
    random: RandomSource = SYSTEM_RANDOM,
) -> ProofS:
    """Prove a signature's correctness.

    Ã = Q^r for r random and coprime to p'q', c = H(context, Q, A, nonce, Ã), ê = r - c/e mod p'q'.

    Args:
        private_key: the issuer's.
        signature: the signature.
        Q: A^e mod N.
        context: the session's.
        nonce: the holder's nonce n_2.
        random: the source of r.

    Source: Identity Mixer specification 2.3.40, section 6.1.3; gabi `issuer.go` (proveSignature).
    """
    order = private_key.order
    randomizer = random.below(order)
    while gmpy2.gcd(randomizer, order) != 1:
        randomizer = random.below(order)
    A_commit = private_key.power(Q, randomizer)
    challenge = hash_commit([context, Q, signature.A, nonce, A_commit])
    return ProofS(challenge, (randomizer - challenge * inverse(signature.e, order)) % order)
