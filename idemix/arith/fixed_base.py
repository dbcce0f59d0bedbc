"""Products of powers of fixed bases, made fast by tables (combs) that are built once a base is used again.

A comb for a base g with h teeth and a columns holds the 2^h products of the powers g^(2^(a·t)), t = 0 … h-1. An exponent
of h·a bits, written as h rows of a bits, then costs one multiplication a column, and the a squarings are shared by all
bases of the product. Longer exponents are cut into blocks of h·a bits, each with a table of its own. A base with exponents
of very different lengths has a comb for each, since a short exponent in a long comb costs as much as a long one.

Tables are kept per modulus, bounded in memory over all moduli: the least recently used go first.

The look-ups depend on the exponents, so a neighbour who can observe the processor's caches learns about them. Secret
exponents on bases of others go through `powmod_secret` instead.

Source: Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994.
"""

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import Final

from gmpy2 import mpz

from .modular import inverse, powmod

#: What the tables of all keys together may take.
DEFAULT_TABLE_BYTES: Final = 256 << 20

#: Bytes that an entry takes beside its limbs: the number object, its allocation and its place in the table.
_ENTRY_OVERHEAD: Final = 72

#: Bits of a lane, in which the digit of one column is gathered: from eight rows at once.
_LANE_BITS: Final = 8


