"""ProofD: a holder of a credential discloses some attributes and proves to have a signature on them and the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from gmpy2 import mpz

from ..arith.modular import powmod, powmod_secret
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.signature import CLSignature, attribute_exponent
from ..errors import InvalidWitnessError, MalformedProofError
from ..integers import decode_integer, decode_integer_map, encode_integer, encode_integer_map
from ..json_text import check_object
from ..keys.public import PublicKey
from ..rangeproof.proof import (
    CommittedRange,
    RangeProof,
    RangeProofs,
    RangeProver,
    check_range_proofs,
    range_contributions,
    read_range_proofs,
    write_range_proofs,
)
from ..rangeproof.structure import Statement, UnprovableStatementError
from ..revocation.proof import CommittedNonRevocation, NonRevocationBuilder, NonRevocationProof
from ..revocation.witness import Witness
from .checks import check_challenge, check_group_element, check_index_sets, check_response, check_responses

_KEYS = frozenset({"c", "A", "e_response", "v_response", "a_responses", "a_disclosed", "nonrev_proof", "rangeproofs"})


@dataclass(frozen=True, slots=True)
class ProofD:
    """A disclosure proof.

    Attributes:
        c: the challenge.
        A: the randomized signature's A'.
        e_response, v_response: the responses for e - 2^(l_e-1) and v'.
        a_responses: the responses for the hidden attributes, by index of base; 0 is the secret key.
        a_disclosed: the disclosed attributes, by index of base; 1 is the metadata.
        nonrev_proof: that the credential is not revoked, or None.
        range_proofs: what is proved about hidden attributes, by index of base.
    """

    c: mpz
    A: mpz
    e_response: mpz
    v_response: mpz
    a_responses: Mapping[int, mpz]
    a_disclosed: Mapping[int, mpz]
    nonrev_proof: NonRevocationProof | None = None
    range_proofs: RangeProofs = field(default_factory=dict)

    @property
    def secret_key_response(self) -> mpz | None:
        """The response for the secret key, or None where it is not hidden."""
        return self.a_responses.get(0)

    def check_structure(self, public_key: PublicKey, where: str = "proof", revocation_index: int | None = None) -> None:
        """Check everything that can be checked without an exponentiation.

        A' is a unit modulo N; the challenge has the length of a hash; disclosed and hidden indices are apart, together
        exactly 0 … k, and name bases of the key; responses are within [0, 2^(l+1) - 1], l the length of their randomizer; range
        proofs are about hidden attributes and keep the same rules.

        Args:
            public_key: the issuer's key.
            where: what the proof is, for errors.
            revocation_index: the base of the credential type's revocation attribute; None where there is none or it is not known.

        Raises:
            MalformedProofError: the indices break a rule.
            InvalidProofError: a number is out of bounds.
            InvalidSignatureError: the accumulator of the non-revocation proof is not signed with this key.
        """
        params = public_key.params
        check_index_sets(self.a_disclosed, self.a_responses, public_key, where)
        check_challenge(self.c, f"{where}.c")
        check_response(self.e_response, params.l_e_commit + 1, f"{where}.e_response")
        check_response(self.v_response, params.l_v_commit + 1, f"{where}.v_response")
        check_responses(self.a_responses, params.l_m_commit + 1, f"{where}.a_responses")
        check_group_element(self.A, public_key, f"{where}.A")
        if self.nonrev_proof is not None:
            self.nonrev_proof.check_structure(public_key, self._alpha(revocation_index, where), f"{where}.nonrev_proof")
        check_range_proofs(self.range_proofs, self.a_responses, public_key, f"{where}.rangeproofs")

    def _alpha(self, revocation_index: int | None, where: str) -> mpz:
        """The response that the non-revocation proof shares: that of the credential type's revocation attribute, which is hidden."""
        if revocation_index is None:
            raise MalformedProofError(
                f"{where}.nonrev_proof", "the credential has no revocation attribute", departure="revocation-attribute"
            )
        if revocation_index not in self.a_responses:
            raise MalformedProofError(f"{where}.nonrev_proof", f"attribute {revocation_index}, the revocation attribute, is not hidden")
        return self.a_responses[revocation_index]

    def contributions(self, public_key: PublicKey, revocation_index: int | None = None) -> tuple[mpz, ...]:
        """Return what this proof adds to the challenge: A' and Z̃, rebuilt from the responses, then what its other proofs add.

        Those are the non-revocation proof and after it the range proofs.

        With D = A'^{2^(l_e-1)} · ∏_{disclosed} R_i^{a_i}, Z̃ = (Z / D)^{-c} · A'^{ê} · S^{v̂} · ∏_{hidden} R_i^{â_i}. The powers
        of A' fold into one, with exponent ê + c·2^(l_e-1), and all others are on bases of the key.

        To be called on a proof that passed `check_structure`, with the same `revocation_index`.

        Source: Camenisch and Lysyanskaya, SCN 2002, section 4.2; gabi `proofs.go` (reconstructZ).
        """
        params = public_key.params
        exponents = dict(self.a_responses)
        for index, attribute in self.a_disclosed.items():
            exponents[index] = self.c * attribute_exponent(attribute, params)
        known = public_key.power_product(Z=-self.c, S=self.v_response, R=exponents)
        Z_tilde = powmod(self.A, self.e_response + (self.c << (params.l_e - 1)), public_key.N) * known % public_key.N
        non_revocation: tuple[mpz, ...] = ()
        if self.nonrev_proof is not None:
            non_revocation = self.nonrev_proof.contributions(public_key, self.c, self._alpha(revocation_index, "proof"))
        return self.A, Z_tilde, *non_revocation, *range_contributions(self.range_proofs, self.a_responses, public_key, self.c)

    @classmethod
    def from_json(cls, value: Any, where: str = "proof") -> Self:
        """Read the JSON of a disclosure proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not of its kind.
        """
        fields = check_object(value, _KEYS, where)
        nonrev_proof = fields.get("nonrev_proof")
        return cls(
            A=decode_integer(fields.get("A"), f"{where}.A"),
            c=decode_integer(fields.get("c"), f"{where}.c"),
            e_response=decode_integer(fields.get("e_response"), f"{where}.e_response"),
            v_response=decode_integer(fields.get("v_response"), f"{where}.v_response"),
            a_responses=decode_integer_map(fields.get("a_responses"), f"{where}.a_responses"),
            a_disclosed=decode_integer_map(fields.get("a_disclosed"), f"{where}.a_disclosed"),
            nonrev_proof=None if nonrev_proof is None else NonRevocationProof.from_json(nonrev_proof, f"{where}.nonrev_proof"),
            range_proofs=read_range_proofs(fields.get("rangeproofs"), f"{where}.rangeproofs"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        result: dict[str, Any] = {
            "c": encode_integer(self.c),
            "A": encode_integer(self.A),
            "e_response": encode_integer(self.e_response),
            "v_response": encode_integer(self.v_response),
            "a_responses": encode_integer_map(self.a_responses),
            "a_disclosed": encode_integer_map(self.a_disclosed),
        }
        if self.nonrev_proof is not None:
            result["nonrev_proof"] = self.nonrev_proof.to_json()
        if self.range_proofs:
            result["rangeproofs"] = write_range_proofs(self.range_proofs)
        return result


@dataclass(frozen=True, slots=True, repr=False)
class DisclosureBuilder:
    """Builds a ProofD. `create` chooses the random parts; the constructor takes them as given.

    Attributes:
        public_key: the issuer's key.
        signature: the credential's signature, randomized.
        attributes: m_0 … m_k, m_0 the secret key.
        disclosed: the indices to disclose.
        e_randomizer, v_randomizer: l_e_commit and l_v_commit random bits.
        attribute_randomizers: l_m_commit random bits for each hidden attribute but the secret key; that of the revocation attribute
            is the non-revocation proof's.
        non_revocation: proves that the credential is not revoked, or None.
        ranges: make the range proofs, each about a hidden attribute.
    """

    public_key: PublicKey
    signature: CLSignature
    attributes: Sequence[mpz]
    disclosed: Collection[int]
    e_randomizer: mpz
    v_randomizer: mpz
    attribute_randomizers: Mapping[int, mpz]
    non_revocation: NonRevocationBuilder | None = None
    ranges: Sequence[RangeProver] = ()

    @classmethod
    def create(
        cls,
        public_key: PublicKey,
        signature: CLSignature,
        attributes: Sequence[mpz],
        disclosed: Collection[int],
        random: RandomSource = SYSTEM_RANDOM,
        statements: Mapping[int, Sequence[Statement]] = MappingProxyType({}),
        *,
        witness: Witness | None = None,
        revocation_index: int | None = None,
    ) -> Self:
        """Randomize the signature and choose the randomizers.

        Args:
            public_key: the issuer's key.
            signature: the credential's signature as it is kept.
            attributes: m_0 … m_k.
            disclosed: the indices to disclose; 1, the metadata, is always among them in a session.
            random: the source of randomness.
            statements: what is to be proved about hidden attributes, by index of base.
            witness: proves that the credential is not revoked; None for no such proof.
            revocation_index: the hidden attribute that is the witness' e, where there is a witness.

        Raises:
            UnprovableStatementError: a statement does not hold, or its attribute is not hidden.
            InvalidWitnessError: the witness does not belong to its accumulator or to the attribute.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`; the second
                last also for a statement without sign.
        """
        params = public_key.params
        for index in statements:
            if index in disclosed or index >= len(attributes):
                raise UnprovableStatementError("range statements on revealed attributes are not supported")
        hidden = [index for index in range(1, len(attributes)) if index not in disclosed]
        randomizers = {index: random.bits(params.l_m_commit) for index in hidden}
        non_revocation = None
        if witness is not None:
            non_revocation = NonRevocationBuilder.create(public_key, witness, random)
            if revocation_index not in hidden or attributes[revocation_index] != witness.e:
                raise InvalidWitnessError("the witness does not belong to a hidden attribute of the credential")
            randomizers[revocation_index] = non_revocation.alpha_randomizer
        return cls(
            public_key=public_key,
            signature=signature.randomize(public_key, random),
            attributes=attributes,
            disclosed=frozenset(disclosed),
            e_randomizer=random.bits(params.l_e_commit),
            v_randomizer=random.bits(params.l_v_commit),
            attribute_randomizers=randomizers,
            non_revocation=non_revocation,
            ranges=[
                RangeProver.create(public_key, index, attributes[index], statement, random)
                for index in sorted(statements)
                for statement in statements[index]
            ],
        )

    def commit(self, secret_randomizer: mpz) -> "CommittedDisclosure":
        """Return Z̃ = A'^{e randomizer} · S^{v randomizer} · ∏_{hidden} R_i^{randomizer of i}, with what answers the challenge."""
        randomizers = dict(self.attribute_randomizers)
        if 0 not in self.disclosed:
            randomizers[0] = secret_randomizer
        N = self.public_key.N
        Z_tilde = self.public_key.power_product(S=self.v_randomizer, R=randomizers)
        Z_tilde = Z_tilde * powmod_secret(self.signature.A, self.e_randomizer, N) % N
        return CommittedDisclosure(
            builder=self,
            randomizers=randomizers,
            Z_tilde=Z_tilde,
            non_revocation=self.non_revocation.commit() if self.non_revocation else None,
            ranges=[prover.commit(randomizers[prover.index]) for prover in self.ranges],
        )


@dataclass(frozen=True, slots=True, repr=False)
class CommittedDisclosure:
    """A disclosure after its first move."""

    builder: DisclosureBuilder
    randomizers: Mapping[int, mpz]
    Z_tilde: mpz
    non_revocation: CommittedNonRevocation | None = None
    ranges: Sequence[CommittedRange] = ()

    @property
    def contributions(self) -> tuple[mpz, ...]:
        """A' and Z̃, then what the non-revocation proof adds, then the range proofs."""
        return (
            self.builder.signature.A,
            self.Z_tilde,
            *(self.non_revocation.contributions if self.non_revocation else ()),
            *(value for proof in self.ranges for value in proof.contributions),
        )

    def respond(self, challenge: mpz) -> ProofD:
        """Return the proof: every response is its randomizer + c · its secret.

        The secrets are e - 2^(l_e-1), v' and the hidden attributes, hashed where they are longer than l_m bits.
        """
        builder = self.builder
        params = builder.public_key.params
        range_proofs: dict[int, tuple[RangeProof, ...]] = {}
        for proof in self.ranges:
            range_proofs[proof.prover.index] = (*range_proofs.get(proof.prover.index, ()), proof.respond(challenge))
        return ProofD(
            c=challenge,
            A=builder.signature.A,
            e_response=builder.e_randomizer + challenge * (builder.signature.e - (mpz(1) << (params.l_e - 1))),
            v_response=builder.v_randomizer + challenge * builder.signature.v,
            a_responses={
                index: randomizer + challenge * attribute_exponent(builder.attributes[index], params)
                for index, randomizer in self.randomizers.items()
            },
            a_disclosed={index: builder.attributes[index] for index in builder.disclosed},
            nonrev_proof=self.non_revocation.respond(challenge) if self.non_revocation else None,
            range_proofs=range_proofs,
        )
