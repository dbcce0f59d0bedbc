"""The range proof itself: made, written, read and verified as a part of a disclosure proof."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from gmpy2 import mpz

from ..arith.modular import powmod, product
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import MalformedProofError
from ..integers import decode_index, decode_integer, encode_integer
from ..json_text import check_object
from ..keys.public import PublicKey
from ..params import SystemParameters
from ..proofs.checks import check_group_element, check_response
from .structure import RangeStructure, Statement, UnprovableStatementError

#: More than a disclosure has reason to carry; each costs about as much as a disclosure.
MAX_RANGE_PROOFS: Final = 32

_KEYS: Final = frozenset({"Cs", "ds", "vs", "v5", "l_d", "sign", "a", "k"})


@dataclass(frozen=True, slots=True)
class RangeProof:
    """A range proof on an attribute of a disclosure proof, whose challenge and whose response for m it shares.

    Attributes:
        structure: what is stated, and how.
        C: the commitments to the roots, C_j = R^{d_j} · S^{v_j}.
        d_responses, v_responses: the responses for d_j and v_j.
        v5_response: the response for v_5 = ∑ d_j · v_j.
    """

    structure: RangeStructure
    C: tuple[mpz, ...]
    d_responses: tuple[mpz, ...]
    v_responses: tuple[mpz, ...]
    v5_response: mpz

    def check_structure(self, public_key: PublicKey, where: str) -> None:
        """Check everything that can be checked without an exponentiation.

        Raises:
            MalformedProofError: the statement cannot be one, or there are not as many responses as squares.
            InvalidProofError: a number is out of bounds.

        Source: gabi `rangeproof/proof.go` (ExtractStructure, VerifyProofStructure).
        """
        params, l_d = public_key.params, self.structure.l_d
        self.structure.check(params, where)
        if not len(self.C) == len(self.d_responses) == len(self.v_responses) == self.structure.count:
            raise MalformedProofError(where, "not as many responses as squares")
        check_response(self.v5_response, _v5_randomizer_bits(params, l_d) + 1, f"{where}.v5")
        for j, (d_response, v_response) in enumerate(zip(self.d_responses, self.v_responses, strict=True)):
            check_response(d_response, _d_randomizer_bits(params, l_d) + 1, f"{where}.ds[{j}]")
            check_response(v_response, params.l_m_commit + 1, f"{where}.vs[{j}]")
        for j, element in enumerate(self.C):
            check_group_element(element, public_key, f"{where}.Cs[{j}]")

    def contributions(self, public_key: PublicKey, index: int, challenge: mpz, attribute_response: mpz) -> tuple[mpz, ...]:
        """Return what this proof adds to the challenge, T_0, T_1, …, rebuilt from the responses; the C_j themselves are not hashed.

        T_0 = (R^{-sign·k})^{-c} · S^{-v̂_5} · R^{-a·sign·m̂} · ∏ C_j^{d̂_j} and T_j = C_j^{-c} · R^{d̂_j} · S^{v̂_j}, with R = R_index.

        To be called on a proof that passed `check_structure`.

        Args:
            public_key: the issuer's key.
            index: of the attribute's base.
            challenge, attribute_response: c and m̂ of the disclosure proof.

        Source: gabi `rangeproof/proof.go` (CommitmentsFromProof).
        """
        N, sign, a, k = public_key.N, self.structure.sign, self.structure.a, self.structure.k
        known = public_key.power_product(S=-self.v5_response, R={index: sign * (challenge * k - a * attribute_response)})
        roots = (powmod(element, d_response, N) for element, d_response in zip(self.C, self.d_responses, strict=True))
        T_0 = product((known, *roots), N)
        return T_0, *(
            powmod(element, -challenge, N) * public_key.power_product(S=v_response, R={index: d_response}) % N
            for element, d_response, v_response in zip(self.C, self.d_responses, self.v_responses, strict=True)
        )

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Read the JSON of a range proof.

        Raises:
            MalformedProofError: a field is absent, unknown or not of its kind. The reference reads an absent number as 0
                (departure `range-proof-form`).
        """
        fields = check_object(value, _KEYS, where)
        commitments, d_responses, v_responses = (_read_integers(fields.get(name), f"{where}.{name}") for name in ("Cs", "ds", "vs"))
        structure = RangeStructure(
            sign=_read_number(fields.get("sign"), f"{where}.sign"),
            a=_read_number(fields.get("a"), f"{where}.a"),
            k=decode_integer(fields.get("k"), f"{where}.k"),
            count=len(commitments),
            l_d=_read_number(fields.get("l_d"), f"{where}.l_d"),
        )
        return cls(structure, commitments, d_responses, v_responses, decode_integer(fields.get("v5"), f"{where}.v5"))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "Cs": list(map(encode_integer, self.C)),
            "ds": list(map(encode_integer, self.d_responses)),
            "vs": list(map(encode_integer, self.v_responses)),
            "v5": encode_integer(self.v5_response),
            "l_d": self.structure.l_d,
            "sign": self.structure.sign,
            "a": self.structure.a,
            "k": encode_integer(self.structure.k),
        }


