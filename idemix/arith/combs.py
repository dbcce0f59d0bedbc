"""Tables of powers (combs) by GMP's arithmetic, where there is no native kernel; see `idemix.arith.fixed_base`."""

import functools
import struct
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from gmpy2 import mpz

from .kernel import Term
from .modular import powmod

#: Bytes that an entry takes beside its limbs: the number object, its allocation and its place in the table.
_ENTRY_OVERHEAD: Final = 72

#: Bits of a lane, in which the digit of one column is gathered: from eight rows at once.
_LANE_BITS: Final = 8


class Table(NamedTuple):
    """The products of powers of one base that one block of a comb needs.

    Attributes:
        entries: entry i is the product of the powers base^(2^(columns·t)) for the bits t of i. A tuple of numbers, unlike a list, is
            nothing for the garbage collector to walk through.
        teeth, columns: of the comb.
    """

    entries: tuple[mpz, ...]
    teeth: int
    columns: int


class GmpModulus:
    """Builds and reads tables modulo one number."""

    __slots__ = ("_modulus",)

    #: A digit has two bytes.
    most_teeth: Final = 16

    def __init__(self, modulus: mpz) -> None:
        self._modulus = modulus

    def table_bytes(self, teeth: int) -> int:
        """What a table of so many teeth takes."""
        return (1 << teeth) * (self._modulus.bit_length() // 8 + _ENTRY_OVERHEAD)

    def table(self, base: mpz, teeth: int, columns: int) -> tuple[Table, mpz]:
        """Return the table of one block of a base, and the base of the next block: base^(2^(teeth·columns))."""
        modulus, step = self._modulus, mpz(1) << columns
        entries = [mpz(1)]
        for _ in range(teeth):
            entries += [entry * base % modulus for entry in entries]
            base = powmod(base, step, modulus)
        return Table(tuple(entries), teeth, columns), base

    def product(self, terms: Sequence[Term]) -> mpz:
        """Return the product of the powers."""
        modulus = self._modulus
        # Looked up table by table in one go, the entries come from memory while others are still on their way.
        factors = [list(map(term.table.entries.__getitem__, _digits(term))) for term in terms]
        result = mpz(1)
        # From the highest column down; tables of fewer columns join later.
        for column in reversed(list(zip_longest(*factors))):
            result = result * result % modulus
            for factor in column:
                if factor is not None:
                    result = result * factor % modulus
        return result


def _digits(term: Term) -> tuple[int, ...]:
    """Return the digit of every column, the lowest first: the bits that stand there in the rows of the block.

    Every bit becomes an 8-bit lane of an integer; that integer, or-ed with itself moved by one row less one bit, then by two rows
    less two bits and so on, has the low bytes of the digits in the lanes of its lowest row, and their high bytes in those of the
    eighth row above.
    """
    teeth, columns = term.table.teeth, term.table.columns
    block_bits = teeth * columns
    row_bits = _LANE_BITS * columns
    mask = (1 << row_bits) - 1
    block = (term.exponent >> term.start) & ((mpz(1) << block_bits) - 1)
    # The last bit of "0" and of "1" is the digit. Python's own integers read and write bytes fastest.
    lanes = int.from_bytes(block.digits(2).zfill(block_bits).encode(), "big") & _ones(block_bits)
    for step in range(3):
        lanes |= lanes >> ((row_bits - 1) << step)
    digits = bytearray(2 * columns)
    digits[::2] = (lanes & mask).to_bytes(columns, "little")
    digits[1::2] = (lanes >> _LANE_BITS * row_bits & mask).to_bytes(columns, "little")
    return struct.unpack(f"<{columns}H", digits)


@functools.cache
def _ones(lanes: int) -> int:
    """A one in each of so many lanes."""
    return int.from_bytes(b"\1" * lanes, "big")
