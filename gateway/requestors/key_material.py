"""Reading and making the keys of requestors: tokens, HMAC secrets, public keys and the addresses where those are published."""

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ..inputs import InvalidInputError, Message
from ..models import AuthMethod, JwtAlgorithm
from .directory import PublicKey, algorithm_of, hash_token

TOKEN_BYTES: Final = 32
SECRET_BYTES: Final = 32

#: A token of 22 characters can hold 128 bits; one that is shorter cannot.
SHORTEST_TOKEN: Final = 22
LONGEST_MATERIAL: Final = 65_536
LONGEST_URL: Final = 2000

#: Below this RSA is weak; below the next it is refused, and above the last checking would cost too much.
RSA_BITS: Final = 2048
SMALLEST_RSA_BITS: Final = 1024
LARGEST_RSA_BITS: Final = 16_384

_PEM: Final = re.compile(r"-----BEGIN ([^-\r\n]*)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)(={0,2})")

_PRIVATE: Final = Message("this is a private key; keep it to yourself, replace it, and bring the public key")


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A key that was read or made.

    Attributes:
        token_hash, secret, public_key, jwks_url: one of them, by the method.
        algorithm: the one that JWTs under the key are signed with.
        kid: the name that the key brought along.
        fingerprint: what may be shown of it.
        made: what the caller is shown once, where the key was made here.
        warnings: why it is weak.
    """

    fingerprint: str
    token_hash: bytes | None = None
    secret: bytes | None = field(default=None, repr=False)
    public_key: str | None = None
    jwks_url: str | None = None
    algorithm: JwtAlgorithm | None = None
    kid: str | None = None
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
    return KeyMaterial(
        hash_token(f"secret {secret.hex()}", pepper).hex()[:16], secret=secret, algorithm=JwtAlgorithm.HS256, made=made, warnings=warnings
    )


def _public_key(material: str) -> KeyMaterial:
    if not material.strip():
        raise _refused(Message("must be given: the PEM or JWK of a public key"))
    if "PRIVATE KEY" in material:
        raise _refused(_PRIVATE)
    kid: str | None = None
    try:
        if material.lstrip().startswith("{"):
            jwk = json.loads(material)
            key, kid = read_jwk(jwk), jwk.get("kid")
        else:
            key = read_public_key(material)
    except _PrivateKeyError as error:
        raise _refused(_PRIVATE) from error
    except (ValueError, UnsupportedAlgorithm, RecursionError) as error:
        raise _refused(
            Message("must be the PEM or JWK of an RSA key (RS256), of a key on the curve P-256 (ES256), or of an Ed25519 key (EdDSA)")
        ) from error
    if kid is not None and not isinstance(kid, str):
        raise _refused(Message("the kid of a JWK is text"))
    warnings: tuple[Message, ...] = ()
    if isinstance(key, RSAPublicKey):
        if not SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
            raise _refused(Message("must have %(least)d to %(most)d bits", least=SMALLEST_RSA_BITS, most=LARGEST_RSA_BITS))
        if key.key_size < RSA_BITS:
            warnings = (Message("the RSA key has %(bits)d bits, fewer than %(least)d; replace it", bits=key.key_size, least=RSA_BITS),)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyMaterial(
        hashlib.sha256(der).hexdigest(),
        public_key=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        algorithm=algorithm_of(key),
        kid=kid or None,
        warnings=warnings,
    )


def published_keys(url: str) -> KeyMaterial:
    """Take the address at which a requestor publishes its public keys as a JWK set; nothing is fetched now.

    Raises:
        InvalidInputError: at the field `jwks_url`.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and not parts.fragment and parts.port != 0
    except ValueError:
        fits = False
    if not fits or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInputError({"jwks_url": Message("must be an https address with a host, without user and fragment")})
    return KeyMaterial(hashlib.sha256(url.encode()).hexdigest(), jwks_url=url)


class _PrivateKeyError(ValueError):
    """A private key, where a public one was to be."""


def read_jwk(jwk: Any) -> PublicKey:
    """Read a public key for signatures of RFC 7517: RSA, the curve P-256, or Ed25519.

    Raises:
        ValueError: it is none, or is meant for another algorithm or use.
    """
    if not isinstance(jwk, Mapping):
        raise ValueError("a JWK is an object")
    if "d" in jwk:
        raise _PrivateKeyError("it is a private key")
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            key: PublicKey = RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n")).public_key()
        case "EC", "P-256":
            key = EllipticCurvePublicNumbers(_integer(jwk, "x"), _integer(jwk, "y"), SECP256R1()).public_key()
        case "OKP", "Ed25519":
            key = Ed25519PublicKey.from_public_bytes(_octets(jwk, "x"))
        case _:
            raise ValueError("it is no key of RSA, of the curve P-256, or Ed25519")
    if jwk.get("alg", algorithm_of(key).value) != algorithm_of(key).value or jwk.get("use", "sig") != "sig":
        raise ValueError("it is meant for another algorithm or use")
    return key


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise ValueError(f"{name} is base64url text")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_octets(jwk, name))


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


def read_public_key(pem: str) -> PublicKey:
    """Read the first PEM block as a public key (SubjectPublicKeyInfo), or as a certificate of one: RSA, the curve P-256, or Ed25519.

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
        try:
            key = x509.load_der_x509_certificate(der).public_key()
        except UnsupportedAlgorithm as error:
            raise ValueError("its kind or curve is not known") from error
    except UnsupportedAlgorithm as error:
        raise ValueError("its kind or curve is not known") from error
    if isinstance(key, RSAPublicKey | Ed25519PublicKey) or (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        return key
    raise ValueError("it is no key of RSA, of the curve P-256, or Ed25519")


def _refused(message: Message) -> InvalidInputError:
    return InvalidInputError({"material": message})
