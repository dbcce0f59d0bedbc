"""JWTs with HS256 under a secret that requestor and gateway share."""

import hashlib
import hmac

from ..models import AuthMethod, JwtAlgorithm
from ..requestors.directory import DirectoryKey
from .jwt import CompactJwt, JwtAuthenticator


class HmacAuthenticator(JwtAuthenticator):
    """HS256."""

    METHOD = AuthMethod.HMAC
    REFERENCE = JwtAlgorithm.HS256
    REFUSALS = {JwtAlgorithm.HS256: "signature is invalid"}  # noqa: RUF012 - the base class declares it as a ClassVar

    def holds(self, key: DirectoryKey, token: CompactJwt, algorithm: JwtAlgorithm) -> bool:  # noqa: ARG002 - there is one
        signature = token.signature()
        return key.secret is not None and hmac.compare_digest(hmac.new(key.secret, token.signed_text, hashlib.sha256).digest(), signature)
