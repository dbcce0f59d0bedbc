"""Products of powers of fixed bases, made fast by tables (combs) that are built once a base is used again.

A comb for a base g with h teeth and a columns holds the 2^h products of the powers g^(2^(a·t)), t = 0 … h-1. An exponent
of h·a bits, written as h rows of a bits, then costs one multiplication a column, and the a squarings are shared by all
bases of the product. Longer exponents are cut into blocks of h·a bits, each with a table of its own.

Tables are kept per modulus, bounded in memory over all moduli: the least recently used go first.

The look-ups depend on the exponents, so a neighbour who can observe the processor's caches learns about them. Secret
exponents on bases of others go through `powmod_secret` instead.

Source: Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994.
"""

import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from gmpy2 import mpz

from .modular import inverse, powmod

#: Teeth of a comb: 2^10 entries a table, one multiplication per 10 bits of exponent.
TEETH: Final = 10

#: What the tables of all keys together may take.
DEFAULT_TABLE_BYTES: Final = 256 << 20

#: Bytes that an entry takes beside its limbs: the number object, its allocation and its place in the list.
_ENTRY_OVERHEAD: Final = 72

_BITS_TO_LANES: Final = bytes.maketrans(b"01", b"\x00\x01")


class _Comb:
    """The tables of one base, block after block."""

    __slots__ = ("_capacity", "_next_power", "blocks", "used")

    def __init__(self, base: mpz, capacity_bits: int) -> None:
        self.blocks: list[list[mpz]] = []
        self.used = False
        self._next_power = base
        self._capacity = capacity_bits

    def covers(self, block_count: int) -> bool:
        return len(self.blocks) >= block_count

    def extend(self, modulus: mpz, columns: int) -> int:
        """Build the table of the next block and return its number of entries."""
        bits_left = self._capacity - len(self.blocks) * TEETH * columns
        teeth = min(TEETH, -(-bits_left // columns))
        step = mpz(1) << columns
        power = self._next_power
        table = [mpz(1)]
        for _ in range(teeth):
            table += [entry * power % modulus for entry in table]
            power = powmod(power, step, modulus)
        self._next_power = power
        self.blocks.append(table)
        return len(table)


class _ModulusTables:
    """The combs under one modulus."""

    __slots__ = ("combs", "lock", "size")

    def __init__(self) -> None:
        self.combs: dict[mpz, _Comb] = {}
        self.lock = threading.Lock()
        self.size = 0


class TableCache:
    """Tables per modulus, the least recently used dropped when they take more than `max_bytes`."""

    def __init__(self, max_bytes: int = DEFAULT_TABLE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[mpz, _ModulusTables] = OrderedDict()
        self._size = 0

    @property
    def size_bytes(self) -> int:
        """What the tables take, in bytes."""
        return self._size

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


class PowerProducts:
    """Products of powers of the fixed bases of one modulus.

    Args:
        modulus: N.
        capacities: per base the longest exponent for which tables are built, in bits; longer ones are computed plainly.
        columns: the columns of the combs; `TEETH` times as many bits make a block.
    """

    __slots__ = ("_cache", "_capacities", "_columns", "_gatherer", "_modulus")

    def __init__(self, modulus: mpz, capacities: Mapping[mpz, int], columns: int, cache: TableCache = TABLES) -> None:
        self._modulus = modulus
        self._capacities = capacities
        self._columns = columns
        self._gatherer = (mpz(1) << 16 * columns) - 2
        self._cache = cache

    def product(self, terms: Sequence[tuple[mpz, mpz]]) -> mpz:
        """Return ∏ base^exponent mod N over the terms. Exponents may be negative, where the product of their bases is a unit."""
        result = self._product([(base, exponent) for base, exponent in terms if exponent > 0])
        divisor_terms = [(base, -exponent) for base, exponent in terms if exponent < 0]
        if divisor_terms:
            result = result * inverse(self._product(divisor_terms), self._modulus) % self._modulus
        return result

    def build(self) -> None:
        """Build all tables now."""
        tables = self._cache.entry(self._modulus)
        for base, capacity in self._capacities.items():
            with tables.lock:
                tables.combs.setdefault(base, _Comb(base, capacity)).used = True
            self._blocks(tables, base, capacity)

    def _product(self, terms: list[tuple[mpz, mpz]]) -> mpz:
        tables = self._cache.entry(self._modulus)
        result = mpz(1)
        blocks: list[list[mpz]] = []
        digits: list[tuple[int, ...]] = []
        for base, exponent in terms:
            found = self._blocks(tables, base, exponent.bit_length())
            if found is None:
                result = result * powmod(base, exponent, self._modulus) % self._modulus
            else:
                blocks += found
                digits += self._digits(exponent, len(found))
        if blocks:
            result = result * self._evaluate(blocks, digits) % self._modulus
        return result

    def _blocks(self, tables: _ModulusTables, base: mpz, bits: int) -> list[list[mpz]] | None:
        """Return the tables that cover an exponent of `bits` bits, or None where there are none: a first use, or no room."""
        capacity = self._capacities.get(base, 0)
        if bits > capacity:
            return None
        count = -(-bits // (TEETH * self._columns))
        comb = tables.combs.get(base)
        if comb is not None and comb.covers(count):
            return comb.blocks[:count]
        with tables.lock:
            comb = tables.combs.setdefault(base, _Comb(base, capacity))
            if not comb.used:
                comb.used = True
                return None
            while not comb.covers(count):
                size = (1 << TEETH) * (self._modulus.bit_length() // 8 + _ENTRY_OVERHEAD)
                if not self._cache.reserve(self._modulus, tables, size):
                    return None
                comb.extend(self._modulus, self._columns)
            return comb.blocks[:count]

    def _digits(self, exponent: mpz, block_count: int) -> list[tuple[int, ...]]:
        """Return per block the digit of every column, the highest column first.

        The bits of a block become 16-bit lanes of an integer ∑ row_t · B^t with B = 2^(16 · columns). Its remainder by B - 2 is
        ∑ row_t · 2^t: the lanes of the digits, all of them gathered by one division.
        """
        columns = self._columns
        text = exponent.digits(2).zfill(block_count * TEETH * columns)
        lanes = text.encode("utf-16-be").translate(_BITS_TO_LANES)
        block_bytes = 2 * TEETH * columns
        unpack = struct.Struct(f">{columns}H").unpack
        return [
            unpack((mpz.from_bytes(lanes[end - block_bytes : end], "big") % self._gatherer).to_bytes(2 * columns, "big"))
            for end in range(len(lanes), 0, -block_bytes)
        ]

    def _evaluate(self, blocks: list[list[mpz]], digits: list[tuple[int, ...]]) -> mpz:
        modulus = self._modulus
        # Looked up table by table, the entries come from memory while others are still on their way.
        factors = [[table[digit] for digit in row] for table, row in zip(blocks, digits, strict=True)]
        result = mpz(1)
        for column in zip(*factors, strict=True):
            result = result * result % modulus
            for factor in column:
                result = result * factor % modulus
        return result
