"""The public keys of a scheme's keyshare server: the files `kss-N.pem`, each a PEM `PUBLIC KEY` (PKIX) for RSA.

Source: irmago `irma/irmaconfig.go` (KeyshareServerPublicKey).
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ..errors import MalformedKeyError, MalformedSchemeError
from .index import SchemeIndex
from .keys import read_pem
from .tree import SchemeTree


def keyshare_key(tree: SchemeTree, index: SchemeIndex, number: int) -> RSAPublicKey:
    """Read the key of a number.

    Raises:
        MalformedSchemeError: there is no such file, or the index does not list it (departure `unsigned-content`).
        MalformedKeyError: it is not such a key.
    """
    path = f"kss-{number}.pem"
    try:
        content = tree[path]
    except KeyError as error:
        raise MalformedSchemeError(path, "the scheme has no such key of its keyshare server") from error
    if f"{index.scheme}/{path}" not in index:
        raise MalformedSchemeError(path, "is not listed in the index", departure="unsigned-content")
    return read_keyshare_key(content, path)


def read_keyshare_key(content: bytes, where: str) -> RSAPublicKey:
    """Read a key file.

    Raises:
        MalformedKeyError: not PEM of an RSA public key.
    """
    try:
        key = load_der_public_key(read_pem(content, where))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError(where, "must be a PEM public key") from error
    if not isinstance(key, RSAPublicKey):
        raise MalformedKeyError(where, "must be an RSA key")
    return key
