"""Modular arithmetic."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.arith.modular import inverse, is_unit, powmod, powmod_secret

MODULUS = mpz(101 * 103)


@given(st.integers(1, 1 << 64), st.integers(-(1 << 64), 1 << 64))
def test_both_powers_agree_with_the_definition(base: int, exponent: int) -> None:
    if base % 101 and base % 103:
        expected = pow(base, exponent, int(MODULUS))
        assert powmod(mpz(base), exponent, MODULUS) == powmod_secret(mpz(base), exponent, MODULUS) == expected


@pytest.mark.parametrize("power", [powmod, powmod_secret])
def test_a_base_without_inverse_has_no_negative_power(power: object) -> None:
    with pytest.raises(ZeroDivisionError):
        power(mpz(101), -1, MODULUS)  # type: ignore[operator]


def test_units() -> None:
    assert [value for value in (-1, 0, 1, 2, 101, 10402, 10403, 10404) if is_unit(mpz(value), MODULUS)] == [2, 10402]
    assert inverse(mpz(2), MODULUS) * 2 % MODULUS == 1
