"""A source of randomness that gives the same numbers in every run."""

import random

from gmpy2 import mpz


class SeededRandom:
    """A `RandomSource` from a seed."""

    def __init__(self, seed: int | str = 0) -> None:
        self._random = random.Random(seed)

    def bits(self, length: int) -> mpz:
        return mpz(self._random.getrandbits(length))

    def below(self, bound: int | mpz) -> mpz:
        return mpz(self._random.randrange(int(bound)))
