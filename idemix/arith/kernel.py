"""Powers and products of powers in native code, on processors that have AVX-512 IFMA; see `kernel.c` and docs/adr/0013.

The library is built when the package is (`hatch_build.py`). Without it, or on another processor, `for_modulus` gives None, and
everything is computed with GMP instead: the same results, several times slower.
"""

import ctypes
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gmpy2 import mpz

_DIGIT_BITS: Final = 52
_LANES: Final = 8
_MOST_VECTORS: Final = 10

#: The moduli that are computed with; below, GMP is as fast.
LEAST_BITS: Final = 700
MOST_BITS: Final = _DIGIT_BITS * _LANES * _MOST_VECTORS - 2

#: How many numbers are tested at once, and how long they may be.
FERMAT_TESTS: Final = 8
_MOST_FERMAT_DIGITS: Final = 40

#: Tables begin at the beginning of a line of the cache.
_ALIGNMENT: Final = 64

#: `term` of kernel.c: the table's address, where the exponent begins, its bits, the first that the table serves, teeth, columns.
_TERM: Final = struct.Struct("=QIIIII4x")


def open_library(path: str) -> ctypes.CDLL | None:
    """The kernel that was built into a file, or None where there is no such file, or the processor lacks the instructions."""
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    if not library.kernel_runs_here():
        return None
    integer, size, text, address, count = ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint
    modulus = (integer, integer, text, text, size)
    library.kernel_power.argtypes = (integer, *modulus, text, text, size, address)
    library.kernel_table.argtypes = (*modulus, text, count, count, address, address)
    library.kernel_product.argtypes = (*modulus, text, size, text, address)
    for function in (library.kernel_power, library.kernel_table, library.kernel_product):
        function.restype = None
    library.kernel_fermat.argtypes = (integer, text, text, size)
    library.kernel_fermat.restype = count
    return library


#: The library, or None where everything is computed with GMP.
library: ctypes.CDLL | None = open_library(__file__.removesuffix("kernel.py") + "libkernel.so")


