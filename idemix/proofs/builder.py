"""Building the proofs of a session: commit to all, hash once, respond to all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..challenge import create_challenge
from ..params import SECRET_RANDOMIZER_BITS
from .proof_d import ProofD
from .proof_list import ProofList
from .proof_u import ProofU


class Committed(Protocol):
    """A proof whose first move is made.

    Attributes:
        contributions: what goes into the challenge, in order.
    """

    @property
    def contributions(self) -> tuple[mpz, ...]: ...

    def respond(self, challenge: mpz) -> ProofD | ProofU:
        """Return the proof. To be called once: two responses to one commitment give the secrets away."""
        ...


class ProofBuilder(Protocol):
    """Makes one proof of a session."""

    def commit(self, secret_randomizer: mpz) -> Committed:
        """Make the first move.

        Args:
            secret_randomizer: the randomizer of the secret key, the same for all proofs of the session.
        """
        ...


@dataclass(frozen=True, slots=True)
class CommittedList:
    """The proofs of a session after their first move."""

    proofs: tuple[Committed, ...]

    @property
    def contributions(self) -> tuple[mpz, ...]:
        """All contributions to the challenge, in the order of the proofs."""
        return tuple(contribution for proof in self.proofs for contribution in proof.contributions)

    def respond(self, challenge: mpz) -> ProofList:
        """Return the proofs for a challenge."""
        return ProofList(tuple(proof.respond(challenge) for proof in self.proofs))


def commit_all(builders: Sequence[ProofBuilder], secret_randomizer: mpz) -> CommittedList:
    """Make the first move of every proof."""
    return CommittedList(tuple(builder.commit(secret_randomizer) for builder in builders))


def build_proof_list(
    builders: Sequence[ProofBuilder], *, context: mpz | int, nonce: mpz | int, is_signature: bool, random: RandomSource = SYSTEM_RANDOM
) -> ProofList:
    """Build the proofs of a session, bound together by one challenge and one randomizer of the secret key.

    Args:
        builders: one per proof, in the order of the list.
        context, nonce: the session's.
        is_signature: whether it is an attribute-based signature.
        random: the source of the secret key's randomizer.

    Source: gabi `prooflist.go` (BuildProofList).
    """
    committed = commit_all(builders, random.bits(SECRET_RANDOMIZER_BITS))
    return committed.respond(create_challenge(context, nonce, committed.contributions, is_signature))
