"""JWTs under a key pair of the requestor: RS256 as the reference, ES256 and EdDSA beside it.

Source: RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from idemix.clock import Clock

from ..models import AuthMethod, JwtAlgorithm
from ..requestors.directory import DirectoryKey, PublicKey, algorithm_of
from .jwt import CompactJwt, JwtAuthenticator
from .published import PublishedKeys

#: An ES256 signature is r and s, each in as many octets as the order of the curve has.
_ES256_BYTES: Final = 32


class PublicKeyAuthenticator(JwtAuthenticator):
    """RS256, ES256 and EdDSA.

    Args:
        clock, max_request_age, leeway: as `JwtAuthenticator` takes them.
        published: fetches the keys that requestors publish.
    """

    METHOD = AuthMethod.PUBLICKEY
    REFERENCE = JwtAlgorithm.RS256
    REFUSALS = {  # noqa: RUF012 - the base class declares it as a ClassVar
        JwtAlgorithm.RS256: "crypto/rsa: verification error",
        JwtAlgorithm.ES256: "crypto/ecdsa: verification error",
        JwtAlgorithm.EDDSA: "ed25519: verification error",
    }

    def __init__(self, clock: Clock, max_request_age: int, leeway: int, published: PublishedKeys) -> None:
        super().__init__(clock, max_request_age, leeway)
        self._published = published

    def holds(self, key: DirectoryKey, token: CompactJwt, algorithm: JwtAlgorithm) -> bool:
        public_key = key.public_key
        if key.jwks_url is not None:
            public_key = self._published.key(key.jwks_url, token.requestor_name())
        # The kind of the key decides, never the header: a published key of another kind does not fit.
        if public_key is None or algorithm_of(public_key) is not algorithm:
            return False
        if isinstance(public_key, EllipticCurvePublicKey) and not isinstance(public_key.curve, SECP256R1):
            return False
        return _verifies(public_key, token.signed_text, token.signature())


def _verifies(key: PublicKey, text: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text)
        elif isinstance(key, EllipticCurvePublicKey):
            if len(signature) != 2 * _ES256_BYTES:
                return False
            r, s = (int.from_bytes(part) for part in (signature[:_ES256_BYTES], signature[_ES256_BYTES:]))
            key.verify(encode_dss_signature(r, s), text, ECDSA(SHA256()))
        else:
            key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
