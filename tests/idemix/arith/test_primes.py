"""Primes."""

from collections import Counter

import gmpy2
import pytest
from gmpy2 import mpz

from idemix.arith import primes
from idemix.arith.primes import find_safe_prime, is_safe_prime, random_prime_in_range
from tests.support.randomness import SeededRandom


@pytest.mark.parametrize(("start_bits", "length_bits"), [(596, 119), (644, 119), (60, 16)])
def test_prime_lies_in_its_range(start_bits: int, length_bits: int) -> None:
    random = SeededRandom(start_bits)
    primes = [random_prime_in_range(start_bits, length_bits, random) for _ in range(5)]
    assert len(set(primes)) == 5
    for prime in primes:
        assert 0 < prime - (1 << start_bits) < 1 << length_bits
        assert gmpy2.is_prime(prime, 40)


def test_primes_come_from_all_over_their_range() -> None:
    random = SeededRandom("spread")
    found = [random_prime_in_range(60, 16, random) for _ in range(800)]
    parts = Counter(int(prime - (1 << 60)) >> 13 for prime in found)
    assert sorted(parts) == list(range(8))
    assert max(parts.values()) < 2 * min(parts.values())
    for modulus in (3, 4, 5):
        classes = Counter(int(prime % modulus) for prime in found)
        assert len(classes) == sum(gmpy2.gcd(residue, modulus) == 1 for residue in range(modulus))
        assert max(classes.values()) < 1.5 * min(classes.values())


@pytest.mark.parametrize("start", [(mpz(1) << 596) + 1, (mpz(1) << 644) + (mpz(1) << 118) - 1, mpz(1001)])
def test_what_a_small_prime_divides_is_not_tried(start: mpz) -> None:
    small = [number for number in range(3, primes._RANGE_SIEVE_BOUND) if gmpy2.is_prime(number)]
    left = [i for i in range(primes._RANGE_WINDOW) if all((start + 2 * i) % prime for prime in small)]
    assert primes._sieve_window(start) == left


def test_a_search_goes_on_in_further_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two numbers have a prime of this length once in a hundred times."""
    monkeypatch.setattr(primes, "_RANGE_WINDOW", 2)
    primes._groups.cache_clear()
    prime = random_prime_in_range(596, 119, SeededRandom("further"))
    primes._groups.cache_clear()
    assert gmpy2.is_prime(prime, 40)


@pytest.mark.parametrize(("start", "step"), [(mpz(3) << 100 | 3, 4), (mpz(5) << 100 | 5, 8)])
def test_first_safe_prime_of_a_window(start: mpz, step: int) -> None:
    prime = find_safe_prime(start, step)
    assert prime is not None
    assert is_safe_prime(prime)
    half = prime >> 1
    assert half >= start
    assert (half - start) % step == 0
    for earlier in range(int((half - start) // step)):
        assert not is_safe_prime(2 * (start + earlier * step) + 1)


def test_a_window_without_safe_prime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primes, "WINDOW", 4)
    # Of the four candidates, 3 + 2^1000·k and the next ones, none is prime.
    start = mpz(3) << 1000 | 3
    assert not any(is_safe_prime(2 * (start + 4 * i) + 1) for i in range(4))
    assert find_safe_prime(start, 4) is None


@pytest.mark.parametrize(("value", "safe"), [(5, True), (7, True), (23, True), (13, False), (15, False), (22, False)])
def test_safe_primes(value: int, safe: bool) -> None:
    assert is_safe_prime(mpz(value)) is safe
