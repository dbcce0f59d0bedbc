"""Zero-knowledge proofs: what a holder commits to (ProofU), what an issuer signed (ProofS), what is disclosed (ProofD).

Each is a Schnorr proof made non-interactive: commitments from random exponents (the randomizers), a challenge c that is
the hash of all of them, and responses randomizer + c · secret over the integers, long enough to hide the secret.
Proofs of one session share the challenge and the randomizer of the secret key, which ties them to one holder.

Source: Camenisch and Lysyanskaya, SCN 2002, section 4; Identity Mixer specification 2.3.40, section 6; gabi `proofs.go`.
"""

from .builder import ProofBuilder, build_proof_list
from .proof_d import DisclosureBuilder, ProofD
from .proof_list import ProofList, verify_proof_list
from .proof_s import ProofS
from .proof_u import CommitmentBuilder, ProofU

__all__ = [
    "CommitmentBuilder",
    "DisclosureBuilder",
    "ProofBuilder",
    "ProofD",
    "ProofList",
    "ProofS",
    "ProofU",
    "build_proof_list",
    "verify_proof_list",
]
