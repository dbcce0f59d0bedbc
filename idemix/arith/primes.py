"""Primes: a random one in an interval, and safe primes.

A safe prime p = 2p'+1 has p' prime too. Candidates are sieved in blocks: p' and 2p'+1 are both checked against the small
primes before any exponentiation.

Source: gabi `internal/common/randomprime.go` and `safeprime/safeprime.go`; Wiener, "Safe Prime Generation with a
Combined Sieve", Cryptology ePrint 2003/186, for the sieve.
"""

from typing import Final

import gmpy2
from gmpy2 import mpz

from .modular import powmod
from .randomness import SYSTEM_RANDOM, RandomSource

#: Rounds of Miller-Rabin for primes that are kept; the first of them are a Baillie-PSW test.
PRIMALITY_ROUNDS: Final = 40

#: The product of the odd primes below 2,000: one gcd replaces the trial divisions.
_SMALL_PRIMES: Final = gmpy2.primorial(2000) // 2


def random_prime_in_range(start_bits: int, length_bits: int, random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a prime 2^start_bits + δ, with δ uniform among those of `length_bits` bits that give a prime.

    Source: gabi `internal/common/randomprime.go` (RandomPrimeInRange).
    """
    start = mpz(1) << start_bits
    while True:
        candidate = start + random.bits(length_bits) | 1
        if gmpy2.gcd(candidate, _SMALL_PRIMES) != 1:
            continue
        # A Fermat test to the base 2 finds nearly every composite at the least cost.
        if powmod(mpz(2), candidate - 1, candidate) == 1 and gmpy2.is_prime(candidate, PRIMALITY_ROUNDS):
            return candidate