#: The range proofs of a disclosure proof, by index of the attribute's base.
RangeProofs = Mapping[int, tuple[RangeProof, ...]]


def read_range_proofs(value: Any, where: str) -> dict[int, tuple[RangeProof, ...]]:
    """Read the `rangeproofs` of a disclosure proof; null is none.

    Raises:
        MalformedProofError: it is no object of lists of range proofs by index, a list is empty (departure `range-proof-form`),
            or there are more than `MAX_RANGE_PROOFS` (departure `range-proof-count`).
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedProofError(where, "expected an object of indices and lists of range proofs")
    for key, proofs in value.items():
        if proofs is not None and not isinstance(proofs, list):
            raise MalformedProofError(f"{where}[{key}]", "expected a list of range proofs")
        if not proofs:
            raise MalformedProofError(f"{where}[{key}]", "no range proofs", departure="range-proof-form")
    if sum(map(len, value.values())) > MAX_RANGE_PROOFS:
        raise MalformedProofError(where, f"more than {MAX_RANGE_PROOFS} range proofs", departure="range-proof-count")
    return {
        decode_index(key, where): tuple(RangeProof.from_json(proof, f"{where}[{key}][{j}]") for j, proof in enumerate(proofs))
        for key, proofs in value.items()
    }


def write_range_proofs(range_proofs: RangeProofs) -> dict[str, Any]:
    """Return the JSON object of `rangeproofs`, in the order of the digits as the reference writes it."""
    return {str(index): [proof.to_json() for proof in range_proofs[index]] for index in sorted(range_proofs, key=str)}


def check_range_proofs(range_proofs: RangeProofs, hidden: Mapping[int, mpz], public_key: PublicKey, where: str) -> None:
    """Check everything about the range proofs of a disclosure proof that can be checked without an exponentiation.

    Args:
        range_proofs: the proofs.
        hidden: the responses for the hidden attributes of the disclosure proof.
        public_key: the issuer's key.
        where: what they are, for errors.

    Raises:
        MalformedProofError: a proof breaks a rule, or is about an attribute that is not hidden (departure `range-proof-index`).
        InvalidProofError: a number is out of bounds.
    """
    for index, proofs in range_proofs.items():
        if index not in hidden:
            raise MalformedProofError(f"{where}[{index}]", "the attribute is not among the hidden ones", departure="range-proof-index")
        for j, proof in enumerate(proofs):
            proof.check_structure(public_key, f"{where}[{index}][{j}]")


def range_contributions(range_proofs: RangeProofs, hidden: Mapping[int, mpz], public_key: PublicKey, challenge: mpz) -> tuple[mpz, ...]:
    """Return what the range proofs add to the challenge, by ascending index and then in the order of the list."""
    return tuple(
        contribution
        for index in sorted(range_proofs)
        for proof in range_proofs[index]
        for contribution in proof.contributions(public_key, index, challenge, hidden[index])
    )


@dataclass(frozen=True, slots=True, repr=False)
class RangeProver:
    """Makes a range proof. `create` splits the difference and chooses the random parts; the constructor takes them as given.

    Attributes:
        public_key: the issuer's key.
        index: of the attribute's base.
        structure: what is stated, and how.
        d: the roots.
        v: their blindings, l_m random bits each.
        d_randomizers, v_randomizers, v5_randomizer: of l_d + l_h + l_statzk, of l_m_commit, and of l_m_commit + l_d + 2 random bits.
    """

    public_key: PublicKey
    index: int
    structure: RangeStructure
    d: tuple[mpz, ...]
    v: tuple[mpz, ...]
    d_randomizers: tuple[mpz, ...]
    v_randomizers: tuple[mpz, ...]
    v5_randomizer: mpz

    @classmethod
    def create(cls, public_key: PublicKey, index: int, attribute: mpz, statement: Statement, random: RandomSource = SYSTEM_RANDOM) -> Self:
        """Split the difference into squares and choose blindings and randomizers.

        Args:
            public_key: the issuer's key.
            index: of the attribute's base.
            attribute: m; it is proved about as it is, so that one of more than l_m bits, of which the credential has a hash, cannot be.
            statement: what is to be proved.
            random: the source of randomness.

        Raises:
            MalformedProofError: the statement has no sign.
            UnprovableStatementError: it does not hold, or not within the reach of its splitter.
        """
        params = public_key.params
        structure = RangeStructure.of(statement)
        if attribute.bit_length() > params.l_m:
            raise UnprovableStatementError("the attribute is longer than l_m bits")
        difference = structure.sign * (structure.a * attribute - structure.k)
        if difference < 0:
            raise UnprovableStatementError("requested inequality does not hold")
        d = statement.squares.split(difference, random)
        if d is None:
            raise UnprovableStatementError("the difference is larger than the squares can express")
        return cls(
            public_key=public_key,
            index=index,
            structure=structure,
            d=d,
            v=_bits(params.l_m, d, random),
            d_randomizers=_bits(_d_randomizer_bits(params, structure.l_d), d, random),
            v_randomizers=_bits(params.l_m_commit, d, random),
            v5_randomizer=random.bits(_v5_randomizer_bits(params, structure.l_d)),
        )

    def commit(self, attribute_randomizer: mpz) -> "CommittedRange":
        """Make the first move.

        T_0 = S^{-v̂_5} · R^{-a·sign·m̂} · ∏ C_j^{d̂_j} and T_j = R^{d̂_j} · S^{v̂_j}. The holder knows how the C_j are made, so that all
        powers in T_0 are on R and S: d̂_j belongs to d_j and v_j there.

        Args:
            attribute_randomizer: m̂, that of the disclosure proof.
        """
        R_exponent = _inner(self.d, self.d_randomizers) - self.structure.a * self.structure.sign * attribute_randomizer
        S_exponent = _inner(self.v, self.d_randomizers) - self.v5_randomizer
        return CommittedRange(
            prover=self,
            C=self._elements(self.d, self.v),
            contributions=(
                self.public_key.power_product(S=S_exponent, R={self.index: R_exponent}),
                *self._elements(self.d_randomizers, self.v_randomizers),
            ),
        )

    def _elements(self, R_exponents: Sequence[mpz], S_exponents: Sequence[mpz]) -> tuple[mpz, ...]:
        """Return R^{r_j} · S^{s_j} for every pair of exponents."""
        pairs = zip(R_exponents, S_exponents, strict=True)
        return tuple(self.public_key.power_product(S=s, R={self.index: r}) for r, s in pairs)


@dataclass(frozen=True, slots=True, repr=False)
class CommittedRange:
    """A range proof after its first move.

    Attributes:
        prover: what it is made with.
        C: the commitments to the roots.
        contributions: T_0, T_1, ….
    """

    prover: RangeProver
    C: tuple[mpz, ...]
    contributions: tuple[mpz, ...]

    def respond(self, challenge: mpz) -> RangeProof:
        """Return the proof: every response is its randomizer + c · its secret."""
        prover = self.prover
        return RangeProof(
            structure=prover.structure,
            C=self.C,
            d_responses=_respond(prover.d_randomizers, challenge, prover.d),
            v_responses=_respond(prover.v_randomizers, challenge, prover.v),
            v5_response=prover.v5_randomizer + challenge * _inner(prover.d, prover.v),
        )


def _d_randomizer_bits(params: SystemParameters, l_d: int) -> int:
    return l_d + params.l_h + params.l_statzk


def _v5_randomizer_bits(params: SystemParameters, l_d: int) -> int:
    """v_5 is a sum of at most four products of l_m and l_d bits."""
    return params.l_m_commit + l_d + 2


def _bits(length: int, each: Iterable[object], random: RandomSource) -> tuple[mpz, ...]:
    return tuple(random.bits(length) for _ in each)


def _inner(left: Iterable[mpz], right: Iterable[mpz]) -> mpz:
    return sum((a * b for a, b in zip(left, right, strict=True)), mpz(0))


def _respond(randomizers: Iterable[mpz], challenge: mpz, secrets: Iterable[mpz]) -> tuple[mpz, ...]:
    return tuple(randomizer + challenge * secret for randomizer, secret in zip(randomizers, secrets, strict=True))


def _read_integers(value: Any, where: str) -> tuple[mpz, ...]:
    if not isinstance(value, list):
        raise MalformedProofError(where, "expected a list of integers")
    return tuple(decode_integer(element, f"{where}[{j}]") for j, element in enumerate(value))


def _read_number(value: Any, where: str) -> int:
    if value is None:
        raise MalformedProofError(where, "missing", departure="range-proof-form")
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedProofError(where, "expected a number")
    return value
