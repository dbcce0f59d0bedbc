"""Tokens and codes of sessions."""

import string
from dataclasses import dataclass

import pytest
from gmpy2 import mpz

from idemix.session.randomness import SystemRandomness
from tests.support.randomness import SeededRandom


@dataclass
class Extreme:
    """Gives the lowest numbers, or the highest."""

    highest: bool

    def bits(self, length: int) -> mpz:
        return (mpz(1) << length) - 1 if self.highest else mpz(0)

    def below(self, bound: int | mpz) -> mpz:
        return mpz(bound) - 1 if self.highest else mpz(0)


@pytest.mark.parametrize(("highest", "token", "code"), [(False, "0" * 20, "0000"), (True, "z" * 20, "9999")])
def test_lowest_and_highest(highest: bool, token: str, code: str) -> None:
    made = SystemRandomness(Extreme(highest))
    assert {made.requestor_token(), made.client_token(), made.frontend_authorization()} == {token}
    assert made.pairing_code() == code


def test_tokens_have_all_letters_and_digits_everywhere() -> None:
    made = SystemRandomness(SeededRandom())
    tokens = [made.client_token() for _ in range(1000)]
    assert len(set(tokens)) == len(tokens)
    assert {len(token) for token in tokens} == {20}
    for place in range(20):
        assert {token[place] for token in tokens} == set(string.ascii_letters + string.digits)
