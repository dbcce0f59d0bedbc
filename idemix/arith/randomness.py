"""The source of randomness as a parameter, with the operating system's generator as the default."""

import secrets
from typing import Protocol

from gmpy2 import mpz


class RandomSource(Protocol):
    """Gives uniform integers."""

    def bits(self, length: int) -> mpz:
        """Return an integer uniform in [0, 2^length - 1]."""
        ...

    def below(self, bound: int | mpz) -> mpz:
        """Return an integer uniform in [0, bound - 1]; `bound` is positive."""
        ...


class SystemRandom:
    """A `RandomSource` over the operating system's generator."""

    def bits(self, length: int) -> mpz:
        return mpz(secrets.randbits(length))

    def below(self, bound: int | mpz) -> mpz:
        return mpz(secrets.randbelow(int(bound)))


SYSTEM_RANDOM = SystemRandom()
