"""ProofD: a holder of a credential discloses some attributes and proves to have a signature on them and the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from gmpy2 import mpz

from ..arith.modular import powmod, powmod_secret
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.signature import CLSignature, attribute_exponent
from ..errors import MalformedProofError
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
from .checks import check_challenge, check_group_element, check_index_sets, check_response

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
        range_proofs: what is proved about hidden attributes, by index of base.
    """

    c: mpz
    A: mpz
    e_response: mpz
    v_response: mpz
    a_responses: Mapping[int, mpz]
    a_disclosed: Mapping[int, mpz]
    range_proofs: RangeProofs = field(default_factory=dict)

    @property
    def secret_key_response(self) -> mpz | None:
        """The response for the secret key, or None where it is not hidden."""
        return self.a_responses.get(0)

    def check_structure(self, public_key: PublicKey, where: str = "proof") -> None:
        """Check everything that can be checked without an exponentiation.

        A' is a unit modulo N; the challenge has the length of a hash; disclosed and hidden indices are apart, together
        exactly 0 … k, and name bases of the key; responses are within [0, 2^(l+1) - 1], l the length of their randomizer; range
        proofs are about hidden attributes and keep the same rules.

        Raises:
            MalformedProofError: the indices break a rule.
            InvalidProofError: a number is out of bounds.
        """
        params = public_key.params
        check_index_sets(self.a_disclosed, self.a_responses, public_key, where)
        check_challenge(self.c, f"{where}.c")
        check_response(self.e_response, params.l_e_commit + 1, f"{where}.e_response")
        check_response(self.v_response, params.l_v_commit + 1, f"{where}.v_response")
        for index, response in self.a_responses.items():
            check_response(response, params.l_m_commit + 1, f"{where}.a_responses[{index}]")
        check_group_element(self.A, public_key, f"{where}.A")
        check_range_proofs(self.range_proofs, self.a_responses, public_key, f"{where}.rangeproofs")

    def contributions(self, public_key: PublicKey) -> tuple[mpz, ...]:
        """Return what this proof adds to the challenge, A' and Z̃, rebuilt from the responses, and what its range proofs add.

        With D = A'^{2^(l_e-1)} · ∏_{disclosed} R_i^{a_i}, Z̃ = (Z / D)^{-c} · A'^{ê} · S^{v̂} · ∏_{hidden} R_i^{â_i}. The powers
        of A' fold into one, with exponent ê + c·2^(l_e-1), and all others are on bases of the key.

        To be called on a proof that passed `check_structure`.

        Source: Camenisch and Lysyanskaya, SCN 2002, section 4.2; gabi `proofs.go` (reconstructZ).
        """
        params = public_key.params
        exponents = dict(self.a_responses)
        for index, attribute in self.a_disclosed.items():
            exponents[index] = self.c * attribute_exponent(attribute, params)
        known = public_key.power_product(Z=-self.c, S=self.v_response, R=exponents)
        Z_tilde = powmod(self.A, self.e_response + (self.c << (params.l_e - 1)), public_key.N) * known % public_key.N
        return self.A, Z_tilde, *range_contributions(self.range_proofs, self.a_responses, public_key, self.c)

    @classmethod
    def from_json(cls, value: Any, where: str = "proof") -> Self:
        """Read the JSON of a disclosure proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not of its kind, or the proof carries a non-revocation
                proof, which is not read.
        """
        fields = check_object(value, _KEYS, where)
        if fields.get("nonrev_proof") is not None:
            raise MalformedProofError(f"{where}.nonrev_proof", "non-revocation proofs are not supported")
        return cls(
            A=decode_integer(fields.get("A"), f"{where}.A"),
            c=decode_integer(fields.get("c"), f"{where}.c"),
            e_response=decode_integer(fields.get("e_response"), f"{where}.e_response"),
            v_response=decode_integer(fields.get("v_response"), f"{where}.v_response"),
            a_responses=decode_integer_map(fields.get("a_responses"), f"{where}.a_responses"),
            a_disclosed=decode_integer_map(fields.get("a_disclosed"), f"{where}.a_disclosed"),
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
        attribute_randomizers: l_m_commit random bits for each hidden attribute but the secret key.
        ranges: make the range proofs, each about a hidden attribute.
    """

    public_key: PublicKey
    signature: CLSignature
    attributes: Sequence[mpz]
    disclosed: Collection[int]
    e_randomizer: mpz
    v_randomizer: mpz
    attribute_randomizers: Mapping[int, mpz]
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
    ) -> Self:
        """Randomize the signature and choose the randomizers.

        Args:
            public_key: the issuer's key.
            signature: the credential's signature as it is kept.
            attributes: m_0 … m_k.
            disclosed: the indices to disclose; 1, the metadata, is always among them in a session.
            random: the source of randomness.
            statements: what is to be proved about hidden attributes, by index of base.

        Raises:
            UnprovableStatementError: a statement does not hold, or its attribute is not hidden.
        """
        params = public_key.params
        for index in statements:
            if index in disclosed or index >= len(attributes):
                raise UnprovableStatementError("range statements on revealed attributes are not supported")
        hidden = [index for index in range(1, len(attributes)) if index not in disclosed]
        return cls(
            public_key=public_key,
            signature=signature.randomize(public_key, random),
            attributes=attributes,
            disclosed=frozenset(disclosed),
            e_randomizer=random.bits(params.l_e_commit),
            v_randomizer=random.bits(params.l_v_commit),
            attribute_randomizers={index: random.bits(params.l_m_commit) for index in hidden},
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
        return CommittedDisclosure(self, randomizers, Z_tilde, [prover.commit(randomizers[prover.index]) for prover in self.ranges])


@dataclass(frozen=True, slots=True, repr=False)
class CommittedDisclosure:
    """A disclosure after its first move."""

    builder: DisclosureBuilder
    randomizers: Mapping[int, mpz]
    Z_tilde: mpz
    ranges: Sequence[CommittedRange] = ()

    @property
    def contributions(self) -> tuple[mpz, ...]:
        """A' and Z̃, and what the range proofs add."""
        return self.builder.signature.A, self.Z_tilde, *(value for proof in self.ranges for value in proof.contributions)

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
            range_proofs=range_proofs,
        )
