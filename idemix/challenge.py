"""The Fiat-Shamir hash: SHA-256 over the DER of a list of integers.

    SEQUENCE { [BOOLEAN TRUE]  INTEGER n  INTEGER x_1 … INTEGER x_n }

with n the number of integers that follow. The boolean stands there for attribute-based signatures only, and keeps the
hashes of the two kinds of session apart. Integers are hashed as received, never reduced first.

Source: Fiat and Shamir, "How to Prove Yourself", CRYPTO 1986; gabi `internal/common/hashtool.go` (HashCommit).
"""

import hashlib
from collections.abc import Iterable, Sequence

from gmpy2 import mpz

from .integers import integer_from_bytes, integer_to_bytes


def der_length(length: int) -> bytes:
    """Return the DER length octets (X.690, section 8.1.3)."""
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def der_integer(value: mpz | int) -> bytes:
    """Return the DER of an INTEGER: shortest two's complement (X.690, section 8.3)."""
    magnitude = value if value >= 0 else -value - 1
    content = value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
    return b"\x02" + der_length(len(content)) + content


def der_octet_string(content: bytes) -> bytes:
    """Return the DER of an OCTET STRING."""
    return b"\x04" + der_length(len(content)) + content


def der_sequence(elements: Iterable[bytes]) -> bytes:
    """Return the DER of a SEQUENCE of elements that are DER themselves."""
    content = b"".join(elements)
    return b"\x30" + der_length(len(content)) + content


def commitment_der(values: Sequence[mpz | int], is_signature: bool = False) -> bytes:
    """Return the DER that `hash_commit` hashes."""
    boolean = [b"\x01\x01\xff"] if is_signature else []
    return der_sequence([*boolean, der_integer(len(values)), *map(der_integer, values)])


def hash_commit(values: Sequence[mpz | int], is_signature: bool = False) -> mpz:
    """Return SHA-256 of the DER of the values, as an unsigned integer.

    Args:
        values: what is committed to, in order.
        is_signature: whether it is for an attribute-based signature.
    """
    return hash_bytes(commitment_der(values, is_signature))


def create_challenge(context: mpz | int, nonce: mpz | int, contributions: Sequence[mpz], is_signature: bool) -> mpz:
    """Return the challenge of a list of proofs: the hash of context, contributions and nonce, in that order."""
    return hash_commit([context, *contributions, nonce], is_signature)


def hash_number(values: Sequence[mpz | int], index: int, bits: int) -> mpz:
    """Return a hash of at least `bits` bits: that of values, index and a counter, for as many counters as are needed.

    The result is not cut off at `bits`. Key proofs derive their challenges so.

    Source: gabi `internal/common/hashtool.go` (GetHashNumber).
    """
    blocks = (hash_commit([*values, index, counter]) << 256 * counter for counter in range(-(-bits // 256)))
    return sum(blocks, mpz(0))


def hash_bytes(data: bytes) -> mpz:
    """Return SHA-256 of bytes, as an unsigned integer."""
    return integer_from_bytes(hashlib.sha256(data).digest())


def hash_integer(value: mpz) -> mpz:
    """Return SHA-256 of the shortest bytes of a non-negative integer, as an unsigned integer."""
    return hash_bytes(integer_to_bytes(value))


def signature_nonce(nonce: mpz | int, message: str, timestamp_signature: bytes | None = None) -> mpz:
    """Return the nonce with which an attribute-based signature on `message` is made.

    SHA-256 of the DER of SEQUENCE { nonce, SHA-256(message) as unsigned INTEGER [, OCTET STRING time-stamp signature] }.

    Source: irmago `irma/irma_signature.go` (ASN1ConvertSignatureNonce).
    """
    elements = [der_integer(nonce), der_integer(hash_bytes(message.encode()))]
    if timestamp_signature is not None:
        elements.append(der_octet_string(timestamp_signature))
    return hash_bytes(der_sequence(elements))