class CombShape:
    """How a comb is laid out.

    Args:
        bits: the longest exponent that it serves.
        teeth: h, 16 at most: a table has 2^h entries, and an exponent of n bits costs about n/h multiplications.
        blocks: in how many the exponent is cut: more blocks, fewer squarings.

    Attributes:
        columns: a, more than one.
    """

    __slots__ = ("_block_bits", "_gather", "_lanes", "_row", "_unpack", "bits", "columns", "teeth")

    def __init__(self, bits: int, teeth: int, blocks: int = 1) -> None:
        self.bits = bits
        self.teeth = teeth
        self.columns = -(-bits // (teeth * blocks))
        self._block_bits = teeth * self.columns
        row_bits = _LANE_BITS * self.columns
        self._lanes = int.from_bytes(b"\1" * self._block_bits, "big")
        self._row = (1 << row_bits) - 1
        # Steps that bring the rows t, t+1 … t+7 into the lanes of row t, bit beside bit.
        self._gather = [(row_bits - 1) << step for step in range(3)]
        self._unpack = struct.Struct(f"<{self.columns}H").unpack

    def block_count(self, bits: int) -> int:
        """The blocks of an exponent of `bits` bits."""
        return -(-bits // self._block_bits)

    def digits(self, exponent: mpz, block_count: int) -> list[tuple[int, ...]]:
        """Return per block, the lowest first, the digit of every column, the lowest first.

        The digit of a column has the bits that stand there in the rows of the block. Every bit becomes an 8-bit lane of an
        integer; that integer, or-ed with itself moved by one row less one bit, then by two rows less two bits and so on,
        has the low bytes of the digits in the lanes of its lowest row, and their high bytes in those of the eighth row above.
        """
        text = exponent.digits(2).zfill(block_count * self._block_bits).encode()
        digits = bytearray(2 * self.columns)
        rows = []
        for end in range(len(text), 0, -self._block_bits):
            # The last bit of "0" and of "1" is the digit. Python's own integers read and write bytes fastest.
            lanes = int.from_bytes(text[end - self._block_bits : end], "big") & self._lanes
            for shift in self._gather:
                lanes |= lanes >> shift
            digits[::2] = (lanes & self._row).to_bytes(self.columns, "little")
            digits[1::2] = (lanes >> 8 * _LANE_BITS * self.columns & self._row).to_bytes(self.columns, "little")
            rows.append(self._unpack(digits))
        return rows


class _Comb:
    """The tables of one base, block after block."""

    __slots__ = ("_power", "blocks", "shape", "used")

    def __init__(self, base: mpz, shape: CombShape) -> None:
        # Tuples of numbers, unlike lists, are nothing for the garbage collector to walk through.
        self.blocks: list[tuple[mpz, ...]] = []
        self.shape = shape
        self.used = False
        self._power = base

    @property
    def next_teeth(self) -> int:
        """The teeth of the block to be built next; the last may have fewer."""
        bits_left = self.shape.bits - len(self.blocks) * self.shape.teeth * self.shape.columns
        return min(self.shape.teeth, -(-bits_left // self.shape.columns))

    def extend(self, modulus: mpz) -> None:
        """Build the table of the next block."""
        step = mpz(1) << self.shape.columns
        power = self._power
        table = [mpz(1)]
        for tooth in range(self.next_teeth):
            power = powmod(power, step, modulus) if tooth or self.blocks else power
            table += [entry * power % modulus for entry in table]
        self._power = power
        self.blocks.append(tuple(table))


class _ModulusTables:
    """The combs under one modulus."""

    __slots__ = ("combs", "lock", "size")

    def __init__(self) -> None:
        self.combs: dict[tuple[mpz, int], _Comb] = {}
        self.lock = threading.Lock()
        self.size = 0


class TableCache:
    """Tables per modulus, the least recently used dropped when they take more than `max_bytes`."""

    def __init__(self, max_bytes: int = DEFAULT_TABLE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        """Hold no tables and no lock: a new cache, and that of a process made by fork, where a table may be half built."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[mpz, _ModulusTables] = OrderedDict()
        self._size = 0

    @property
    def size_bytes(self) -> int:
        """What the tables take, in bytes."""
        return self._size

    @property
    def max_bytes(self) -> int:
        """The bound."""
        return self._max_bytes

    def __contains__(self, modulus: mpz) -> bool:
        """Whether there are tables for a modulus."""
        with self._lock:
            return modulus in self._entries and self._entries[modulus].size > 0

    def set_max_bytes(self, max_bytes: int) -> None:
        """Change the bound; tables beyond it are dropped now."""
        with self._lock:
            self._max_bytes = max_bytes
            self._drop(keep=None)

    def clear(self) -> None:
        """Drop all tables."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    def entry(self, modulus: mpz) -> _ModulusTables:
        with self._lock:
            entry = self._entries.get(modulus)
            if entry is None:
                entry = self._entries[modulus] = _ModulusTables()
            else:
                self._entries.move_to_end(modulus)
            return entry

    def reserve(self, modulus: mpz, entry: _ModulusTables, size: int) -> bool:
        """Count `size` bytes more for a modulus, dropping others where needed; False where they do not fit."""
        with self._lock:
            if self._entries.get(modulus) is not entry or entry.size + size > self._max_bytes:
                return False
            entry.size += size
            self._size += size
            self._drop(keep=modulus)
            return True

    def _drop(self, keep: mpz | None) -> None:
        for modulus in list(self._entries):
            if self._size <= self._max_bytes:
                return
            if modulus != keep:
                self._size -= self._entries.pop(modulus).size


#: The tables of this process.
TABLES: Final = TableCache()

os.register_at_fork(after_in_child=TABLES._begin)


class PowerProducts:
    """Products of powers of the fixed bases of one modulus.

    Args:
        modulus: N.
        shapes: per base the combs that it has, the shortest first; an exponent goes to the first that it fits, and one longer
            than all of them is computed plainly.
    """

    __slots__ = ("_cache", "_modulus", "_shapes")

    def __init__(self, modulus: mpz, shapes: Mapping[mpz, Sequence[CombShape]], cache: TableCache = TABLES) -> None:
        self._modulus = modulus
        self._shapes = shapes
        self._cache = cache

    def product(self, terms: Sequence[tuple[mpz, mpz]]) -> mpz:
        """Return ∏ base^exponent mod N over the terms. Exponents may be negative, where the product of their bases is a unit."""
        result = self._product([(base, exponent) for base, exponent in terms if exponent > 0])
        divisor_terms = [(base, -exponent) for base, exponent in terms if exponent < 0]
        if divisor_terms:
            result = result * inverse(self._product(divisor_terms), self._modulus) % self._modulus
        return result

    def build(self) -> None:
        """Build now, for each base, the comb for the longest exponents, which verification uses."""
        tables = self._cache.entry(self._modulus)
        for base, shapes in self._shapes.items():
            shape = shapes[-1]
            with tables.lock:
                tables.combs.setdefault((base, shape.bits), _Comb(base, shape)).used = True
            self._blocks(tables, base, shape, shape.bits)

    def _product(self, terms: list[tuple[mpz, mpz]]) -> mpz:
        tables = self._cache.entry(self._modulus)
        result = mpz(1)
        blocks: list[tuple[mpz, ...]] = []
        digits: list[tuple[int, ...]] = []
        for base, exponent in terms:
            bits = exponent.bit_length()
            for shape in self._shapes.get(base, ()):
                if bits <= shape.bits:
                    found = self._blocks(tables, base, shape, bits)
                    break
            else:
                found = None
            if found is None:
                result = result * powmod(base, exponent, self._modulus) % self._modulus
            else:
                blocks += found
                digits += shape.digits(exponent, len(found))
        if blocks:
            result = result * self._evaluate(blocks, digits) % self._modulus
        return result

    def _blocks(self, tables: _ModulusTables, base: mpz, shape: CombShape, bits: int) -> list[tuple[mpz, ...]] | None:
        """Return the tables that cover an exponent of `bits` bits, or None where there are none: a first use, or no room."""
        count = shape.block_count(bits)
        comb = tables.combs.get((base, shape.bits))
        if comb is not None and len(comb.blocks) >= count:
            return comb.blocks[:count]
        with tables.lock:
            comb = tables.combs.setdefault((base, shape.bits), _Comb(base, shape))
            if not comb.used:
                comb.used = True
                return None
            while len(comb.blocks) < count:
                size = (1 << comb.next_teeth) * (self._modulus.bit_length() // 8 + _ENTRY_OVERHEAD)
                if not self._cache.reserve(self._modulus, tables, size):
                    return None
                comb.extend(self._modulus)
            return comb.blocks[:count]

    def _evaluate(self, blocks: list[tuple[mpz, ...]], digits: list[tuple[int, ...]]) -> mpz:
        modulus = self._modulus
        # Looked up table by table in one go, the entries come from memory while others are still on their way.
        factors = [itemgetter(*row)(table) for table, row in zip(blocks, digits, strict=True)]
        result = mpz(1)
        # From the highest column down; blocks of fewer columns join later.
        for column in reversed(list(zip_longest(*factors))):
            result = result * result % modulus
            for factor in column:
                if factor is not None:
                    result = result * factor % modulus
        return result
