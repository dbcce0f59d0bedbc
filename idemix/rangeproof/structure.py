"""What a range proof states, and the shape of the proof that follows from it."""

from dataclasses import dataclass
from typing import Final, Self

from gmpy2 import mpz

from ..errors import IdemixError, MalformedProofError
from ..params import SystemParameters
from .squares import FOUR_SQUARES, Splitter

#: a·m ≥ k.
AT_LEAST: Final = 1
#: a·m ≤ k.
AT_MOST: Final = -1

#: Beyond this the reference, whose factor is a signed machine word, computes with another number.
_FACTOR_LIMIT: Final = 1 << 63

#: The longest bound is that of an attribute times a factor.
_FACTOR_BITS: Final = 64


class UnprovableStatementError(IdemixError):
    """A statement does not hold, or no range proof can be made of it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """factor · attribute ≥ bound, or ≤.

    Attributes:
        sign: `AT_LEAST` or `AT_MOST`.
        bound: k. With strict inequality in mind, add or take one.
        factor: a, positive.
        squares: how the difference is split.
    """

    sign: int
    bound: mpz | int
    factor: int = 1
    squares: Splitter = FOUR_SQUARES


@dataclass(frozen=True, slots=True)
class RangeStructure:
    """The shape of a range proof: sign · (a·m - k) is a sum of `count` squares of numbers of at most `l_d` bits.

    Attributes:
        sign, a, k: of the statement; with three squares as rewritten by `of`.
        count: of squares.
        l_d: bits of a root.
    """

    sign: int
    a: int
    k: mpz
    count: int
    l_d: int

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Return the shape of the proof of a statement.

        Not every number is a sum of three squares, but each that is 2 modulo 4; so a·m - k becomes 4·m - (4·k - 2), where a
        is 1. With `AT_MOST` that makes "less than" of "at most".

        Raises:
            MalformedProofError: the sign is none.
            UnprovableStatementError: factor or bound is none that can be proved or sent.
        """
        if statement.sign not in (AT_LEAST, AT_MOST):
            raise MalformedProofError("statement.sign", "is neither 1 nor -1")
        a, k = statement.factor, mpz(statement.bound)
        if statement.squares.count == 3:
            if a != 1:
                raise UnprovableStatementError("with three squares the factor is 1")
            a, k = 4, 4 * k - 2
        if not 1 <= a < _FACTOR_LIMIT:
            raise UnprovableStatementError("the factor is not between 1 and 2^63 - 1")
        if k < 0:
            raise UnprovableStatementError("a negative bound has no JSON form")
        return cls(statement.sign, a, k, statement.squares.count, statement.squares.l_d)

    def check(self, params: SystemParameters, where: str) -> None:
        """Check that a proof can have this shape.

        Longer roots or bounds than these would make the statement one about nothing: the attribute has l_m bits.

        Args:
            params: of the issuer's key.
            where: what it is the shape of, for errors.

        Raises:
            MalformedProofError: it cannot.

        Source: gabi `rangeproof/proof.go` (ExtractStructure, newWithParams).
        """
        if self.sign not in (AT_LEAST, AT_MOST):
            raise MalformedProofError(f"{where}.sign", "is neither 1 nor -1")
        if self.count not in (3, 4):
            raise MalformedProofError(f"{where}.Cs", f"{self.count} squares, where 3 or 4 are proved")
        if self.count == 3 and self.a != 4:
            raise MalformedProofError(f"{where}.a", "with three squares it is 4")
        if not 1 <= self.a < _FACTOR_LIMIT:
            raise MalformedProofError(f"{where}.a", "not between 1 and 2^63 - 1", departure="range-proof-form")
        if not 0 <= self.l_d <= params.l_m:
            raise MalformedProofError(f"{where}.l_d", f"not between 0 and {params.l_m}")
        if self.k.bit_length() > params.l_m + _FACTOR_BITS:
            raise MalformedProofError(f"{where}.k", f"longer than {params.l_m + _FACTOR_BITS} bits")

    def proves(self, sign: int, bound: mpz | int, factor: int = 1) -> bool:
        """Whether a proof of this shape, once verified, proves factor · attribute ≥ or ≤ bound.

        That is so for the same sign and factor, and for the same bound or a stronger one.

        Source: gabi `rangeproof/proof.go` (ProvesStatement).
        """
        k = mpz(bound)
        if self.count == 3:
            factor, k = 4 * factor, 4 * k - 2
        return self.sign == sign and self.a == factor and sign * (self.k - k) >= 0

    @property
    def proven(self) -> Statement:
        """The statement that a proof of this shape, once verified, proves.

        Source: gabi `rangeproof/proof.go` (ProvenStatement).
        """
        if self.count == 3:
            return Statement(self.sign, (self.k + 2) >> 2, self.a >> 2)
        return Statement(self.sign, self.k, self.a)
