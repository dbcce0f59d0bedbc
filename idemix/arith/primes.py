"""Primes: a random one in an interval, and safe primes.

A safe prime p = 2p'+1 has p' prime too. They are rare, so candidates p' are sieved in windows: a small prime r rules out
every p' with p' ≡ 0 or 2p' + 1 ≡ 0 (mod r) before anything is exponentiated.

Source: gabi `internal/common/randomprime.go` and `safeprime/safeprime.go`; Wiener, "Safe Prime Generation with a
Combined Sieve", Cryptology ePrint 2003/186, for the sieve.
"""

import functools
import struct
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from math import prod
from typing import Final

import gmpy2
from gmpy2 import mpz, xmpz

from . import kernel
from .modular import powmod
from .randomness import SYSTEM_RANDOM, RandomSource

#: Rounds for the primes of a key: a Baillie-PSW test, then 16 of Miller-Rabin.
_KEY_PRIME_ROUNDS: Final = 40

#: Rounds for the prime of a signature: a Baillie-PSW test, then one of Miller-Rabin.
_SIGNATURE_PRIME_ROUNDS: Final = 25

#: Candidates in one window of the search for safe primes.
WINDOW: Final = 1 << 17

_SIEVE_BOUND: Final = 1 << 18

#: The same for the search for a prime in a range. Windows are short: that costs less, and brings the primes closer to being equally
#: likely, since in a window that has several, each has a smaller chance.
_RANGE_WINDOW: Final = 1 << 8
_RANGE_SIEVE_BOUND: Final = 1000

#: So many of those small primes have a product of one word, the remainder by which serves all of them.
_GROUP: Final = 6


def random_prime_in_range(start_bits: int, length_bits: int, random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a random prime 2^start_bits + δ with δ of `length_bits` bits.

    The odd numbers of a window at a random place are sieved, and the rest is tried in random order.

    Args:
        start_bits: of the start of the range. The small primes that are sieved with are never found.
        length_bits: of its length, 16 at least.
        random: the source of the window and of the order.

    Source: gabi `internal/common/randomprime.go` (RandomPrimeInRange), which tries numbers all over the range.
    """
    candidates = _range_candidates(start_bits, length_bits, random)
    return next(candidate for candidate in _pseudoprimes(candidates) if gmpy2.is_prime(candidate, _SIGNATURE_PRIME_ROUNDS))


def _range_candidates(start_bits: int, length_bits: int, random: RandomSource) -> Iterator[mpz]:
    """Yield what the sieve leaves of a window, in random order, and of further windows, without end."""
    while True:
        start = (mpz(1) << start_bits) + random.below((1 << length_bits) - 2 * _RANGE_WINDOW) | 1
        positions = _sieve_window(start)
        order = _words(random.bits(32 * len(positions)), len(positions))
        for _, position in sorted(zip(order, positions, strict=True)):
            yield start + 2 * position


def _sieve_window(start: mpz) -> list[int]:
    """Return the i, 0 ≤ i < _RANGE_WINDOW, for which no small prime divides start + 2i, an odd number."""
    ruled_out = 0
    for product, primes in _groups():
        residue = int(start % product)
        for prime, multiples in primes:
            # The first i is -start/2 mod prime, and -1/2 is (prime - 1)/2.
            ruled_out |= multiples << residue * (prime >> 1) % prime
    return list(xmpz(ruled_out).iter_clear(0, _RANGE_WINDOW))


@functools.cache
def _groups() -> list[tuple[int, list[tuple[int, int]]]]:
    """Groups of the odd primes below _RANGE_SIEVE_BOUND: their product, and with each of them the bits at its multiples in a window."""
    primes = list(takewhile(lambda prime: prime < _RANGE_SIEVE_BOUND, _odd_primes()))
    bits = [(prime, sum(1 << multiple for multiple in range(0, _RANGE_WINDOW, prime))) for prime in primes]
    return [(prod(primes[at : at + _GROUP]), bits[at : at + _GROUP]) for at in range(0, len(primes), _GROUP)]


def _words(value: mpz, count: int) -> tuple[int, ...]:
    """Cut an integer into `count` words of 32 bits."""
    return struct.unpack(f"<{count}I", value.to_bytes(4 * count, "little"))


def is_safe_prime(value: mpz) -> bool:
    """Whether value and (value - 1)/2 are primes, but for an error probability below 4^-16."""
    return gmpy2.is_prime(value >> 1, _KEY_PRIME_ROUNDS) and gmpy2.is_prime(value, _KEY_PRIME_ROUNDS)


def find_safe_prime(start: mpz, step: int) -> mpz | None:
    """Return the first safe prime 2p'+1 with p' = start + i·step, 0 ≤ i < WINDOW, or None.

    Args:
        start: odd, and far larger than the window is long.
        step: a power of 2.
    """
    candidates = _sieve(start, step, WINDOW)
    for half in _pseudoprimes(start + position * step for position, left in enumerate(candidates) if left):
        if _is_fermat_pseudoprime(2 * half + 1) and is_safe_prime(2 * half + 1):
            return 2 * half + 1
    return None


def _sieve(start: mpz, step: int, length: int) -> bytearray:
    """Return a byte for each h = start + i·step, 0 ≤ i < length: 1 where no small prime divides h or 2h+1."""
    candidates = bytearray(b"\1") * length
    for prime, step_inverse in zip(_odd_primes(), _inverses(step), strict=True):
        residue = int(start % prime)
        # h ≡ 0, and h ≡ (r-1)/2, which is 2h+1 ≡ 0.
        for excluded in (0, prime >> 1):
            first = (excluded - residue) * step_inverse % prime
            if first < length:
                candidates[first::prime] = bytes((length - first + prime - 1) // prime)
    return candidates


def _pseudoprimes(candidates: Iterable[mpz]) -> Iterator[mpz]:
    """Yield those that pass Fermat's test, in their order; it is the cheapest test that nearly every composite fails."""
    remaining = iter(candidates)
    while batch := list(islice(remaining, kernel.FERMAT_TESTS)):
        passed = kernel.fermat_test(batch)
        for number, candidate in enumerate(batch):
            if _is_fermat_pseudoprime(candidate) if passed is None else passed[number]:
                yield candidate


def _is_fermat_pseudoprime(value: mpz) -> bool:
    """Whether 2^(value-1) ≡ 1."""
    return powmod(mpz(2), value - 1, value) == 1


@functools.cache
def _inverses(step: int) -> tuple[int, ...]:
    """Return the inverse of a step modulo each of the odd primes."""
    return tuple(pow(step, -1, prime) for prime in _odd_primes())


@functools.cache
def _odd_primes() -> tuple[int, ...]:
    sieve = bytearray(b"\1") * _SIEVE_BOUND
    for number in range(3, int(_SIEVE_BOUND**0.5) + 1, 2):
        if sieve[number]:
            sieve[number * number :: 2 * number] = bytes((_SIEVE_BOUND - number * number - 1) // (2 * number) + 1)
    return tuple(number for number in range(3, _SIEVE_BOUND, 2) if sieve[number])
