"""Products of powers of fixed bases, made fast by tables (combs) that are built once a base is used again.

A comb for a base g with h teeth and a columns holds the 2^h products of the powers g^(2^(a·t)), t = 0 … h-1. An exponent
of h·a bits, written as h rows of a bits, then costs one multiplication a column, and the a squarings are shared by all
bases of the product. Longer exponents are cut into blocks of h·a bits, each with a table of its own. A base with exponents
of very different lengths has a comb for each, since a short exponent in a long comb costs as much as a long one.

Tables are kept per modulus, bounded in memory over all moduli: the least recently used go first. They are built and read by
the native kernel where there is one (`idemix.arith.kernel`), else by GMP's arithmetic (`idemix.arith.combs`).

The look-ups depend on the exponents, so a neighbour who can observe the processor's caches learns about them. Secret
exponents on bases of others go through `powmod_secret` instead.

Source: Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gmpy2 import mpz

from . import kernel
from .combs import GmpModulus
from .kernel import Term
from .modular import inverse, powmod

#: What the tables of all keys together may take.
DEFAULT_TABLE_BYTES: Final = 256 << 20


class Arithmetic(Protocol):
    """Builds and reads tables modulo one number."""

    @property
    def most_teeth(self) -> int:
        """The most teeth that are of use."""
        ...

    def table_bytes(self, teeth: int) -> int:
        """What a table of so many teeth takes in memory."""
        ...

    def table(self, base: mpz, teeth: int, columns: int) -> tuple[Any, mpz]:
        """Return the table of one block of a base, and the base of the next block: base^(2^(teeth·columns))."""
        ...

    def product(self, terms: Sequence[Term]) -> mpz:
        """Return the product of powers."""
        ...


def arithmetic_for(modulus: mpz) -> Arithmetic:
    """The fastest there is for a modulus."""
    return kernel.for_modulus(modulus) or GmpModulus(modulus)


@dataclass(frozen=True, slots=True)
class CombShape:
    """How a comb is laid out.

    Attributes:
        bits: the longest exponent that it serves.
        teeth: h, 16 at most: a table has 2^h entries, and an exponent of n bits costs about n/h multiplications. Fewer, where the
            arithmetic wants fewer.
        blocks: in how many the exponent is cut: more blocks, fewer squarings.
    """

    bits: int
    teeth: int
    blocks: int = 1


class _Comb:
    """The tables of one base, block after block."""

    __slots__ = ("_arithmetic", "_bits", "_power", "_teeth", "columns", "tables", "used")

    def __init__(self, base: mpz, shape: CombShape, arithmetic: Arithmetic) -> None:
        self.tables: list[Any] = []
        self.used = False
        self._arithmetic = arithmetic
        self._bits = shape.bits
        self._teeth = min(shape.teeth, arithmetic.most_teeth)
        self.columns = -(-shape.bits // (self._teeth * shape.blocks))
        self._power = base

    def count_for(self, bits: int) -> int:
        """How many tables an exponent of `bits` bits needs."""
        return -(-bits // self.block_bits)

    @property
    def block_bits(self) -> int:
        """The bits of an exponent that one table serves."""
        return self._teeth * self.columns

    @property
    def next_bytes(self) -> int:
        """What the next table will take."""
        return self._arithmetic.table_bytes(self._next_teeth)

    @property
    def _next_teeth(self) -> int:
        """The last table may have fewer."""
        bits_left = self._bits - len(self.tables) * self.block_bits
        return min(self._teeth, -(-bits_left // self.columns))

    def extend(self) -> None:
        """Build the next table."""
        table, self._power = self._arithmetic.table(self._power, self._next_teeth, self.columns)
        self.tables.append(table)


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
        cache: keeps the tables.
        arithmetic: builds and reads them; by default the fastest there is. One cache takes one kind for each modulus.
    """

    __slots__ = ("_arithmetic", "_cache", "_modulus", "_shapes")

    def __init__(
        self,
        modulus: mpz,
        shapes: Mapping[mpz, Sequence[CombShape]],
        cache: TableCache = TABLES,
        arithmetic: Arithmetic | None = None,
    ) -> None:
        self._modulus = modulus
        self._shapes = shapes
        self._cache = cache
        self._arithmetic = arithmetic or arithmetic_for(modulus)

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
                self._comb(tables, base, shape).used = True
            self._terms(tables, base, shape, (mpz(1) << shape.bits) - 1)

    def _product(self, terms: list[tuple[mpz, mpz]]) -> mpz:
        tables = self._cache.entry(self._modulus)
        result = mpz(1)
        by_table: list[Term] = []
        for base, exponent in terms:
            bits = exponent.bit_length()
            shape = next((shape for shape in self._shapes.get(base, ()) if bits <= shape.bits), None)
            found = None if shape is None else self._terms(tables, base, shape, exponent)
            if found is None:
                result = result * powmod(base, exponent, self._modulus) % self._modulus
            else:
                by_table += found
        if by_table:
            result = result * self._arithmetic.product(by_table) % self._modulus
        return result

    def _comb(self, tables: _ModulusTables, base: mpz, shape: CombShape) -> _Comb:
        comb = tables.combs.get((base, shape.bits))
        if comb is None:
            comb = tables.combs[base, shape.bits] = _Comb(base, shape, self._arithmetic)
        return comb

    def _terms(self, tables: _ModulusTables, base: mpz, shape: CombShape, exponent: mpz) -> list[Term] | None:
        """Return the tables that cover an exponent, or None where there are none: a first use, or no room."""
        comb = tables.combs.get((base, shape.bits))
        if comb is None or len(comb.tables) < comb.count_for(exponent.bit_length()):
            with tables.lock:
                comb = self._comb(tables, base, shape)
                if not comb.used:
                    comb.used = True
                    return None
                while len(comb.tables) < comb.count_for(exponent.bit_length()):
                    if not self._cache.reserve(self._modulus, tables, comb.next_bytes):
                        return None
                    comb.extend()
        block_bits = comb.block_bits
        return [Term(comb.tables[number], exponent, block_bits * number) for number in range(comb.count_for(exponent.bit_length()))]
