"""The native kernel computes what GMP does."""

import os
import subprocess
import sys
from pathlib import Path

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.arith import kernel, modular, primes
from idemix.arith.fixed_base import arithmetic_for
from idemix.cl.primes import find_prime
from idemix.params import params_for
from tests.support.kernel import EXPECTED, needs_kernel
from tests.support.randomness import SeededRandom
from tests.support.shared import ROOT, shared

SIZES = (kernel.LEAST_BITS, 701, 830, 831, 832, 1023, 1024, 1088, 1246, 1247, 2046, 2047, 2048, 3072, 4095, 4096, kernel.MOST_BITS)

#: 341 = 11 * 31 passes the test.
PSEUDOPRIME = mpz(341)


@st.composite
def moduli(draw: st.DrawFn) -> mpz:
    """Odd numbers of every size that the kernel takes, those with the longest runs of ones and zeros among them."""
    bits = draw(st.sampled_from(SIZES))
    top = mpz(1) << (bits - 1)
    return draw(st.sampled_from([top + 1, 2 * top - 1]) | st.integers(0, int(top) - 1).map(lambda value: (top + value) | 1))


def native(modulus: mpz) -> kernel.NativeModulus:
    found = kernel.for_modulus(modulus)
    assert found is not None
    return found


def test_the_kernel_is_there_where_it_can_be() -> None:
    assert (kernel.library is not None) >= EXPECTED


@needs_kernel
@settings(deadline=None, max_examples=300)
@given(moduli(), st.data())
def test_powers(modulus: mpz, data: st.DataObject) -> None:
    size = modulus.bit_length()
    base = data.draw(st.sampled_from([0, 1, 2, -1, int(modulus) - 1, int(modulus), int(modulus) + 5]) | st.integers(0, 1 << (size + 9)))
    bits = data.draw(st.sampled_from([1, 2, 16, 24, 25, 64, 255, 511, 512, 513, size, size + 100]))
    exponent = data.draw(st.sampled_from([1, 1 << (bits - 1), (1 << bits) - 1]) | st.integers(1, (1 << bits) - 1))
    assert native(modulus).power(mpz(base), mpz(exponent)) == pow(base, exponent, int(modulus))


@needs_kernel
@settings(deadline=None, max_examples=100)
@given(moduli(), moduli(), st.data())
def test_powers_of_two_moduli_at_once(one: mpz, other: mpz, data: st.DataObject) -> None:
    """Of the same length, when they are computed together, and of different ones; exponents of different lengths, 0 among them."""
    if data.draw(st.booleans()):
        other = mpz(data.draw(st.integers(1 << (one.bit_length() - 1), (1 << one.bit_length()) - 1))) | 1
    bases = [data.draw(st.integers(0, int(modulus))) for modulus in (one, other)]
    exponents = [data.draw(st.sampled_from([0, 1, 1 << 300]) | st.integers(0, 1 << 1100)) for _ in range(2)]
    assert native(one).powers(mpz(bases[0]), mpz(exponents[0]), native(other), mpz(bases[1]), mpz(exponents[1])) == (
        pow(bases[0], exponents[0], int(one)),
        pow(bases[1], exponents[1], int(other)),
    )
    assert modular.powmod_secret_pair(mpz(bases[0]), mpz(exponents[0]), one, mpz(bases[1]), mpz(exponents[1]), other) == (
        pow(bases[0], exponents[0], int(one)),
        pow(bases[1], exponents[1], int(other)),
    )


@needs_kernel
@settings(deadline=None, max_examples=60)
@given(moduli(), st.data())
def test_products(modulus: mpz, data: st.DataObject) -> None:
    """Tables of different shapes in one product, exponents shorter and longer than their tables' part among them."""
    computed, terms, expected = native(modulus), [], 1
    for number in range(data.draw(st.integers(1, 5))):
        base, teeth, columns = data.draw(st.integers(0, int(modulus) - 1)), data.draw(st.integers(1, 9)), data.draw(st.integers(1, 20))
        exponent = data.draw(st.integers(0, (1 << (2 * teeth * columns)) - 1))
        first, following = computed.table(mpz(base), teeth, columns)
        assert following == pow(base, 1 << (teeth * columns), int(modulus)), number
        second, _ = computed.table(following, teeth, columns)
        terms += [kernel.Term(first, mpz(exponent), 0), kernel.Term(second, mpz(exponent), teeth * columns)]
        expected = expected * pow(base, exponent, int(modulus)) % int(modulus)
    assert computed.product(terms) == expected


#: The lengths of primes e, 597 and 645 bits, and those with as many digits or one more or less.
BITS_OF_E = st.sampled_from([568, 569, 597, 620, 621, 645, 672, 673])


