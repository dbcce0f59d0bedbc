"""The holder's side of a session with a keyshare server.

    committed = commit_all(builders, randomizer)       the holder's first moves
    joint     = join(committed, parts, keys)           with the server's, for the challenge
    proofs    = joint.respond(challenge)               about m_user alone
    merged    = merge_proofs(proofs, [proof_p …], keys)

In the newer protocol `challenge_inputs` of `committed` are hashed, sent, and with `user_response` answered in between. In an
issuance the holder does not merge; before the newer protocol it then takes P out of U again (`without_keyshare_part`).

Source: gabi `keyshare.go` (KeyshareUserCommitmentRequest, KeyshareUserResponseRequest); irmago `irma/irmaclient/keyshare.go`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gmpy2 import mpz

from ..arith.modular import inverse
from ..keys.public import PublicKey
from ..proofs import ProofD, ProofU
from ..proofs.builder import Committed, CommittedList
from ..proofs.checks import check_group_element
from .messages import ChallengeInput, KeyName


@dataclass(frozen=True, slots=True, repr=False)
class JointProof:
    """A proof after the first moves of holder and server.

    Attributes:
        committed: the holder's part.
        public_key: the issuer's key.
        P_commit: the server's R_0^w under that key.
    """

    committed: Committed
    public_key: PublicKey
    P_commit: mpz

    @property
    def contributions(self) -> tuple[mpz, ...]:
        """Those of the holder, the commitment multiplied by the server's."""
        value, commitment, *others = self.committed.contributions
        return value, commitment * self.P_commit % self.public_key.N, *others

    def respond(self, challenge: mpz) -> ProofD | ProofU:
        """Return the holder's part of the proof."""
        return self.committed.respond(challenge)


def join(committed: CommittedList, parts: Sequence[mpz | None], public_keys: Sequence[PublicKey]) -> CommittedList:
    """Put the server's first moves to the holder's.

    Args:
        committed: the holder's.
        parts: the server's R_0^w for each proof; None where it does not take part.
        public_keys: the issuers' keys, one per proof.

    Raises:
        InvalidProofError: a part is no group element.
    """
    joint: list[Committed] = []
    for proof, part, public_key in zip(committed.proofs, parts, public_keys, strict=True):
        if part is not None:
            check_group_element(part, public_key, "Pcommit")
        joint.append(proof if part is None else JointProof(proof, public_key, part))
    return CommittedList(tuple(joint))


def challenge_inputs(committed: CommittedList, keys: Sequence[KeyName | None]) -> tuple[ChallengeInput, ...]:
    """What the holder hashes for the server, and later shows.

    Args:
        committed: the holder's first moves.
        keys: the issuer's key of each proof; None where the server does not take part.
    """
    inputs = []
    for proof, key in zip(committed.proofs, keys, strict=True):
        value, commitment, *others = proof.contributions
        inputs.append(ChallengeInput(key, value, commitment, tuple(others)))
    return tuple(inputs)


def user_response(secret: mpz, secret_randomizer: mpz, challenge: mpz) -> mpz:
    """The holder's response for m_user, which the server adds its own to."""
    return secret_randomizer + challenge * secret


def without_keyshare_part(proof: ProofU, P: mpz, public_key: PublicKey) -> ProofU:
    """Divide P out of U, for an issuer that multiplies it in again when it merges.

    Source: gabi `legacy.go` (RemoveKeyshareP).
    """
    return replace(proof, U=proof.U * inverse(P, public_key.N) % public_key.N)
