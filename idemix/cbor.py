"""CBOR as the reference writes it, and messages signed in it.

Only what those messages need is read: integers, byte and text strings, lists, and maps with text keys, all of definite
length. Two readers of one message must not see different values, so everything that leaves room for that is refused: heads
that are longer than need be, keys that occur twice, tags, fractions, and bytes after the end. The libraries of the field read
all of these, and tags that make dates, regular expressions and references of them; hence a reader of our own.

A signed message is the CBOR map {"Msg": bytes, "Sig": bytes}, Msg the CBOR of an object and Sig an ECDSA signature on it.

Source: RFC 8949, sections 3 and 4.2; gabi `signed/signed.go` (MarshalSign, UnmarshalVerify).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from .errors import MalformedKeyError, MalformedProofError
from .json_text import check_object
from .scheme.keys import sign, verify

MAX_DEPTH: Final = 16

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _OTHER = range(8)
_FALSE, _TRUE, _NULL = b"\xf4", b"\xf5", b"\xf6"
_SIMPLE: Final = {0xF4: False, 0xF5: True, 0xF6: None}

#: What follows the first byte for each additional information from 24 on: how many bytes, and the smallest number worth them.
_LONG_HEADS: Final = {24: (1, 24), 25: (2, 1 << 8), 26: (4, 1 << 16), 27: (8, 1 << 32)}


def encode(value: Any) -> bytes:
    """Write a value: int of up to 64 bits, bytes, str, bool, None, a sequence of values or a mapping, in its order.

    Raises:
        TypeError: it is something else.
    """
    match value:
        case None:
            return _NULL
        case bool():
            return _TRUE if value else _FALSE
        case int():
            return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            text = value.encode()
            return _head(_TEXT, len(text)) + text
        case Mapping():
            return _head(_MAP, len(value)) + b"".join(encode(key) + encode(element) for key, element in value.items())
        case Sequence():
            return _head(_LIST, len(value)) + b"".join(map(encode, value))
    raise TypeError(f"{type(value).__name__} has no CBOR")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for information, (length, _) in _LONG_HEADS.items():
        if number < 1 << 8 * length:
            return bytes([major << 5 | information]) + number.to_bytes(length, "big")
    raise TypeError("an integer of CBOR has at most 64 bits")


def decode(data: bytes, where: str, *, numbered: bool = False) -> Any:
    """Read one value that takes all of `data`.

    Args:
        data: the CBOR.
        where: what it is, for errors.
        numbered: whether the value is a map with unsigned integers as keys; maps within it have text keys all the same.

    Returns:
        int, bytes, str, bool, None, a list or a dict with text keys.

    Raises:
        MalformedProofError: it is not CBOR, or (departure `cbor-form`) CBOR in another form than the reference writes.
    """
    reader = _Reader(data, where)
    value = reader.numbered_map() if numbered else reader.value(0)
    if reader.position != len(data):
        reader.refuse("something follows the value")
    return value


class _Reader:
    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._where = where
        self.position = 0

    def refuse(self, rule: str) -> NoReturn:
        raise MalformedProofError(self._where, rule, departure="cbor-form")

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self.refuse(f"nested deeper than {MAX_DEPTH}")
        first = self._take(1)[0]
        major = first >> 5
        if first in _SIMPLE:
            return _SIMPLE[first]
        if major in (_TAG, _OTHER):
            self.refuse("expected an integer, a string, a list or a map")
        number = self._number(first & 0x1F)
        match major:
            case 0:
                return number
            case 1:
                return -1 - number
            case 2:
                return self._take(number)
            case 3:
                return self._text(number)
            case 4:
                return [self.value(depth + 1) for _ in range(number)]
        return self._map(number, depth)

    def numbered_map(self) -> dict[int, Any]:
        """Read a map with unsigned integers as keys."""
        first = self._take(1)[0]
        if first >> 5 != _MAP:
            raise MalformedProofError(self._where, "expected a map")
        result: dict[int, Any] = {}
        for key, value in self._pairs(self._number(first & 0x1F), 0):
            if not isinstance(key, int) or isinstance(key, bool) or key < 0:
                self.refuse("a key that is no unsigned integer")
            if key in result:
                self.refuse(f"key {key} occurs twice")
            result[key] = value
        return result

    def _number(self, information: int) -> int:
        if information < 24:
            return information
        if information not in _LONG_HEADS:
            self.refuse("a length that is not definite")
        length, smallest = _LONG_HEADS[information]
        number = int.from_bytes(self._take(length), "big")
        if number < smallest:
            self.refuse("a head that is longer than need be")
        return number

    def _take(self, length: int) -> bytes:
        taken = self._data[self.position : self.position + length]
        if len(taken) < length:
            raise MalformedProofError(self._where, "ends too early")
        self.position += length
        return taken

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode()
        except UnicodeDecodeError as cause:
            raise MalformedProofError(self._where, "a text that is not UTF-8") from cause

    def _map(self, count: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in self._pairs(count, depth):
            if not isinstance(key, str):
                self.refuse("a key that is no text")
            if key in result:
                self.refuse(f"key {key[:64]!r} occurs twice")
            result[key] = value
        return result

    def _pairs(self, count: int, depth: int) -> Iterator[tuple[Any, Any]]:
        for _ in range(count):
            yield self.value(depth + 1), self.value(depth + 1)


def sign_message(ecdsa: bytes | None, value: Any) -> bytes:
    """Write a value and sign it.

    Args:
        ecdsa: DER ECPrivateKey of the signer, `PrivateKey.ecdsa`.
        value: see `encode`.

    Raises:
        MalformedKeyError: there is no key.
    """
    key = load_der_private_key(ecdsa, password=None) if ecdsa else None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MalformedKeyError("ECDSA", "the private key does not support revocation")
    message = encode(value)
    return encode({"Msg": message, "Sig": sign(key, message)})


def open_message(ecdsa: bytes | None, data: bytes, where: str) -> Any:
    """Check a signed message, then read what it holds.

    Args:
        ecdsa: DER SubjectPublicKeyInfo of the signer, `PublicKey.ecdsa`.
        data: the signed message.
        where: what it is, for errors.

    Raises:
        MalformedKeyError: there is no key.
        MalformedProofError: it is no signed message, or does not hold CBOR.
        InvalidSignatureError: the signature does not hold.
    """
    key = load_der_public_key(ecdsa) if ecdsa else None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedKeyError("ECDSA", "the public key does not support revocation")
    fields = check_object(decode(data, where), {"Msg", "Sig"}, where)
    message, signature = fields.get("Msg"), fields.get("Sig")
    if not isinstance(message, bytes) or not isinstance(signature, bytes):
        raise MalformedProofError(where, "expected Msg and Sig as bytes")
    verify(key, message, signature)
    return decode(message, where)