@st.composite
def fermat_numbers(draw: st.DrawFn, bits: int) -> list[mpz]:
    """One to eight odd numbers of much the same length, all with zeros between some lowest bits and the highest, or not."""
    top = mpz(1) << (bits - 1)
    gap = (st.integers(1, bits - 1) | st.sampled_from([51, 52, 103, 104, 119, 155, 156, 157])).flatmap(
        lambda low: st.lists(st.integers(0, min(int(top), 1 << low) - 1), min_size=1, max_size=8)
    )
    extreme = st.lists(st.sampled_from([0, 1 << (bits - 2), int(top) - 1]) | st.integers(0, int(top) - 1), min_size=1, max_size=8)
    return [(top + value) | 1 for value in draw(gap | extreme)]


@needs_kernel
@settings(deadline=None, max_examples=300)
@given((st.integers(3, 2070) | BITS_OF_E).flatmap(fermat_numbers), st.none() | st.integers(3, 2070))
def test_fermat_tests(numbers: list[mpz], other_bits: int | None) -> None:
    """Perhaps with a shorter or longer number among them."""
    if other_bits is not None:
        numbers[-1] = (mpz(1) << (other_bits - 1)) | numbers[-1] % (1 << (other_bits - 1)) | 1
    assert kernel.fermat_test(numbers) == [pow(2, int(number) - 1, int(number)) == 1 for number in numbers]


@needs_kernel
@settings(deadline=None, max_examples=100)
@given((st.integers(3, 700) | BITS_OF_E).flatmap(fermat_numbers))
def test_fermat_tests_of_primes(numbers: list[mpz]) -> None:
    """That all of them pass shows that every digit is right, which a composite does not."""
    found = [gmpy2.next_prime(number) for number in numbers[:3]]
    assert kernel.fermat_test(found) == [True] * len(found)


@needs_kernel
def test_fermat_tests_find_primes_and_what_looks_like_them() -> None:
    primes_of_a_kind = [mpz(3), mpz(5), (mpz(1) << 61) - 1, (mpz(1) << 521) - 1, (mpz(1) << 607) - 1, (mpz(1) << 1279) - 1]
    assert kernel.fermat_test([*primes_of_a_kind, PSEUDOPRIME, mpz(9)]) == [True] * 7 + [False]


@needs_kernel
def test_what_the_kernel_does_not_compute() -> None:
    for modulus in (mpz(1) << 1024, mpz(3) << 1024, (mpz(1) << (kernel.LEAST_BITS - 1)) - 1, (mpz(1) << (kernel.MOST_BITS + 1)) - 1):
        assert kernel.for_modulus(modulus) is None
    assert kernel.fermat_test([(mpz(1) << 2203) - 1]) is None


@needs_kernel
def test_the_kernel_keeps_within_its_memory(tmp_path: Path) -> None:
    """The tests above once more, with a kernel that the compiler has watch over its own memory and arithmetic."""
    compiler, library, source = "cc", tmp_path / "libkernel.so", Path(kernel.__file__).with_name("kernel.c")
    watching = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    subprocess.run([compiler, *watching, "-std=c11", "-fPIC", "-shared", "-o", library, source], check=True)
    runtime = [
        subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    program = (
        "import sys, pytest; from idemix.arith import kernel; kernel.library = kernel.open_library(sys.argv[1]); "
        "assert kernel.library is not None; sys.exit(pytest.main(sys.argv[2:]))"
    )
    environment = {"LD_PRELOAD": " ".join(runtime), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    arguments = ["-q", "-p", "no:cacheprovider", __file__, "-k", "test_powers or test_products or test_fermat"]
    result = subprocess.run(
        [sys.executable, "-c", program, str(library), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout


def test_without_the_kernel_gmp_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "library", None)
    modulus, base, exponent = (mpz(1) << 1279) - 1, mpz(5), mpz(3) ** 400
    assert kernel.for_modulus(modulus) is None
    assert modular.powmod(base, exponent, modulus) == modular.powmod_secret(base, exponent, modulus) == pow(5, int(exponent), int(modulus))
    table, _ = arithmetic_for(modulus).table(base, 4, 200)
    assert arithmetic_for(modulus).product([kernel.Term(table, exponent, 0)]) == pow(5, int(exponent), int(modulus))
    assert primes.is_safe_prime(mpz(23))
    assert find_prime(params_for(1024), SeededRandom("without")) == find_prime(params_for(1024), SeededRandom("without"))


def test_the_same_primes_are_found_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [find_prime(params_for(2048), SeededRandom(f"{seed}")) for seed in range(5)]
    monkeypatch.setattr(kernel, "library", None)
    assert [find_prime(params_for(2048), SeededRandom(f"{seed}")) for seed in range(5)] == found


def test_the_vectors_hold_without_the_kernel(tmp_path: Path) -> None:
    """What was recorded from the reference of signatures and proofs, computed with GMP alone."""
    for name in ("cl", "proofs", "rangeproof", "revocation"):
        (tmp_path / f"{name}.json").symlink_to(shared("vectors", f"{name}.json"))
    program = "from idemix.arith import kernel; kernel.library = None; from irmahub.cli import main; main()"
    arguments = ["conformance", str(tmp_path), "--schemes", str(shared("schemes"))]
    result = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert ", 0 failed, 0 skipped" in result.stdout
