"""Writing a number as a sum of three or four squares.

Which sum it is does not matter to a verifier, who never sees it. The time that is taken depends on the number, as everything
that a holder computes about attributes may.

Source: Rabin and Shallit, "Randomized Algorithms in Number Theory", Communications on Pure and Applied Mathematics 39 (1986).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import gmpy2
from gmpy2 import mpz

from ..arith.modular import powmod
from ..arith.randomness import SYSTEM_RANDOM, RandomSource

#: Up to here sums are found by trying all; above, primes are frequent enough for trying at random.
_EXHAUSTIVE: Final = 1 << 12

#: As the tests of a key's primes; a composite number that passed would show in the sum.
_PRIME_ROUNDS: Final = 25


class Splitter(Protocol):
    """A way to write differences as sums of squares.

    Attributes:
        count: of squares, 3 or 4.
        l_d: the longest root, in bits; it is sent along and must not tell of the difference.
    """

    @property
    def count(self) -> int: ...

    @property
    def l_d(self) -> int: ...

    def split(self, value: mpz, random: RandomSource = SYSTEM_RANDOM) -> tuple[mpz, ...] | None:
        """Return `count` roots whose squares have this sum, or None where the number is out of reach."""
        ...


@dataclass(frozen=True, slots=True)
class FourSquares:
    """Four squares, for every difference below 2^256 that is not negative (Lagrange)."""

    count: ClassVar[int] = 4
    l_d: ClassVar[int] = 128

    def split(self, value: mpz, random: RandomSource = SYSTEM_RANDOM) -> tuple[mpz, ...] | None:
        if value.bit_length() > 2 * self.l_d:
            return None
        return four_squares(value, random)


@dataclass(frozen=True, slots=True)
class ThreeSquares:
    """Three squares, for differences that are 2 modulo 4; they make shorter proofs about small differences.

    Attributes:
        limit: the largest difference that can be split. All statements with one limit look alike, so it is best shared by many.

    Source: gabi `rangeproof/splitutils.go` (SquaresTable), where the limit is the size of a table.
    """

    count: ClassVar[int] = 3

    limit: int

    @property
    def l_d(self) -> int:
        """How often limit + 1 can be divided by four, and one."""
        return -(-(self.limit + 1).bit_length() // 2) + 1

    def split(self, value: mpz, random: RandomSource = SYSTEM_RANDOM) -> tuple[mpz, ...] | None:
        return three_squares(value, random) if value <= self.limit and value % 4 == 2 else None


#: Serves every statement.
FOUR_SQUARES: Final = FourSquares()


def four_squares(value: mpz, random: RandomSource = SYSTEM_RANDOM) -> tuple[mpz, mpz, mpz, mpz]:
    """Return four roots whose squares have the sum `value`, which is not negative.

    Two are chosen at random, of the parity that leaves 1 modulo 4, until a prime is left; that is a sum of two squares. A
    multiple of four is four times a sum.
    """
    if value and value % 4 == 0:
        w, x, y, z = four_squares(value // 4, random)
        return 2 * w, 2 * x, 2 * y, 2 * z
    if value < _EXHAUSTIVE:
        first, second, third, fourth = _search(value, 4)
        return first, second, third, fourth
    odd = {1: (0, 0), 2: (0, 1), 3: (1, 1)}[int(value % 4)]
    bound = gmpy2.isqrt(value)
    while True:
        w, x = (2 * random.below(bound // 2 + 1) + parity for parity in odd)
        pair = _two_squares(value - w * w - x * x, random)
        if pair is not None:
            return w, x, *pair


def three_squares(value: mpz, random: RandomSource = SYSTEM_RANDOM) -> tuple[mpz, mpz, mpz]:
    """Return three roots whose squares have the sum `value`, which is 2 modulo 4 (Legendre)."""
    if value < _EXHAUSTIVE:
        first, second, third = _search(value, 3)
        return first, second, third
    bound = gmpy2.isqrt(value)
    while True:
        x = 2 * random.below(bound // 2 + 1) + 1
        pair = _two_squares(value - x * x, random)
        if pair is not None:
            return x, *pair


def _two_squares(prime: mpz, random: RandomSource) -> tuple[mpz, mpz] | None:
    """Return two roots whose squares have the sum `prime`, or None where it is no prime that is 1 modulo 4.

    A root of -1 modulo the prime, then Euclid's algorithm down to the square root (Hermite and Serret, 1848).
    """
    if prime < 2 or prime % 4 != 1 or not gmpy2.is_prime(prime, _PRIME_ROUNDS):
        return None
    while True:
        root = powmod(2 + random.below(prime - 3), (prime - 1) // 4, prime)
        if root * root % prime == prime - 1:
            break
    larger, smaller = prime, root
    while smaller * smaller > prime:
        larger, smaller = smaller, larger % smaller
    return smaller, larger % smaller


def _search(value: mpz, count: int) -> tuple[mpz, ...]:
    """Try all sums of `count` squares, one of which there must be."""

    def sums(rest: mpz, places: int) -> Iterator[tuple[mpz, ...]]:
        root = gmpy2.isqrt(rest)
        if places == 1:
            if root * root == rest:
                yield (root,)
            return
        for largest in range(int(root), -1, -1):
            yield from ((mpz(largest), *others) for others in sums(rest - largest * largest, places - 1))

    return next(sums(value, count))
