"""JWTs with RS256 under the requestor's RSA key."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from ..models import AuthMethod
from ..requestors.directory import DirectoryKey
from .jwt import JwtAuthenticator


class PublicKeyAuthenticator(JwtAuthenticator):
    """RS256."""

    METHOD = AuthMethod.PUBLICKEY
    ALGORITHM = "RS256"
    REFUSAL = "crypto/rsa: verification error"

    def holds(self, key: DirectoryKey, signed_text: bytes, signature: bytes) -> bool:
        if key.public_key is None:
            return False
        try:
            key.public_key.verify(signature, signed_text, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True
