"""Measures the engine in units: multiples of one modular exponentiation with a modulus and exponent of 2048 bits.

The unit is measured between the repetitions of what is measured, in the same run, so that a machine that slows down slows
both. A figure is the median of its repetitions.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from gmpy2 import mpz

from idemix.arith.fixed_base import TABLES
from idemix.arith.modular import inverse, powmod
from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.cl.primes import find_prime
from idemix.cl.signature import attribute_exponent, sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.issuance.issuer import sign_credential
from idemix.keys.generate import KeyPair, generate_key_pair
from idemix.keys.public import PublicKey
from idemix.params import REVOCATION_RANDOMIZER_BITS
from idemix.proofs import CommitmentBuilder, ProofD, ProofList, ProofU, build_proof_list, verify_proof_list
from idemix.revocation import Update, Witness

UNIT_BITS: Final = 2048
CONTEXT: Final = mpz(1)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        bits: length of the modulus.
        attributes: of the credential, without secret key and metadata; 0 where none is involved.
        milliseconds: the median.
        units: the same in units.
        naive_units: the formula as it stands in the paper, every power on its own and without tables, in units; None where
            there is no such baseline.
        repetitions: how often it was measured.
    """

    name: str
    bits: int
    attributes: int
    milliseconds: float
    units: float
    naive_units: float | None
    repetitions: int


class _Meter:
    """Measures work and, between the repetitions, the unit."""

    def __init__(self) -> None:
        self._modulus = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(0).bit_set(UNIT_BITS - 1)
        self._base = SYSTEM_RANDOM.bits(UNIT_BITS - 1)
        self._exponent = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(UNIT_BITS - 1)

    def measure(self, work: Callable[[], object], repetitions: int) -> tuple[float, float]:
        """Return the median of the work in milliseconds and in units."""
        durations, units = [], []
        for _ in range(repetitions):
            units.append(_seconds(self._unit))
            durations.append(_seconds(work))
        median = statistics.median(durations)
        return median * 1000, median / statistics.median(units)

    def mean(self, work: Callable[[], object], repetitions: int) -> tuple[float, float]:
        """Return the mean of the work in milliseconds and in units, as time passes: for work of chance length in processes."""
        durations, units = [], []
        for _ in range(repetitions):
            units.append(_seconds(self._unit))
            durations.append(_seconds(work, time.perf_counter))
        mean = statistics.fmean(durations)
        return mean * 1000, mean / statistics.median(units)

    def _unit(self) -> mpz:
        return powmod(self._base, self._exponent, self._modulus)


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """The time of the processor, since other programs of the machine must not count; `clock` is another for work in processes."""
    start = clock()
    work()
    return clock() - start


