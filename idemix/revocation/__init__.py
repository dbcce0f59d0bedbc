"""Revocation: an accumulator per credential type and issuer's key, and proofs that a credential is still in it.

The issuer keeps a number ν modulo N and gives each credential a prime e, signed as one of its attributes, and a witness u with
u^e = ν. To revoke the credential it takes the e-th root ν' of ν, which it alone can, and publishes e. Every other holder then
computes a witness for ν' out of the old one and e; the revoked one cannot, for that would be an e-th root of ν' (RSA-B, the
strong RSA assumption). In a disclosure, the holder proves in zero knowledge to have u and e with u^e = ν for the e that
the credential's signature is on.

    accumulator  ν with its index and time, signed by the issuer's ECDSA key
    update       an accumulator and the primes revoked on the way to it, a chain of hashes of which the accumulator signs the last
    witness      u and e; follows the accumulator by updates
    proof        of non-revocation, part of a disclosure proof (ProofD)
    record       what an issuer remembers of a credential so that it can revoke it

Unlike in the paper, primes are not added to the accumulator when credentials are issued: it changes by revocation only. The
range of e is not proved, since the issuer signs e. Unlike the reference, the attribute that a proof is about is the one that the
credential type names, and not one whose response happens to be short.

Source: Baldimtsi, Camenisch, Dubovitskaya, Lysyanskaya, Reyzin, Samelin and Yakoubov, "Accumulators with Applications to
Anonymity-Preserving Revocation", EuroS&P 2017, section 4 (RSA-B); Camenisch and Lysyanskaya, "Dynamic Accumulators and
Application to Efficient Revocation of Anonymous Credentials", CRYPTO 2002, section 3.3, for the proof; gabi `revocation/api.go`,
`revocation/proof.go`.
"""

# Disclosure proofs hold proofs of non-revocation, which use their checks; whichever package is asked for first, this order works.
from .. import proofs as _proofs  # noqa: F401
from .accumulator import Accumulator, SignedAccumulator
from .proof import NonRevocationBuilder, NonRevocationProof
from .record import IssuanceRecord
from .update import Event, EventList, Update, event_blocks, updates_from_cbor, updates_to_cbor
from .witness import Witness, update_probability

__all__ = [
    "Accumulator",
    "Event",
    "EventList",
    "IssuanceRecord",
    "NonRevocationBuilder",
    "NonRevocationProof",
    "SignedAccumulator",
    "Update",
    "Witness",
    "event_blocks",
    "update_probability",
    "updates_from_cbor",
    "updates_to_cbor",
]
