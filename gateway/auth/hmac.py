"""JWTs with HS256 under a secret that requestor and gateway share."""

import hashlib
import hmac

from ..models import AuthMethod
from ..requestors.directory import DirectoryKey
from .jwt import JwtAuthenticator


class HmacAuthenticator(JwtAuthenticator):
    """HS256."""

    METHOD = AuthMethod.HMAC
    ALGORITHM = "HS256"
    REFUSAL = "signature is invalid"

    def holds(self, key: DirectoryKey, signed_text: bytes, signature: bytes) -> bool:
        if key.secret is None:
            return False
        return hmac.compare_digest(hmac.new(key.secret, signed_text, hashlib.sha256).digest(), signature)
