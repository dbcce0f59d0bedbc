"""Integers as they travel in JSON: base64 (standard alphabet, padded) of the shortest big-endian bytes.

Zero is the empty string. A bare decimal number, the older form, is read too; there is no sign. Source: gabi `big/int.go`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from gmpy2 import mpz

from .errors import MalformedProofError, ProofRuleError
from .json_text import EscapedStr


def integer_to_bytes(value: mpz | int) -> bytes:
    """Return the shortest big-endian bytes of a non-negative integer; zero has none."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def integer_from_bytes(data: bytes) -> mpz:
    """Read unsigned big-endian bytes."""
    return mpz.from_bytes(data, "big")


def encode_integer(value: mpz | int) -> str:
    """Return the JSON string of a non-negative integer.

    Raises:
        ValueError: it is negative; the format has no sign.
    """
    if value < 0:
        raise ValueError("a negative integer has no JSON form")
    return base64.b64encode(integer_to_bytes(value)).decode("ascii")


def decode_integer(value: Any, where: str) -> mpz:
    """Read an integer from a parsed JSON value.

    Args:
        value: a string in base64, or an int.
        where: the field, for the error.

    Raises:
        MalformedProofError: it is neither, is negative, or was written with escapes.
    """
    if isinstance(value, str):
        if isinstance(value, EscapedStr):
            raise MalformedProofError(where, "an integer is written without escapes")
        try:
            return integer_from_bytes(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError) as cause:
            raise MalformedProofError(where, "not base64 in the standard alphabet with padding") from cause
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ProofRuleError(where, "Unexpected negative integer")
        return mpz(value)
    raise MalformedProofError(where, "missing" if value is None else "expected an integer: base64 in a string, or a number")


def decode_integer_map(value: Any, where: str) -> dict[int, mpz]:
    """Read an object whose keys are decimal indices and whose values are integers; null is the empty map.

    Raises:
        MalformedProofError: it is something else. An index with a sign or leading zeros carries the departure `index-form`.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedProofError(where, "expected an object of indices and integers")
    return {decode_index(key, where): decode_integer(element, f"{where}[{key}]") for key, element in value.items()}


def decode_index(key: str, where: str) -> int:
    """Read a map key as an index: decimal digits without sign or leading zeros, at most four.

    Raises:
        MalformedProofError: it is not of that form.
    """
    if not (1 <= len(key) <= 4 and key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")):
        raise MalformedProofError(where, f"{key[:32]!r} is not an index", departure="index-form")
    return int(key)


def encode_integer_map(values: Mapping[int, mpz]) -> dict[str, str]:
    """Return the JSON object of a map of indices, in the order of their digits as the reference writes it."""
    return {str(index): encode_integer(values[index]) for index in sorted(values, key=str)}
