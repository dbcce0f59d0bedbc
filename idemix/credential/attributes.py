"""Attributes as integers.

Since version 3 of the metadata attribute the lowest bit says that a value is present and the UTF-8 stands above it; an
absent value is 0. In version 2 the integer is the UTF-8 alone, and absence is the empty text. Source: irmago
`irma/attributes.go`, `irma/requests.go`.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from gmpy2 import mpz

from ..integers import integer_from_bytes, integer_to_bytes

_PRESENCE_BIT_VERSION: Final = 3
_BASE_62: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNDECODABLE: Final = re.compile("[\udc80-\udcff]")


def encode_attribute(value: str | None, version: int = _PRESENCE_BIT_VERSION) -> mpz:
    """Return the integer of an attribute.

    NUL characters at the start leave no trace in the integer, and so are lost.

    Args:
        value: the text, or None for an absent optional attribute.
        version: of the credential's metadata attribute.
    """
    if value is None:
        return mpz(0)
    integer = integer_from_bytes(value.encode())
    return integer if version < _PRESENCE_BIT_VERSION else (integer << 1) + 1


def decode_attribute_bytes(attribute: mpz, version: int = _PRESENCE_BIT_VERSION) -> bytes | None:
    """Return the bytes of an attribute's text, or None where it is absent."""
    if version < _PRESENCE_BIT_VERSION:
        return integer_to_bytes(attribute)
    return integer_to_bytes(attribute >> 1) if attribute.bit_test(0) else None


def decode_attribute(attribute: mpz, version: int = _PRESENCE_BIT_VERSION) -> str | None:
    """Return the text of an attribute, or None where it is absent.

    A hostile issuer may have signed bytes that are not UTF-8: each becomes U+FFFD, as in the reference's JSON.
    """
    data = decode_attribute_bytes(attribute, version)
    return None if data is None else _UNDECODABLE.sub("\ufffd", data.decode("utf-8", "surrogateescape"))


def decode_random_blind(attribute: mpz) -> str:
    """Return the text in which a random blind attribute is shown: base 62, digits first, then small and capital letters."""
    digits = []
    rest = int(attribute)
    while rest:
        rest, digit = divmod(rest, len(_BASE_62))
        digits.append(_BASE_62[digit])
    return "".join(reversed(digits))


def credential_hash(attributes: Iterable[mpz | None]) -> str:
    """Return the hash that names a credential among others of its type.

    The lower-case hexadecimal SHA-256 of the shortest bytes of all attributes, one after another.

    Args:
        attributes: m_1 … m_k, the secret key left out; absent ones (None) are passed over.
    """
    digest = hashlib.sha256()
    for attribute in attributes:
        if attribute is not None:
            digest.update(integer_to_bytes(attribute))
    return digest.hexdigest()