def run(
    *,
    bits: Sequence[int] = (2048,),
    attributes: Sequence[int] = (10,),
    repetitions: int = 25,
    key_pairs: int = 10,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure the engine.

    Args:
        bits: the lengths of modulus.
        attributes: the numbers of attributes of a credential; one of them is disclosed.
        repetitions: of every measurement but that of key pairs.
        key_pairs: how many key pairs are made per length; their mean counts. 0 leaves the row out.
        report: told what is measured next.
    """
    meter = _Meter()
    rows: list[Row] = []
    for length in bits:
        report(f"{length} bits: a key")
        pair = generate_key_pair(length, counter=0, expires_at=0, bases=max(attributes) + 2)
        for count in attributes:
            report(f"{length} bits, {count} attributes")
            rows += _measure_credential(meter, pair, count, repetitions)
            rows += _measure_revocation(meter, pair, count, repetitions)
        report(f"{length} bits: tables")
        milliseconds, units = meter.measure(partial(_build_tables, pair.public), max(3, repetitions // 5))
        rows.append(Row("build_tables", length, max(attributes), milliseconds, units, None, max(3, repetitions // 5)))
        if key_pairs:
            report(f"{length} bits: {key_pairs} key pairs")
            work = partial(generate_key_pair, length, counter=0, expires_at=0, bases=12, processes=os.cpu_count() or 1)
            milliseconds, units = meter.mean(work, key_pairs)
            rows.append(Row("generate_key_pair", length, 0, milliseconds, units, None, key_pairs))
    return rows


def _build_tables(key: PublicKey) -> None:
    TABLES.clear()
    key.build_tables()


def _measure_credential(meter: _Meter, pair: KeyPair, count: int, repetitions: int) -> list[Row]:
    key = pair.public
    key.build_tables()
    secret = generate_secret_key()
    nonce = SYSTEM_RANDOM.bits(128)
    values = (secret, *(SYSTEM_RANDOM.bits(key.params.l_m - 2) for _ in range(count + 1)))
    credential = Credential(key, sign(pair.private, key, values), values)

    def prove() -> ProofList:
        return build_proof_list([credential.disclosure_builder({1, 2})], context=CONTEXT, nonce=nonce, is_signature=False)

    def verify(proofs: ProofList) -> None:
        verify_proof_list(proofs, [key], context=CONTEXT, nonce=nonce, is_signature=False)

    disclosure = prove()
    commitment = build_proof_list([CommitmentBuilder.create(key, secret)], context=CONTEXT, nonce=nonce, is_signature=False)
    proof_d, proof_u = disclosure[0], commitment[0]
    assert isinstance(proof_d, ProofD)  # noqa: S101 - what the builders above give
    assert isinstance(proof_u, ProofU)  # noqa: S101
    # The gateway signs with primes that its pool found in idle time; what finding one costs is a row of its own.
    primes = [find_prime(key.params) for _ in range(repetitions)]
    spare_prime = find_prime(key.params)

    def issue() -> None:
        sign_credential(pair.private, key, proof_u.U, values[1:], nonce2=nonce, context=CONTEXT, prime=primes.pop())

    works: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {
        "verify_disclosure": (partial(verify, disclosure), partial(_naive_verify_disclosure, key, proof_d)),
        "verify_commitment": (partial(verify, commitment), partial(_naive_verify_commitment, key, proof_u)),
        "sign_credential": (issue, partial(_naive_sign, pair, proof_u.U, values, spare_prime)),
        "find_prime": (partial(find_prime, key.params), None),
        "prove_disclosure": (prove, partial(_naive_prove, credential)),
    }
    rows = []
    for name, (work, naive) in works.items():
        milliseconds, units = meter.measure(work, repetitions)
        naive_units = meter.measure(naive, max(3, repetitions // 5))[1] if naive else None
        rows.append(Row(name, key.N.bit_length(), count, milliseconds, units, naive_units, repetitions))
    return rows


def _measure_revocation(meter: _Meter, pair: KeyPair, count: int, repetitions: int) -> list[Row]:
    """A credential whose last attribute is the revocation attribute, disclosed with a proof of non-revocation."""
    key, index = pair.public, count + 1
    update = Update.initial(pair.private, now=0)
    witness = Witness.issue(pair.private, update.signed_accumulator, update.verify(key))
    hidden = (SYSTEM_RANDOM.bits(key.params.l_m - 2) for _ in range(count))
    values = (generate_secret_key(), *hidden, witness.e)
    credential = Credential(key, sign(pair.private, key, values), values)
    disclosed = {1, 2} - {index}

    def prove() -> ProofList:
        builder = credential.disclosure_builder(disclosed, witness=witness, revocation_index=index)
        return build_proof_list([builder], context=CONTEXT, nonce=CONTEXT, is_signature=False)

    def verify() -> None:
        verify_proof_list(disclosure, [key], context=CONTEXT, nonce=CONTEXT, is_signature=False, revocation_indices=[index])

    disclosure = prove()
    for _ in range(2):
        # Tables of G and H are built when these are used again.
        verify()
    works: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "verify_disclosure_nonrevocation": (verify, partial(_naive_verify_nonrevocation, key, disclosure, index)),
        "prove_disclosure_nonrevocation": (prove, partial(_naive_prove_nonrevocation, credential, witness)),
    }
    rows = []
    for name, (work, naive) in works.items():
        milliseconds, units = meter.measure(work, repetitions)
        naive_units = meter.measure(naive, max(3, repetitions // 5))[1]
        rows.append(Row(name, key.N.bit_length(), count, milliseconds, units, naive_units, repetitions))
    return rows


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
    powmod(witness.u, witness.e, key.N)
    C_r = _naive_product(key, [(G, r_2), (H, r_3)])
    C_u = witness.u * powmod(H, r_2, key.N) % key.N
    _naive_product(key, [(G, epsilon), (H, zeta)])
    _naive_product(key, [(C_u, alpha), (H, -beta)])
    _naive_product(key, [(C_r, alpha), (G, -beta), (H, -delta)])


def _naive_product(key: PublicKey, terms: Sequence[tuple[mpz, mpz]]) -> mpz:
    """∏ base^exponent, each power on its own."""
    result = mpz(1)
    for base, exponent in terms:
        result = result * powmod(base, exponent, key.N) % key.N
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
    A = powmod(Q, inverse(e, pair.private.order), key.N)
    return powmod(A, e, key.N) * powmod(Q, SYSTEM_RANDOM.below(pair.private.order), key.N)


def _naive_prove(credential: Credential) -> mpz:
    """A' = A · S^r and Z̃ = A'^{ê} · S^{v̂} · ∏ R_i^{â_i}."""
    key, params = credential.public_key, credential.public_key.params
    A = credential.signature.A * powmod(key.S, SYSTEM_RANDOM.bits(params.l_ra), key.N) % key.N
    hidden = [(key.R[index], SYSTEM_RANDOM.bits(params.l_m_commit)) for index in range(len(credential.attributes)) if index not in (1, 2)]
    return _naive_product(key, [(A, SYSTEM_RANDOM.bits(params.l_e_commit)), (key.S, SYSTEM_RANDOM.bits(params.l_v_commit)), *hidden])


def table(rows: Sequence[Row]) -> str:
    """Return the figures as text for people."""
    lines = [f"{'':<34}{'bits':>6}{'attributes':>12}{'ms':>12}{'units':>10}{'naive':>10}"]
    for row in rows:
        naive = "" if row.naive_units is None else f"{row.naive_units:.2f}"
        count = row.attributes or ""
        lines.append(f"{row.name:<34}{row.bits:>6}{count:>12}{row.milliseconds:>12.2f}{row.units:>10.2f}{naive:>10}")
    lines.append(f"\n1 unit is one modular exponentiation of {UNIT_BITS} bits.")
    lines.append(
        "Processor time, the median; of key pairs the mean of the time that passed. A credential is signed with a prime found before."
    )
    return "\n".join(lines)
