"""The two messages of issuance. Newer parties may add keys to them, which are passed over.

Source: gabi `builder.go` (IssueCommitmentMessage, IssueSignatureMessage); irmago `irma/messages.go`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gmpy2 import mpz

from ..cl.signature import CLSignature
from ..errors import MalformedProofError
from ..integers import decode_integer, decode_integer_map, encode_integer, encode_integer_map
from ..json_text import check_spelling
from ..messages import Indices, indices_from_json, indices_to_json
from ..proofs.proof_list import ProofList
from ..proofs.proof_s import ProofS
from ..revocation.witness import Witness

_COMMITMENT_KEYS = frozenset({"n_2", "combinedProofs", "proofPJwts", "indices"})
_SIGNATURE_KEYS = frozenset({"proof", "signature", "nonrev", "m_issuer"})


@dataclass(frozen=True, slots=True)
class IssueCommitmentMessage:
    """The holder's message.

    Attributes:
        nonce2: the holder's nonce n_2, one for all credentials of the session.
        proofs: the disclosures, then one ProofU per credential in the order of the request.
        keyshare_jwts: the keyshare servers' proofs, as JWTs by scheme.
        indices: which disclosed attribute answers which request.
    """

    nonce2: mpz
    proofs: ProofList
    keyshare_jwts: Mapping[str, str] = field(default_factory=dict)
    indices: Indices = ()

    @classmethod
    def from_json(cls, value: Any, where: str = "commitments") -> Self:
        """Read a parsed JSON object.

        Raises:
            MalformedProofError: a field is absent or not of its kind.
        """
        fields = check_spelling(value, _COMMITMENT_KEYS, where)
        jwts = fields.get("proofPJwts")
        jwts = {} if jwts is None else jwts
        if not isinstance(jwts, dict) or not all(isinstance(jwt, str) for jwt in jwts.values()):
            raise MalformedProofError(f"{where}.proofPJwts", "expected an object of JWTs by scheme")
        return cls(
            nonce2=decode_integer(fields.get("n_2"), f"{where}.n_2"),
            proofs=ProofList.from_json(fields.get("combinedProofs"), f"{where}.combinedProofs"),
            keyshare_jwts=jwts,
            indices=indices_from_json(fields.get("indices"), f"{where}.indices"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        result: dict[str, Any] = {"n_2": encode_integer(self.nonce2), "combinedProofs": self.proofs.to_json()}
        if self.keyshare_jwts:
            result["proofPJwts"] = dict(self.keyshare_jwts)
        if self.indices:
            result["indices"] = indices_to_json(self.indices)
        return result


@dataclass(frozen=True, slots=True)
class IssueSignatureMessage:
    """The issuer's message, one per credential.

    Attributes:
        proof: that the signature was made as it should.
        signature: the signature; v lacks the holder's part.
        m_issuer: the issuer's shares of random blind attributes, by index of base.
        witness: the non-revocation witness of a credential that can be revoked.
    """

    proof: ProofS
    signature: CLSignature
    m_issuer: Mapping[int, mpz] = field(default_factory=dict)
    witness: Witness | None = None

    @classmethod
    def from_json(cls, value: Any, where: str = "signature message") -> Self:
        """Read a parsed JSON object.

        Raises:
            MalformedProofError: a field is absent or not of its kind.
        """
        fields = check_spelling(value, _SIGNATURE_KEYS, where)
        witness = fields.get("nonrev")
        return cls(
            proof=ProofS.from_json(fields.get("proof"), f"{where}.proof"),
            signature=CLSignature.from_json(fields.get("signature"), f"{where}.signature"),
            m_issuer=decode_integer_map(fields.get("m_issuer"), f"{where}.m_issuer"),
            witness=None if witness is None else Witness.from_json(witness, f"{where}.nonrev"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        result: dict[str, Any] = {"proof": self.proof.to_json(), "signature": self.signature.to_json()}
        if self.witness is not None:
            result["nonrev"] = self.witness.to_json()
        if self.m_issuer:
            result["m_issuer"] = encode_integer_map(self.m_issuer)
        return result
