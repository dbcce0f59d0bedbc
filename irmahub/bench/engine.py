"""Measures the engine in units: multiples of one modular exponentiation with a modulus and exponent of 2048 bits.

The unit is measured before and after each repetition of what is measured, in the same run, so that a machine that slows
down slows both. A figure is the median of its repetitions; in units, the median of what each is in units.

What is measured is listed in the functions named `_…works`, with the naive formula beside it.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from operator import truediv
from typing import Final, TypeAlias

import gmpy2
from gmpy2 import mpz

from idemix.arith.fixed_base import TABLES
from idemix.arith.modular import inverse
from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.cl.primes import find_prime
from idemix.cl.signature import attribute_exponent, sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.issuance.issuer import sign_credential
from idemix.keys.generate import KeyPair, generate_key_pair
from idemix.keys.public import PublicKey
from idemix.params import MODULUS_LENGTHS, REVOCATION_RANDOMIZER_BITS
from idemix.proofs import CommitmentBuilder, ProofD, ProofList, ProofU, build_proof_list, verify_proof_list
from idemix.rangeproof import AT_LEAST, Statement
from idemix.revocation import Update, Witness

UNIT_BITS: Final = 2048
CONTEXT: Final = mpz(1)

#: The numbers of attributes that are measured.
ATTRIBUTE_COUNTS: Final = (5, 10, 20, 40)

#: Length of the number about which a range proof is made.
RANGE_BITS: Final = 64

#: What is measured, and its naive formula.
Work: TypeAlias = tuple[Callable[[], object], Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        bits: length of the modulus.
        attributes: of the credential, without secret key and metadata; 0 where none is involved.
        milliseconds: the median; for `build_tables` that of a base, for `generate_key_pair` the mean.
        units: the same in units.
        naive_units: the formula as it stands in the paper, every power on its own and without tables, in units; None where
            there is no such baseline.
        memory_bytes: what the tables of the key take, for `build_tables`.
    """

    name: str
    bits: int
    attributes: int
    milliseconds: float
    units: float
    naive_units: float | None = None
    memory_bytes: int | None = None

    def to_json(self) -> dict[str, str | int | float | None]:
        """The figure as data."""
        return {
            "name": self.name,
            "bits": self.bits,
            "attributes": self.attributes,
            "milliseconds": round(self.milliseconds, 4),
            "units": round(self.units, 4),
            "naive_units": None if self.naive_units is None else round(self.naive_units, 4),
        }


