"""Checks that the proofs share, all done before any exponentiation."""

from collections.abc import Iterable, Mapping
from typing import Final

from gmpy2 import mpz

from ..arith.modular import is_unit
from ..errors import ChallengeMismatchError, ElementRangeError, MalformedProofError, ResponseSizeError
from ..keys.public import PublicKey

CHALLENGE_BITS: Final = 256


def check_group_element(value: mpz, public_key: PublicKey, where: str) -> None:
    """Check that a value is between 1 and N and coprime to N.

    Raises:
        ElementRangeError: it is not (departure `element-range`).
    """
    if not is_unit(value, public_key.N):
        raise ElementRangeError(f"{where}: not between 1 and n, or not coprime to it", departure="element-range")


def check_response(value: mpz, bits: int, where: str) -> None:
    """Check that a response lies in [0, 2^bits - 1].

    Raises:
        ResponseSizeError: it does not (departure `response-size`).
    """
    if value < 0 or value.bit_length() > bits:
        raise ResponseSizeError(f"{where}: response size out of bounds ({bits} bits)", departure="response-size")


def check_responses(values: Mapping[int, mpz], bits: int, where: str) -> None:
    """Check the responses for several attributes, by index of base.

    Raises:
        ResponseSizeError: see `check_response`.
    """
    for index, value in values.items():
        if value < 0 or value.bit_length() > bits:
            check_response(value, bits, f"{where}[{index}]")


def check_challenge(value: mpz, where: str) -> None:
    """Check that a challenge has the length of a hash: a longer one cannot be the one that is computed anew.

    Raises:
        ChallengeMismatchError: it has not.
    """
    if value < 0 or value.bit_length() > CHALLENGE_BITS:
        raise ChallengeMismatchError(f"{where}: longer than a challenge ({CHALLENGE_BITS} bits)")


def check_indices(indices: Iterable[int], public_key: PublicKey, where: str) -> None:
    """Check that every index names a base of the key.

    Raises:
        MalformedProofError: one does not.
    """
    count = len(public_key.R)
    for index in indices:
        if not 0 <= index < count:
            raise MalformedProofError(where, f"index {index}, the key has {count} bases")


def check_index_sets(disclosed: Mapping[int, mpz], hidden: Mapping[int, mpz], public_key: PublicKey, where: str) -> None:
    """Check that disclosed and hidden indices are apart and together exactly 0 … k.

    k may be smaller than the type's number of attributes, as in a credential that was issued before the type grew.

    Raises:
        MalformedProofError: an index is in both (departure `overlapping-indices`), in neither though a higher one is shown
            (departure `index-gap`), or names no base.
    """
    overlap = disclosed.keys() & hidden.keys()
    if overlap:
        raise MalformedProofError(where, f"index {min(overlap)} is both disclosed and hidden", departure="overlapping-indices")
    indices = disclosed.keys() | hidden.keys()
    check_indices(indices, public_key, where)
    missing = set(range(max(indices, default=0) + 1)) - indices
    if missing:
        raise MalformedProofError(where, f"index {min(missing)} is neither disclosed nor hidden", departure="index-gap")
