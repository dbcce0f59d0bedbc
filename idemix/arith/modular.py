"""Modular exponentiation and inverses.

Exponents may be negative wherever the base is a unit. Heavy operations let other threads run meanwhile, and use the native kernel
where there is one.
"""

from collections.abc import Iterable
from typing import Final

import gmpy2
from gmpy2 import mpz

from . import kernel

#: Exponents that are shorter cost less than handing the numbers over to the native kernel.
_LEAST_NATIVE_BITS: Final = 16


def powmod(base: mpz, exponent: mpz | int, modulus: mpz) -> mpz:
    """Return base^exponent mod modulus, for an exponent that is no secret.

    Raises:
        ZeroDivisionError: the exponent is negative and the base no unit.
    """
    if exponent < 0:
        return inverse(powmod(base, -exponent, modulus), modulus)
    native = _native(exponent, modulus)
    if native is not None:
        return native.power(base, mpz(exponent))
    # gmpy2 keeps the switch per thread, and it would slow every small multiplication: it is on during this call only.
    context = gmpy2.get_context()
    context.allow_release_gil = True
    try:
        return gmpy2.powmod(base, exponent, modulus)
    finally:
        context.allow_release_gil = False


def powmod_secret(base: mpz, exponent: mpz | int, modulus: mpz) -> mpz:
    """Return base^exponent mod modulus in a time that does not depend on the bits of the exponent, only on its length.

    The kernel's, or GMP's `mpz_powm_sec`; the modulus is odd. A negative exponent inverts the result, which leaks nothing about it.

    Raises:
        ZeroDivisionError: the exponent is negative and the base no unit.
    """
    if exponent < 0:
        return inverse(powmod_secret(base, -exponent, modulus), modulus)
    if exponent == 0:
        return mpz(1) % modulus
    native = _native(exponent, modulus)
    if native is not None:
        return native.power(base, mpz(exponent))
    context = gmpy2.get_context()
    context.allow_release_gil = True
    try:
        return gmpy2.powmod_sec(base, exponent, modulus)
    finally:
        context.allow_release_gil = False


def powmod_secret_pair(base: mpz, exponent: mpz, modulus: mpz, other_base: mpz, other_exponent: mpz, other_modulus: mpz) -> tuple[mpz, mpz]:
    """Return two powers as `powmod_secret` does, in little more than the time of one where the native kernel computes them.

    The exponents are not negative; the moduli are odd, and best of the same length.
    """
    native, other = _native(exponent, modulus), _native(other_exponent, other_modulus)
    if native is not None and other is not None:
        return native.powers(base, exponent, other, other_base, other_exponent)
    return powmod_secret(base, exponent, modulus), powmod_secret(other_base, other_exponent, other_modulus)


def _native(exponent: mpz | int, modulus: mpz) -> kernel.NativeModulus | None:
    return kernel.for_modulus(modulus) if exponent.bit_length() >= _LEAST_NATIVE_BITS else None


def inverse(value: mpz, modulus: mpz) -> mpz:
    """Return value^-1 mod modulus.

    Raises:
        ZeroDivisionError: value is no unit.
    """
    return gmpy2.invert(value, modulus)


def is_unit(value: mpz, modulus: mpz) -> bool:
    """Whether 1 < value < modulus and value has an inverse: what every group element that travels must be."""
    return 1 < value < modulus and gmpy2.gcd(value, modulus) == 1


def product(factors: Iterable[mpz], modulus: mpz) -> mpz:
    """Return the product of the factors mod modulus."""
    result = mpz(1)
    for factor in factors:
        result = result * factor % modulus
    return result
