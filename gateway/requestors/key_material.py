"""Reading and making the keys of requestors: tokens, HMAC secrets, RSA public keys."""

import base64
import binascii
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ..inputs import InvalidInputError, Message
from ..models import AuthMethod
from .directory import hash_token

TOKEN_BYTES: Final = 32
SECRET_BYTES: Final = 32

#: A token of 22 characters can hold 128 bits; one that is shorter cannot.
SHORTEST_TOKEN: Final = 22
LONGEST_MATERIAL: Final = 65_536

#: Below this RSA is weak; below the next it is refused, and above the last checking would cost too much.
RSA_BITS: Final = 2048
SMALLEST_RSA_BITS: Final = 1024
LARGEST_RSA_BITS: Final = 16_384

_PEM: Final = re.compile(r"-----BEGIN ([^-\r\n]*)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(={0,2})")


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A key that was read or made.

    Attributes:
        token_hash, secret, public_key: one of them, by the method.
        fingerprint: what may be shown of it.
        made: what the caller is shown once, where the key was made here.
        warnings: why it is weak.
    """

    fingerprint: str
    token_hash: bytes | None = None
    secret: bytes | None = field(default=None, repr=False)
    public_key: str | None = None
    made: str | None = field(default=None, repr=False)
    warnings: tuple[Message, ...] = ()


def read_or_make(method: AuthMethod, material: str, *, pepper: bytes) -> KeyMaterial:
    """Read a key that is brought along, or make one where there is no material.

    Args:
        method: what the key is for.
        material: as in `gateway.requestors.models.NewKey`.
        pepper: the key of token hashes; fingerprints of tokens and secrets are made with it as well, so that they help nobody to guess.

    Raises:
        InvalidInputError: at the field `material`.
    """
    if len(material) > LONGEST_MATERIAL:
        raise _refused(Message("must have at most %(limit)d characters", limit=LONGEST_MATERIAL))
    match method:
        case AuthMethod.TOKEN:
            return _token(material, pepper)
        case AuthMethod.HMAC:
            return _secret(material, pepper)
        case AuthMethod.PUBLICKEY:
            return _public_key(material)


def _token(material: str, pepper: bytes) -> KeyMaterial:
    made = None if material else secrets.token_urlsafe(TOKEN_BYTES)
    token = made or material
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise _refused(Message("a token has printable ASCII characters and no blank at either end, since it travels in a header"))
    warnings = () if len(token) >= SHORTEST_TOKEN else (Message("the token is so short that it could be guessed; replace it"),)
    hashed = hash_token(token, pepper)
    # Not the stored hash itself: a second one under the same key, shortened.
    return KeyMaterial(hash_token(f"fingerprint {token}", pepper).hex()[:16], token_hash=hashed, made=made, warnings=warnings)


def _secret(material: str, pepper: bytes) -> KeyMaterial:
    if material:
        try:
            secret = decode_secret(material)
        except ValueError as error:
            raise _refused(Message("an HMAC secret must be base64")) from error
        if not secret:
            raise _refused(Message("an HMAC secret must not be empty"))
        made = None
    else:
        secret = secrets.token_bytes(SECRET_BYTES)
        made = base64.b64encode(secret).decode()
    warnings = () if len(secret) >= SECRET_BYTES else (Message("the secret has fewer than 32 bytes; replace it"),)
    return KeyMaterial(hash_token(f"secret {secret.hex()}", pepper).hex()[:16], secret=secret, made=made, warnings=warnings)


def _public_key(material: str) -> KeyMaterial:
    if not material.strip():
        raise _refused(Message("must be given: the PEM or JWK of an RSA public key"))
    if "PRIVATE KEY" in material:
        raise _refused(Message("this is a private key; keep it to yourself, replace it, and bring the public key"))
    try:
        key = _read_jwk(material) if material.lstrip().startswith("{") else read_public_key(material)
    except (ValueError, UnsupportedAlgorithm, RecursionError) as error:
        raise _refused(Message("must be the PEM or JWK of an RSA public key; JWTs of requestors are signed with RS256")) from error
    if not SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
        raise _refused(Message("must have %(least)d to %(most)d bits", least=SMALLEST_RSA_BITS, most=LARGEST_RSA_BITS))
    weak = Message("the RSA key has %(bits)d bits, fewer than %(least)d; replace it", bits=key.key_size, least=RSA_BITS)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyMaterial(
        hashlib.sha256(der).hexdigest(),
        public_key=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        warnings=() if key.key_size >= RSA_BITS else (weak,),
    )


def _read_jwk(text: str) -> RSAPublicKey:
    """Read an RSA key of RFC 7517 and RFC 7518 section 6.3.

    Raises:
        ValueError: it is none.
    """
    jwk = json.loads(text)
    if "d" in jwk:
        raise _refused(Message("this is a private key; keep it to yourself, replace it, and bring the public key"))
    if jwk.get("kty") != "RSA":
        raise ValueError("it is not an RSA key")
    modulus, exponent = (jwk.get(name) for name in ("n", "e"))
    if not isinstance(modulus, str) or not isinstance(exponent, str):
        raise ValueError("n and e are base64url texts")
    return RSAPublicNumbers(_integer(exponent), _integer(modulus)).public_key()


def _integer(text: str) -> int:
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))


def decode_secret(text: str) -> bytes:
    """Decode an HMAC secret: base64 in the standard or the URL alphabet, padded or not; line ends are skipped.

    Raises:
        ValueError: it is not base64, or empty.
    """
    joined = text.replace("\r", "").replace("\n", "")
    match = _BASE64.fullmatch(joined)
    digits = joined.rstrip("=")
    if match is None or (match[1] and len(joined) % 4) or len(digits) % 4 == 1:
        raise ValueError("it is not base64")
    try:
        return base64.b64decode(digits.translate(str.maketrans("-_", "+/")) + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error


def read_public_key(pem: str) -> RSAPublicKey:
    """Read the first PEM block as an RSA public key (SubjectPublicKeyInfo), or as a certificate of one.

    Raises:
        ValueError: it is neither.
    """
    block = _PEM.search(pem)
    if block is None:
        raise ValueError("it is not PEM")
    der = decode_secret("".join(block[2].split()))
    try:
        key = load_der_public_key(der)
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
            raise ValueError("it is not a SubjectPublicKeyInfo")
    except ValueError:
        key = x509.load_der_x509_certificate(der).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it is not an RSA key")
    return key


def _refused(message: Message) -> InvalidInputError:
    return InvalidInputError({"material": message})
