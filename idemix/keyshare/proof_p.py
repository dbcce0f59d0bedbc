"""ProofP: a keyshare server proves to know its part of a holder's secret key."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from gmpy2 import mpz

from ..errors import MalformedProofError
from ..integers import decode_integer, encode_integer
from ..json_text import check_object
from ..keys.public import PublicKey
from ..proofs import ProofD, ProofList, ProofU
from ..proofs.checks import check_challenge, check_group_element


@dataclass(frozen=True, slots=True)
class ProofP:
    """A keyshare server's part of the proofs of a session.

    Attributes:
        c: the challenge.
        s_response: the response for m_kss; in the newer protocol that for m_user + m_kss.
        P: R_0^{m_kss} under the key of the credentials to be issued; None in the newer protocol.
    """

    c: mpz
    s_response: mpz
    P: mpz | None = None

    def merge(self, proof: ProofD | ProofU, public_key: PublicKey, where: str = "proof") -> ProofD | ProofU:
        """Return a holder's proof with the server's part.

        Old protocol: U becomes U·P, the response for the secret key a sum. Newer protocol: challenge and response are the server's.
        Whether the outcome holds, and whether its responses are in bounds, is for `verify_proof_list` to see.

        Args:
            proof: the holder's proof, about m_user alone.
            public_key: the issuer's key of that proof.
            where: what the proof is, for errors.

        Raises:
            MalformedProofError: the proof has no response for the secret key (departure `secret-key-hidden`).
            InvalidProofError: U or P is no group element, or the challenge is too long.

        Source: gabi `proofs.go` (MergeProofP).
        """
        check_challenge(self.c, "ProofP.c")
        if isinstance(proof, ProofU):
            if self.P is None:
                return replace(proof, c=self.c, s_response=self.s_response)
            # A product is always in range, so both factors are looked at before.
            check_group_element(proof.U, public_key, f"{where}.U")
            check_group_element(self.P, public_key, "ProofP.P")
            return replace(proof, U=proof.U * self.P % public_key.N, s_response=proof.s_response + self.s_response)
        if proof.secret_key_response is None:
            raise MalformedProofError(f"{where}.a_responses", "the secret key is not hidden", departure="secret-key-hidden")
        if self.P is None:
            return replace(proof, c=self.c, a_responses={**proof.a_responses, 0: self.s_response})
        return replace(proof, a_responses={**proof.a_responses, 0: proof.secret_key_response + self.s_response})

    @classmethod
    def from_json(cls, value: Any, where: str = "ProofP") -> Self:
        """Read the JSON of the proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not an integer.
        """
        fields = check_object(value, {"P", "c", "s_response"}, where)
        P = fields.get("P")
        return cls(
            c=decode_integer(fields.get("c"), f"{where}.c"),
            s_response=decode_integer(fields.get("s_response"), f"{where}.s_response"),
            P=None if P is None else decode_integer(P, f"{where}.P"),
        )

    def to_json(self) -> dict[str, str]:
        """Return the JSON object."""
        P = {} if self.P is None else {"P": encode_integer(self.P)}
        return {**P, "c": encode_integer(self.c), "s_response": encode_integer(self.s_response)}


@dataclass(frozen=True, slots=True)
class ProofPCommitment:
    """A keyshare server's first move under one public key.

    Attributes:
        P: R_0^{m_kss}.
        P_commit: R_0^{w}, w one randomizer for all keys of the session.
    """

    P: mpz
    P_commit: mpz

    @classmethod
    def from_json(cls, value: Any, where: str = "commitment") -> Self:
        """Read the JSON of the commitment.

        Raises:
            MalformedProofError: a field is absent, unknown or not an integer.
        """
        fields = check_object(value, {"P", "Pcommit"}, where)
        return cls(decode_integer(fields.get("P"), f"{where}.P"), decode_integer(fields.get("Pcommit"), f"{where}.Pcommit"))

    def to_json(self) -> dict[str, str]:
        """Return the JSON object."""
        return {"P": encode_integer(self.P), "Pcommit": encode_integer(self.P_commit)}


def merge_proofs(
    proofs: ProofList, keyshare_proofs: Sequence[ProofP | None], public_keys: Sequence[PublicKey], where: str = "proofs"
) -> ProofList:
    """Return a session's proofs with the parts of keyshare servers.

    Args:
        proofs: the holder's.
        keyshare_proofs: for each proof that of its scheme's server; None where the scheme has none.
        public_keys: the issuers' keys, one per proof.
        where: what the list is, for errors.

    Raises:
        MalformedProofError, InvalidProofError: see `ProofP.merge`.
    """
    merged = (
        proof if part is None else part.merge(proof, public_key, f"{where}[{position}]")
        for position, (proof, part, public_key) in enumerate(zip(proofs, keyshare_proofs, public_keys, strict=True))
    )
    return ProofList(tuple(merged))