class _Meter:
    """Measures work and, before and after each repetition, the unit."""

    def __init__(self) -> None:
        self._modulus = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(0).bit_set(UNIT_BITS - 1)
        self._base = SYSTEM_RANDOM.bits(UNIT_BITS - 1)
        self._exponent = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(UNIT_BITS - 1)

    def measure(self, work: Callable[[], object], repetitions: int) -> tuple[float, float]:
        """Return the median of the work in milliseconds and in units."""
        durations, units = self._repeat(work, repetitions, time.thread_time)
        return statistics.median(durations) * 1000, statistics.median(map(truediv, durations, units))

    def mean(self, work: Callable[[], object], repetitions: int) -> tuple[float, float]:
        """Return the mean of the work in milliseconds and in units, as time passes: for work of chance length in processes."""
        durations, units = self._repeat(work, repetitions, time.perf_counter)
        mean = statistics.fmean(durations)
        return mean * 1000, mean / statistics.median(units)

    def _repeat(self, work: Callable[[], object], repetitions: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        """Return the seconds of each repetition, and those of the unit around it."""
        durations, units = [], [_seconds(self._unit)]
        for _ in range(repetitions):
            durations.append(_seconds(work, clock))
            units.append(_seconds(self._unit))
        return durations, [(before + after) / 2 for before, after in pairwise(units)]

    def _unit(self) -> mpz:
        return gmpy2.powmod(self._base, self._exponent, self._modulus)


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """The time of the processor, since other programs of the machine must not count; `clock` is another for work in processes."""
    start = clock()
    work()
    return clock() - start


def run(
    *,
    bits: Sequence[int] = MODULUS_LENGTHS,
    attributes: Sequence[int] = ATTRIBUTE_COUNTS,
    repetitions: int = 25,
    key_pairs: int = 20,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure the engine.

    Args:
        bits: the lengths of modulus.
        attributes: the numbers of attributes of a credential; one of them is disclosed.
        repetitions: of every measurement but that of key pairs.
        key_pairs: how many key pairs are made per length; their mean counts. Of 4096 bits, which take a minute, one at most;
            0 leaves the row out.
        report: told what is measured next.
    """
    meter = _Meter()
    rows: list[Row] = []
    for length in bits:
        report(f"{length} bits: key pairs")
        pairs: list[KeyPair] = []
        milliseconds, units = meter.mean(
            lambda length=length, pairs=pairs: pairs.append(_generate(length, max(attributes))),  # type: ignore[misc]
            min(key_pairs, 1 if length > UNIT_BITS else key_pairs) or 1,
        )
        if key_pairs:
            rows.append(Row("generate_key_pair", length, 0, milliseconds, units))
        milliseconds, units = meter.measure(partial(find_prime, pairs[0].public.params), repetitions)
        rows.append(Row("find_prime", length, 0, milliseconds, units))
        for count in attributes:
            report(f"{length} bits, {count} attributes")
            TABLES.clear()
            rows.append(_measure_tables(meter, pairs[0].public, count, max(3, repetitions // 5)))
            rows += _measure_credential(meter, pairs[0], count, repetitions)
    return rows


def _generate(length: int, count: int) -> KeyPair:
    return generate_key_pair(length, counter=0, expires_at=0, bases=count + 2, processes=os.cpu_count() or 1)


def _measure_tables(meter: _Meter, key: PublicKey, count: int, repetitions: int) -> Row:
    """Measure what it takes to build the tables of a key with as many bases as the attributes need; a figure is for one base."""
    key = replace(key, R=key.R[: count + 2])

    def build() -> None:
        TABLES.clear()
        key.build_tables()

    milliseconds, units = meter.measure(build, repetitions)
    # Those of the attributes, S and Z.
    bases = len(key.R) + 2
    return Row("build_tables", key.N.bit_length(), count, milliseconds / bases, units / bases, memory_bytes=TABLES.size_bytes)


def _measure_credential(meter: _Meter, pair: KeyPair, count: int, repetitions: int) -> list[Row]:
    """Measure what is done with a credential, its proofs and their keys, once the tables are built."""
    pair.public.build_tables()
    works = _works(pair, count, repetitions) | _revocation_works(pair, count) | _range_works(pair, count)
    rows = []
    for name, (work, naive) in works.items():
        milliseconds, units = meter.measure(work, repetitions)
        naive_units = meter.measure(naive, max(3, repetitions // 5))[1]
        rows.append(Row(name, pair.public.N.bit_length(), count, milliseconds, units, naive_units))
    return rows


def _works(pair: KeyPair, count: int, repetitions: int) -> dict[str, Work]:
    """Return what is measured on a credential of `count` attributes, one of which is disclosed, each with its naive formula."""
    key = pair.public
    credential = _credential(pair, count, SYSTEM_RANDOM.bits(key.params.l_m - 2))
    nonce, values = SYSTEM_RANDOM.bits(128), credential.attributes

    def prove() -> ProofList:
        return build_proof_list([credential.disclosure_builder({1, 2})], context=CONTEXT, nonce=nonce, is_signature=False)

    def verify(proofs: ProofList) -> None:
        verify_proof_list(proofs, [key], context=CONTEXT, nonce=nonce, is_signature=False)

    disclosure = prove()
    commitment = build_proof_list([CommitmentBuilder.create(key, values[0])], context=CONTEXT, nonce=nonce, is_signature=False)
    proof_d, proof_u = disclosure[0], commitment[0]
    assert isinstance(proof_d, ProofD)  # noqa: S101 - what the builders above give
    assert isinstance(proof_u, ProofU)  # noqa: S101
    # The gateway signs with primes that its pool found in idle time; what finding one costs is a row of its own.
    primes = [find_prime(key.params) for _ in range(repetitions)]
    spare_prime = find_prime(key.params)

    def issue() -> None:
        sign_credential(pair.private, key, proof_u.U, values[1:], nonce2=nonce, context=CONTEXT, prime=primes.pop())

    return {
        "verify_disclosure": (partial(verify, disclosure), partial(_naive_verify_disclosure, key, proof_d)),
        "verify_commitment": (partial(verify, commitment), partial(_naive_verify_commitment, key, proof_u)),
        "sign_credential": (issue, partial(_naive_sign, pair, proof_u.U, values, spare_prime)),
        "prove_disclosure": (prove, partial(_naive_prove, credential)),
    }


def _revocation_works(pair: KeyPair, count: int) -> dict[str, Work]:
    """Return the works on a credential whose last attribute is the revocation attribute, disclosed with a proof of non-revocation."""
    key, index = pair.public, count + 1
    update = Update.initial(pair.private, now=0)
    witness = Witness.issue(pair.private, update.signed_accumulator, update.verify(key))
    credential = _credential(pair, count, witness.e)

    def prove() -> ProofList:
        builder = credential.disclosure_builder({1, 2} - {index}, witness=witness, revocation_index=index)
        return build_proof_list([builder], context=CONTEXT, nonce=CONTEXT, is_signature=False)

    def verify() -> None:
        verify_proof_list(disclosure, [key], context=CONTEXT, nonce=CONTEXT, is_signature=False, revocation_indices=[index])

    disclosure = prove()
    for _ in range(2):
        # Tables of G and H are built when these are used again.
        verify()
    return {
        "verify_disclosure_nonrevocation": (verify, partial(_naive_verify_nonrevocation, key, disclosure, index)),
        "prove_disclosure_nonrevocation": (prove, partial(_naive_prove_nonrevocation, credential, witness)),
    }


def _range_works(pair: KeyPair, count: int) -> dict[str, Work]:
    """Return the works on a credential whose last attribute is a number, disclosed with a proof that it is no less than a bound."""
    key, index = pair.public, count + 1
    credential = _credential(pair, count, SYSTEM_RANDOM.bits(RANGE_BITS))
    statements = {index: [Statement(AT_LEAST, mpz(0))]}

    def prove() -> ProofList:
        builder = credential.disclosure_builder({1, 2} - {index}, statements=statements)
        return build_proof_list([builder], context=CONTEXT, nonce=CONTEXT, is_signature=False)

    def verify() -> None:
        verify_proof_list(disclosure, [key], context=CONTEXT, nonce=CONTEXT, is_signature=False)

    disclosure = prove()
    return {
        "verify_disclosure_range": (verify, partial(_naive_verify_range, key, disclosure, index)),
        "prove_disclosure_range": (prove, partial(_naive_prove_range, credential, disclosure, index)),
    }


def _credential(pair: KeyPair, count: int, last: mpz) -> Credential:
    """A credential of `count` attributes, the last of which is given."""
    key = pair.public
    values = (generate_secret_key(), *(SYSTEM_RANDOM.bits(key.params.l_m - 2) for _ in range(count)), last)
    return Credential(key, sign(pair.private, key, values), values)


def _naive_verify_nonrevocation(key: PublicKey, disclosure: ProofList, index: int) -> None:
    """Z̃, then C_r^{-c} · G^ε · H^ζ, ν^{-c} · C_u^α · H^{-β} and C_r^α · G^{-β} · H^{-δ}."""
    proof = disclosure[0]
    assert isinstance(proof, ProofD)  # noqa: S101 - what the builder gives
    _naive_verify_disclosure(key, proof)
    part = proof.nonrev_proof
    assert part is not None  # noqa: S101
    G, H, alpha = key.G or mpz(0), key.H or mpz(0), proof.a_responses[index]
    nu = part.signed_accumulator.verify(key).nu
    _naive_product(key, [(part.C_r, -proof.c), (G, part.epsilon), (H, part.zeta)])
    _naive_product(key, [(nu, -proof.c), (part.C_u, alpha), (H, -part.beta)])
    _naive_product(key, [(part.C_r, alpha), (G, -part.beta), (H, -part.delta)])


def _naive_prove_nonrevocation(credential: Credential, witness: Witness) -> None:
    """The disclosure, then C_r, C_u and the three relations with the randomizers."""
    _naive_prove(credential)
    key, params = credential.public_key, credential.public_key.params
    G, H = key.G or mpz(0), key.H or mpz(0)
    r_2, r_3, alpha = SYSTEM_RANDOM.below(key.N >> 2), SYSTEM_RANDOM.below(key.N >> 2), SYSTEM_RANDOM.bits(REVOCATION_RANDOMIZER_BITS)
    beta, delta = SYSTEM_RANDOM.bits(params.l_er_nonrev_commit), SYSTEM_RANDOM.bits(params.l_er_nonrev_commit)
    epsilon, zeta = SYSTEM_RANDOM.bits(params.l_r_nonrev_commit), SYSTEM_RANDOM.bits(params.l_r_nonrev_commit)
    gmpy2.powmod(witness.u, witness.e, key.N)
    C_r = _naive_product(key, [(G, r_2), (H, r_3)])
    C_u = witness.u * gmpy2.powmod(H, r_2, key.N) % key.N
    _naive_product(key, [(G, epsilon), (H, zeta)])
    _naive_product(key, [(C_u, alpha), (H, -beta)])
    _naive_product(key, [(C_r, alpha), (G, -beta), (H, -delta)])


def _naive_verify_range(key: PublicKey, disclosure: ProofList, index: int) -> None:
    """Z̃, then R^{c·k} · S^{-v̂_5} · R^{-m̂} · ∏ C_j^{d̂_j}, and of each square C_j^{-c} · R^{d̂_j} · S^{v̂_j}."""
    proof = disclosure[0]
    assert isinstance(proof, ProofD)  # noqa: S101 - what the builder gives
    _naive_verify_disclosure(key, proof)
    (part,) = proof.range_proofs[index]
    R = key.R[index]
    squares = list(zip(part.C, part.d_responses, part.v_responses, strict=True))
    bound, response = proof.c * part.structure.k, proof.a_responses[index]
    _naive_product(key, [(R, bound), (key.S, -part.v5_response), (R, -response), *((C, d) for C, d, _ in squares)])
    for C, d, v in squares:
        _naive_product(key, [(C, -proof.c), (R, d), (key.S, v)])


def _naive_prove_range(credential: Credential, disclosure: ProofList, index: int) -> None:
    """The disclosure, then the C_j and the relations with randomizers as long as the responses."""
    _naive_prove(credential)
    proof = disclosure[0]
    assert isinstance(proof, ProofD)  # noqa: S101 - what the builder gives
    key = credential.public_key
    (part,) = proof.range_proofs[index]
    R, l_m = key.R[index], key.params.l_m
    squares = list(zip(part.C, part.d_responses, part.v_responses, strict=True))
    for _ in squares:
        _naive_product(key, [(R, SYSTEM_RANDOM.bits(RANGE_BITS // 2)), (key.S, SYSTEM_RANDOM.bits(l_m))])
    _naive_product(key, [(key.S, -part.v5_response), (R, -proof.a_responses[index]), *((C, d) for C, d, _ in squares)])
    for _, d, v in squares:
        _naive_product(key, [(R, d), (key.S, v)])


def _naive_product(key: PublicKey, terms: Sequence[tuple[mpz, mpz]]) -> mpz:
    """∏ base^exponent, each power on its own."""
    result = mpz(1)
    for base, exponent in terms:
        result = result * gmpy2.powmod(base, exponent, key.N) % key.N
    return result


def _naive_verify_disclosure(key: PublicKey, proof: ProofD) -> mpz:
    """Z̃ = (Z / (A^{2^(l_e-1)} · ∏ R_i^{a_i}))^{-c} · A^{ê} · S^{v̂} · ∏ R_i^{â_i}."""
    shown = [(key.R[index], attribute_exponent(value, key.params)) for index, value in proof.a_disclosed.items()]
    divisor = _naive_product(key, [(proof.A, mpz(1) << (key.params.l_e - 1)), *shown])
    known = key.Z * inverse(divisor, key.N) % key.N
    hidden = [(key.R[index], response) for index, response in proof.a_responses.items()]
    return _naive_product(key, [(known, -proof.c), (proof.A, proof.e_response), (key.S, proof.v_response), *hidden])


def _naive_verify_commitment(key: PublicKey, proof: ProofU) -> mpz:
    """Û = U^{-c} · S^{v̂'} · R_0^{ŝ}."""
    return _naive_product(key, [(proof.U, -proof.c), (key.S, proof.v_prime_response), (key.R[0], proof.s_response)])


def _naive_sign(pair: KeyPair, U: mpz, values: Sequence[mpz], e: mpz) -> mpz:
    """A = (Z / (S^v · U · ∏ R_i^{m_i}))^{1/e}, then its proof's A^e and Q^r."""
    key, params = pair.public, pair.public.params
    v = SYSTEM_RANDOM.bits(params.l_v)
    divisor = _naive_product(key, [(key.S, v), *zip(key.R[1:], values[1:], strict=False)]) * U % key.N
    Q = key.Z * inverse(divisor, key.N) % key.N
    A = gmpy2.powmod(Q, inverse(e, pair.private.order), key.N)
    return gmpy2.powmod(A, e, key.N) * gmpy2.powmod(Q, SYSTEM_RANDOM.below(pair.private.order), key.N)


def _naive_prove(credential: Credential) -> mpz:
    """A' = A · S^r and Z̃ = A'^{ê} · S^{v̂} · ∏ R_i^{â_i}."""
    key, params = credential.public_key, credential.public_key.params
    A = credential.signature.A * gmpy2.powmod(key.S, SYSTEM_RANDOM.bits(params.l_ra), key.N) % key.N
    hidden = [(key.R[index], SYSTEM_RANDOM.bits(params.l_m_commit)) for index in range(len(credential.attributes)) if index not in (1, 2)]
    return _naive_product(key, [(A, SYSTEM_RANDOM.bits(params.l_e_commit)), (key.S, SYSTEM_RANDOM.bits(params.l_v_commit)), *hidden])


def table(rows: Sequence[Row]) -> str:
    """Return the figures as text for people."""
    lines = [f"{'':<34}{'bits':>6}{'attributes':>12}{'ms':>12}{'units':>10}{'naive':>10}{'MiB':>8}"]
    for row in rows:
        naive = "" if row.naive_units is None else f"{row.naive_units:.2f}"
        memory = "" if row.memory_bytes is None else f"{row.memory_bytes / (1 << 20):.1f}"
        line = f"{row.name:<34}{row.bits:>6}{row.attributes or '':>12}{row.milliseconds:>12.2f}{row.units:>10.2f}{naive:>10}{memory:>8}"
        lines.append(line.rstrip())
    lines.append(f"\n1 unit is one modular exponentiation of {UNIT_BITS} bits by GMP, which the naive formulas are computed with.")
    lines.append(
        "Processor time, the median; of key pairs the mean of the time that passed. A credential is signed with a prime found before."
    )
    lines.append("Tables: the time is that of one base, the memory that of the whole key.")
    return "\n".join(lines)