class Table:
    """The products of powers of one base that one block of a comb needs; see `idemix.arith.fixed_base`.

    Attributes:
        address: where its entries are, in memory that lives as long as this.
        teeth, columns: of the comb.
    """

    __slots__ = ("_memory", "address", "columns", "teeth")

    def __init__(self, size: int, teeth: int, columns: int) -> None:
        self._memory = ctypes.create_string_buffer(size)
        self.address = -(-ctypes.addressof(self._memory) // _ALIGNMENT) * _ALIGNMENT
        self.teeth = teeth
        self.columns = columns


class Term(NamedTuple):
    """A table of whichever kind, and the exponent, not negative, of which it serves the bits from `start` on."""

    table: Any
    exponent: mpz
    start: int


class NativeModulus:
    """Computes modulo one odd number; `for_modulus` makes it.

    Other threads run meanwhile. The time depends on lengths only, but for the places that `product` reads tables at.
    """

    __slots__ = ("_arguments", "_library", "_modulus", "_size", "_vectors")

    #: Where a multiplication is this cheap, tables that do not fit the processor's caches gain nothing.
    most_teeth: Final = 9

    def __init__(self, native: ctypes.CDLL, modulus: mpz) -> None:
        bits = modulus.bit_length()
        digits = -(-(bits + 2) // _DIGIT_BITS)
        self._library = native
        self._modulus = modulus
        self._size = -(-bits // 8)
        self._vectors = -(-digits // _LANES)
        square = (mpz(1) << 2 * _DIGIT_BITS * digits) % modulus
        self._arguments = (self._vectors, digits, self._bytes(modulus), self._bytes(square), self._size)

    def _bytes(self, number: mpz) -> bytes:
        return number.to_bytes(self._size, "little")

    def _read(self, result: bytes) -> mpz:
        """The number that was computed; it may be the modulus itself, for 0."""
        return mpz.from_bytes(result, "little") % self._modulus

    def power(self, base: mpz, exponent: mpz) -> mpz:
        """Return base^exponent for an exponent that is not negative."""
        return self._powers((self,), (base,), (exponent,))[0]

    def powers(self, base: mpz, exponent: mpz, other: "NativeModulus", other_base: mpz, other_exponent: mpz) -> tuple[mpz, mpz]:
        """Return base^exponent, and another such power modulo another number; the exponents are not negative.

        Of numbers of the same length the two take little more time than one.
        """
        if self._arguments[:2] != other._arguments[:2] or self._size != other._size:
            return self.power(base, exponent), other.power(other_base, other_exponent)
        one, two = self._powers((self, other), (base, other_base), (exponent, other_exponent))
        return one, two

    def _powers(self, moduli: "Sequence[NativeModulus]", bases: Sequence[mpz], exponents: Sequence[mpz]) -> list[mpz]:
        vectors, digits, _, _, size = self._arguments
        bits = max(exponent.bit_length() for exponent in exponents)
        result = ctypes.create_string_buffer(size * len(moduli))
        self._library.kernel_power(
            len(moduli),
            vectors,
            digits,
            b"".join([modulus._arguments[2] for modulus in moduli]),
            b"".join([modulus._arguments[3] for modulus in moduli]),
            size,
            b"".join([modulus._bytes(base % modulus._modulus) for modulus, base in zip(moduli, bases, strict=True)]),
            b"".join([exponent.to_bytes(-(-bits // 8), "little") for exponent in exponents]),
            bits,
            result,
        )
        raw = result.raw
        return [modulus._read(raw[number * size : (number + 1) * size]) for number, modulus in enumerate(moduli)]

    def table_bytes(self, teeth: int) -> int:
        """What a table of so many teeth takes, with what it takes to have it begin where it should."""
        return (1 << teeth) * self._vectors * _LANES * 8 + _ALIGNMENT

    def table(self, base: mpz, teeth: int, columns: int) -> tuple[Table, mpz]:
        """Return the table of one block of a base, and the base of the next block: base^(2^(teeth·columns))."""
        made = Table(self.table_bytes(teeth), teeth, columns)
        following = ctypes.create_string_buffer(self._size)
        self._library.kernel_table(*self._arguments, self._bytes(base % self._modulus), teeth, columns, made.address, following)
        return made, self._read(following.raw)

    def product(self, terms: Sequence[Term]) -> mpz:
        """Return the product of the powers."""
        fields, exponents = [], bytearray()
        last: mpz | None = None
        begin = bits = 0
        for table, exponent, start in terms:
            if exponent is not last:  # Tables of one base come together.
                last, begin, bits = exponent, len(exponents), exponent.bit_length()
                exponents += exponent.to_bytes(-(-bits // 8), "little")
            fields.append(_TERM.pack(table.address, begin, bits, start, table.teeth, table.columns))
        result = ctypes.create_string_buffer(self._size)
        self._library.kernel_product(*self._arguments, b"".join(fields), len(terms), bytes(exponents), result)
        return self._read(result.raw)


def for_modulus(modulus: mpz) -> NativeModulus | None:
    """What computes natively modulo a number, or None where nothing does."""
    if library is None or not LEAST_BITS <= modulus.bit_length() <= MOST_BITS or not modulus.bit_test(0):
        return None
    return NativeModulus(library, modulus)


def fermat_test(numbers: Sequence[mpz]) -> list[bool] | None:
    """Tell of each of at most eight odd numbers above 1 whether 2^(n-1) ≡ 1 (mod n), or None where that is not done natively.

    Numbers of much the same length are tested in little more than the time of one. Other threads run meanwhile.
    """
    bits = max(number.bit_length() for number in numbers)
    digits = -(-(bits + 4) // _DIGIT_BITS)
    if library is None or digits > _MOST_FERMAT_DIGITS:
        return None
    size, R = -(-bits // 8), mpz(1) << _DIGIT_BITS * digits
    # All eight lanes are computed with, so they all hold a number.
    lanes = [*numbers, *[numbers[0]] * (FERMAT_TESTS - len(numbers))]
    texts = b"".join(number.to_bytes(size, "little") for number in lanes)
    ones = b"".join((R % number).to_bytes(size, "little") for number in lanes)
    passed: int = library.kernel_fermat(digits, texts, ones, size)
    return [bool(passed >> lane & 1) for lane in range(len(numbers))]
