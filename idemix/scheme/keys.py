"""The key that signs a scheme: ECDSA on P-256.

`sk.pem` is a PEM `EC PRIVATE KEY` (SEC 1), `pk.pem` a PEM `PUBLIC KEY` (PKIX). With a passphrase the private key is an
OpenSSH private key whose label is `ENCRYPTED IRMA SCHEME PRIVATE KEY`.

Source: gabi `signed/signed.go`; irmago `internal/common/common.go` MarshalSchemePrivateKeyWithPassphrase.
"""

import base64
import re
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import InvalidSignatureError, MalformedKeyError

SchemePrivateKey = ec.EllipticCurvePrivateKey
SchemePublicKey = ec.EllipticCurvePublicKey

_ENCRYPTED_LABEL: Final = b"ENCRYPTED IRMA SCHEME PRIVATE KEY"
_OPENSSH_LABEL: Final = b"OPENSSH PRIVATE KEY"
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

#: The first PEM block of a file, under whatever label, as the reference takes it.
_PEM_BLOCK: Final = re.compile(rb"^-----BEGIN ([^\r\n]*)-----[ \t]*\r?\n(.*?)^-----END \1-----", re.DOTALL | re.MULTILINE)

#: Curves on which signatures are believed. We make keys on the first only.
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def generate_scheme_key(random: RandomSource = SYSTEM_RANDOM) -> SchemePrivateKey:
    """Make a scheme key on P-256."""
    return ec.derive_private_key(1 + int(random.below(_P256_ORDER - 1)), ec.SECP256R1())


def is_encrypted(content: bytes) -> bool:
    """Whether a private key file needs a passphrase."""
    return _ENCRYPTED_LABEL in content


def read_private_key(content: bytes, passphrase: bytes | None = None, where: str = "sk.pem") -> SchemePrivateKey:
    """Read a scheme's private key, plain or with a passphrase.

    Raises:
        MalformedKeyError: not such a key, the passphrase is missing or wrong.
    """
    try:
        if is_encrypted(content):
            if not passphrase:
                raise MalformedKeyError(where, "the private key needs a passphrase")
            key: object = serialization.load_ssh_private_key(content.replace(_ENCRYPTED_LABEL, _OPENSSH_LABEL), passphrase)
        elif b"-----BEGIN EC PRIVATE KEY-----" in content:
            key = serialization.load_pem_private_key(content, None)
        else:
            raise MalformedKeyError(where, "must be PEM with the label EC PRIVATE KEY")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError(where, "the private key cannot be read; if it has a passphrase, that may be wrong") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, _CURVES):
        raise MalformedKeyError(where, "must be an ECDSA key on P-256")
    return key


def print_private_key(key: SchemePrivateKey, passphrase: bytes | None = None) -> bytes:
    """The file `sk.pem` for a private key, encrypted where there is a passphrase."""
    if not passphrase:
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.BestAvailableEncryption(passphrase)
    ).replace(_OPENSSH_LABEL, _ENCRYPTED_LABEL)


def read_pem(content: bytes, where: str) -> bytes:
    """Return the DER in the first PEM block of a file, under whatever label.

    Raises:
        MalformedKeyError: there is none.
    """
    block = _PEM_BLOCK.search(content)
    if block is None:
        raise MalformedKeyError(where, "must be a PEM public key")
    try:
        return base64.b64decode(b"".join(block[2].split()), validate=True)
    except ValueError as error:
        raise MalformedKeyError(where, "must be a PEM public key") from error


def read_public_key(content: bytes, where: str = "pk.pem") -> SchemePublicKey:
    """Read a scheme's public key.

    Raises:
        MalformedKeyError: not PEM of an ECDSA key.
    """
    der = read_pem(content, where)
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError(where, "must be a PEM public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedKeyError(where, "must be an ECDSA key")
    if key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo) != der:
        raise MalformedKeyError(where, "must name its curve and hold an uncompressed point")
    if not isinstance(key.curve, _CURVES):
        raise MalformedKeyError(where, "must lie on P-256", departure="scheme-key-curve")
    return key


def print_public_key(key: SchemePublicKey) -> bytes:
    """The file `pk.pem` for a public key."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key: SchemePrivateKey, message: bytes) -> bytes:
    """Sign with ECDSA over SHA-256; the result is DER of (r, s), as in `index.sig`."""
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def verify(key: SchemePublicKey, message: bytes, signature: bytes) -> None:
    """Check a signature made by `sign`.

    Raises:
        InvalidSignatureError: not DER of exactly two integers, or not of this message and key.
    """
    try:
        utils.decode_dss_signature(signature)
    except ValueError as error:
        raise InvalidSignatureError("the signature is not DER of exactly two integers", departure="signature-encoding") from error
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise InvalidSignatureError("the signature does not belong to this content and key") from error
