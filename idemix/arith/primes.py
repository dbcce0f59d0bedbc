"""Primes: a random one in an interval, and safe primes.

A safe prime p = 2p'+1 has p' prime too. They are rare, so candidates p' are sieved in windows: a small prime r rules out
every p' with p' ≡ 0 or 2p' + 1 ≡ 0 (mod r) before anything is exponentiated.

Source: gabi `internal/common/randomprime.go` and `safeprime/safeprime.go`; Wiener, "Safe Prime Generation with a
Combined Sieve", Cryptology ePrint 2003/186, for the sieve.
"""

import functools
from typing import Final

import gmpy2
from gmpy2 import mpz

from .modular import powmod
from .randomness import SYSTEM_RANDOM, RandomSource

#: Rounds of Miller-Rabin for primes that are kept; GMP does a Baillie-PSW test first.
PRIMALITY_ROUNDS: Final = 40

#: Candidates in one window of the search for safe primes.
WINDOW: Final = 1 << 17

_SIEVE_BOUND: Final = 1 << 18

#: The product of the odd primes below 2,000: one gcd replaces the trial divisions.
_SMALL_PRIMES: Final = gmpy2.primorial(2000) // 2


def random_prime_in_range(start_bits: int, length_bits: int, random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a prime 2^start_bits + δ, δ uniform among the odd integers of `length_bits` bits that give a prime.

    Source: gabi `internal/common/randomprime.go` (RandomPrimeInRange).
    """
    start = mpz(1) << start_bits
    while True:
        candidate = start + random.bits(length_bits) | 1
        if gmpy2.gcd(candidate, _SMALL_PRIMES) == 1 and _is_prime(candidate):
            return candidate


def is_safe_prime(value: mpz) -> bool:
    """Whether value and (value - 1)/2 are primes, but for an error probability below 4^-PRIMALITY_ROUNDS."""
    return gmpy2.is_prime(value >> 1, PRIMALITY_ROUNDS) and gmpy2.is_prime(value, PRIMALITY_ROUNDS)


def find_safe_prime(start: mpz, step: int) -> mpz | None:
    """Return the first safe prime 2p'+1 with p' = start + i·step, 0 ≤ i < WINDOW, or None.

    Args:
        start: odd, and far larger than the window is long.
        step: a power of 2.
    """
    candidates = bytearray(b"\1") * WINDOW
    for prime in _odd_primes():
        step_inverse = pow(step, -1, prime)
        residue = int(start % prime)
        # p' ≡ 0, then p' ≡ (r-1)/2, which is 2p'+1 ≡ 0.
        for excluded in (0, prime >> 1):
            first = (excluded - residue) * step_inverse % prime
            if first < WINDOW:
                candidates[first::prime] = bytes((WINDOW - first + prime - 1) // prime)
    position = candidates.find(1)
    while position >= 0:
        half = start + position * step
        if _is_fermat_pseudoprime(half) and _is_fermat_pseudoprime(2 * half + 1) and is_safe_prime(2 * half + 1):
            return 2 * half + 1
        position = candidates.find(1, position + 1)
    return None


def _is_prime(value: mpz) -> bool:
    return _is_fermat_pseudoprime(value) and gmpy2.is_prime(value, PRIMALITY_ROUNDS)


def _is_fermat_pseudoprime(value: mpz) -> bool:
    """Whether 2^(value-1) ≡ 1: the cheapest test that nearly every composite fails."""
    return powmod(mpz(2), value - 1, value) == 1


@functools.cache
def _odd_primes() -> tuple[int, ...]:
    sieve = bytearray(b"\1") * _SIEVE_BOUND
    for number in range(3, int(_SIEVE_BOUND**0.5) + 1, 2):
        if sieve[number]:
            sieve[number * number :: 2 * number] = bytes((_SIEVE_BOUND - number * number - 1) // (2 * number) + 1)
    return tuple(number for number in range(3, _SIEVE_BOUND, 2) if sieve[number])
