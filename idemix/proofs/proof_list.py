"""The proofs of a session: read, verified together."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from gmpy2 import mpz

from ..challenge import create_challenge
from ..errors import (
    ChallengeMismatchError,
    EmptyProofListError,
    MalformedProofError,
    ProofCountError,
    ProofRuleError,
    SecretKeyMismatchError,
)
from ..keys.public import PublicKey
from .proof_d import ProofD
from .proof_u import ProofU

#: Proofs in one list; each costs an exponentiation or more. A session of the field's largest requests has a dozen.
MAX_PROOFS: Final = 256


@dataclass(frozen=True, slots=True)
class ProofList:
    """Proofs that share one challenge; a sequence."""

    proofs: tuple[ProofD | ProofU, ...]

    def __len__(self) -> int:
        return len(self.proofs)

    def __iter__(self) -> Iterator[ProofD | ProofU]:
        return iter(self.proofs)

    def __getitem__(self, position: int) -> ProofD | ProofU:
        return self.proofs[position]

    @classmethod
    def from_json(cls, value: Any, where: str = "proofs") -> Self:
        """Read a parsed JSON array of proofs (see `idemix.json_text.parse_json`); null is the empty list.

        An element with an `A` is a ProofD, one with a `U` a ProofU.

        Raises:
            MalformedProofError: it is something else, or an element cannot be read.
            ProofCountError: there are more than `MAX_PROOFS` (departure `proof-count`).
        """
        if value is None:
            return cls(())
        if not isinstance(value, list):
            raise MalformedProofError(where, "expected a list")
        if len(value) > MAX_PROOFS:
            raise ProofCountError(where, f"{len(value)} proofs, at most {MAX_PROOFS} are read", departure="proof-count")
        return cls(tuple(_read_proof(element, f"{where}[{position}]") for position, element in enumerate(value)))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the JSON array."""
        return [proof.to_json() for proof in self.proofs]

    def contributions(self, public_keys: Sequence[PublicKey], revocation_indices: Sequence[int | None] | None = None) -> list[mpz]:
        """Return all contributions to the challenge, in order; see the proofs' own `contributions`."""
        indices = revocation_indices if revocation_indices is not None else [None] * len(self.proofs)
        return [
            value
            for proof, key, revocation_index in zip(self.proofs, public_keys, indices, strict=True)
            for value in (proof.contributions(key) if isinstance(proof, ProofU) else proof.contributions(key, revocation_index))
        ]


def _read_proof(value: Any, where: str) -> ProofD | ProofU:
    # For the reference null is an object without keys.
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise MalformedProofError(where, "expected an object")
    if value.get("A") is not None:
        return ProofD.from_json(value, where)
    if value.get("U") is not None:
        return ProofU.from_json(value, where)
    # The reference finds the key in any case of its letters.
    departure = "unknown-proof-key" if {"a", "u"} & {key.casefold() for key in value if key not in ("A", "U")} else None
    raise ProofRuleError(where, "Unknown proof type found in ProofList", departure=departure)


def verify_proof_list(
    proofs: ProofList,
    public_keys: Sequence[PublicKey],
    *,
    context: mpz | int,
    nonce: mpz | int,
    is_signature: bool,
    keyshare_groups: Sequence[str] | None = None,
    blind_indices: Sequence[Collection[int] | None] | None = None,
    revocation_indices: Sequence[int | None] | None = None,
    require_metadata: bool = False,
) -> None:
    """Verify the proofs of a session.

    Structure is checked first; then the challenge is computed anew from what the responses rebuild, and must equal the
    one in every proof. Within a group of proofs the responses for the secret key must be the same number, which shows
    that they are about the same secret.

    Args:
        proofs: the proofs, at least one.
        public_keys: one per proof.
        context, nonce: the session's; the nonce of an attribute-based signature is `challenge.signature_nonce`.
        is_signature: whether it is an attribute-based signature.
        keyshare_groups: one label per proof; proofs with one label share a secret key. None or empty: all of them do.
        blind_indices: per proof the bases of the type's random blind attributes (for a ProofU), None where not known.
        revocation_indices: per proof the base of the type's revocation attribute (for a ProofD), None where it has none or is not
            known; then a non-revocation proof is refused.
        require_metadata: whether each ProofD answers a request; then it hides the secret key (0) and discloses the metadata (1).

    Raises:
        ProofCountError: the number of keys, labels, blind sets or revocation indices differs.
        MalformedProofError: a proof's structure breaks a rule.
        EmptyProofListError, ResponseSizeError, ElementRangeError, ChallengeMismatchError, SecretKeyMismatchError: see there.
        InvalidSignatureError: an accumulator is not signed with the key of its proof.
        MalformedKeyError: a public key cannot be computed with.

    Source: gabi `prooflist.go` (ProofList.Verify); irmago `irma/verify.go` (VerifyProofs).
    """
    if not proofs.proofs:
        raise EmptyProofListError("empty proof list")
    _check_count(public_keys, proofs, "public keys")
    if keyshare_groups:
        _check_count(keyshare_groups, proofs, "keyshare groups")
    if blind_indices is not None:
        _check_count(blind_indices, proofs, "sets of blind indices")
    if revocation_indices is not None:
        _check_count(revocation_indices, proofs, "revocation indices")
    for position, (proof, public_key) in enumerate(zip(proofs, public_keys, strict=True)):
        where = f"proofs[{position}]"
        if isinstance(proof, ProofU):
            proof.check_structure(public_key, blind_indices[position] if blind_indices is not None else None, where)
        else:
            proof.check_structure(public_key, where, revocation_indices[position] if revocation_indices is not None else None)
            if require_metadata:
                _check_answers_request(proof, where)
    challenge = proofs[0].c
    for position, proof in enumerate(proofs):
        if proof.c != challenge:
            raise ChallengeMismatchError(f"proofs[{position}]: challenge mismatch")
    _check_secret_keys(proofs, keyshare_groups or [""] * len(proofs))
    if create_challenge(context, nonce, proofs.contributions(public_keys, revocation_indices), is_signature) != challenge:
        raise ChallengeMismatchError("proofs: challenge mismatch")


def _check_count(given: Sequence[object], proofs: ProofList, what: str) -> None:
    if len(given) != len(proofs):
        raise ProofCountError("proofs", f"{len(proofs)} proofs, {len(given)} {what}")


def _check_answers_request(proof: ProofD, where: str) -> None:
    if 0 not in proof.a_responses:
        raise MalformedProofError(f"{where}.a_responses", "the secret key is not hidden", departure="secret-key-hidden")
    if 1 not in proof.a_disclosed:
        raise MalformedProofError(f"{where}.a_disclosed", "the metadata is not disclosed", departure="metadata-disclosed")


def _check_secret_keys(proofs: ProofList, groups: Sequence[str]) -> None:
    responses: dict[str, mpz | None] = {}
    for position, (proof, group) in enumerate(zip(proofs, groups, strict=True)):
        response = proof.secret_key_response
        if group not in responses:
            responses[group] = response
        elif response is None or response != responses[group]:
            raise SecretKeyMismatchError(f"proofs[{position}]: secret key response differs from an earlier proof's")
