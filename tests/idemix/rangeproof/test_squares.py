"""Sums of squares."""

import pytest
from gmpy2 import mpz

from idemix.rangeproof import FOUR_SQUARES, ThreeSquares
from idemix.rangeproof.squares import four_squares, three_squares
from tests.support.randomness import SeededRandom

RANDOM = SeededRandom("squares")


def total(roots: tuple[mpz, ...]) -> mpz:
    assert all(root >= 0 for root in roots)
    return sum((root * root for root in roots), mpz(0))


def test_every_small_number_is_a_sum_of_four() -> None:
    for value in range(5000):
        assert total(four_squares(mpz(value), RANDOM)) == value


def test_every_small_number_of_the_right_remainder_is_a_sum_of_three() -> None:
    for value in range(2, 6000, 4):
        assert total(three_squares(mpz(value), RANDOM)) == value


@pytest.mark.parametrize("bits", [12, 13, 40, 64, 128, 200, 256])
@pytest.mark.parametrize("low", range(8))
def test_large_numbers(bits: int, low: int) -> None:
    value = (mpz(1) << bits) - 16 + low
    assert total(four_squares(value, RANDOM)) == value
    assert total(four_squares(value << 6, RANDOM)) == value << 6
    if low % 4 == 2:
        assert total(three_squares(value, RANDOM)) == value


def test_four_squares_reach_as_far_as_their_roots() -> None:
    largest = (mpz(1) << 256) - 1
    roots = FOUR_SQUARES.split(largest, RANDOM)
    assert roots is not None
    assert total(roots) == largest
    assert all(root.bit_length() <= FOUR_SQUARES.l_d for root in roots)
    assert FOUR_SQUARES.split(largest + 1, RANDOM) is None


@pytest.mark.parametrize(("limit", "l_d"), [(18, 4), (100, 5), (1000, 6)])
def test_three_squares_have_the_roots_of_their_limit(limit: int, l_d: int) -> None:
    squares = ThreeSquares(limit)
    assert squares.l_d == l_d
    for value in range(2, limit + 1, 4):
        roots = squares.split(mpz(value), RANDOM)
        assert roots is not None
        assert total(roots) == value
        assert all(root.bit_length() <= l_d for root in roots)


@pytest.mark.parametrize("value", [0, 1, 3, 4, 22])
def test_three_squares_split_no_other_numbers(value: int) -> None:
    assert ThreeSquares(18).split(mpz(value), RANDOM) is None
