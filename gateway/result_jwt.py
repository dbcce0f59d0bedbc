"""Results of sessions as signed JWTs, and the key they are signed with.

Source: irmago `irma/server/api.go` (`ResultJwt`), `irma/server/requestorserver/server.go` (`handleJwtProofs`).
"""

from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from idemix.clock import Clock
from idemix.request import Action
from idemix.session.session import Session

from .config import ConfigurationError, GatewayConfig, Problem

#: `sub` of the legacy JWT of `/getproof`.
_PROOF_SUBJECTS: Final = {Action.DISCLOSING: "disclosure_result", Action.SIGNING: "abs_result", Action.ISSUING: "issue_result"}


class ResultSigner:
    """Signs results with RS256.

    Args:
        private_key: the RSA key.
        issuer: the claim `iss`; left out where it is empty.
        clock: gives `iat`.
    """

    def __init__(self, private_key: RSAPrivateKey, issuer: str, clock: Clock) -> None:
        self._private_key = private_key
        self._issuer = issuer
        self._clock = clock

    def sign_result(self, session: Session) -> str:
        """The result with its fields as claims."""
        now = int(self._clock().timestamp())
        claims = session.result.to_json()
        claims |= {"iat": now, "exp": now + session.request.validity_seconds, "sub": f"{session.action.value}_result"}
        return self._sign(claims)

    def sign_proof(self, session: Session) -> str:
        """The legacy form: the proof status, and the attributes as a map of texts."""
        now = int(self._clock().timestamp())
        claims: dict[str, Any] = {
            "sub": _PROOF_SUBJECTS[session.action],
            "iat": now,
            "status": "" if session.proof_status is None else session.proof_status.value,
            "attributes": {
                str(attribute.identifier): attribute.value or "" for attributes in session.disclosed for attribute in attributes or ()
            },
        }
        if session.request.validity_seconds:
            claims["exp"] = now + session.request.validity_seconds
        if session.signature is not None:
            claims["signature"] = session.signature.to_json()
        return self._sign(claims)

    def public_key_pem(self) -> bytes:
        """The public key that verifies the JWTs, as PEM."""
        return self._private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _sign(self, claims: dict[str, Any]) -> str:
        if self._issuer:
            claims = {"iss": self._issuer, **claims}
        return jwt.encode(claims, self._private_key, algorithm="RS256")


def read_signer(config: GatewayConfig, clock: Clock) -> ResultSigner | None:
    """The signer of the configuration, or None where no key is given.

    Raises:
        ConfigurationError: the key cannot be read, or is no RSA key.
    """
    option = "jwt_privkey" if config.jwt_privkey else "jwt_privkey_file"
    try:
        pem = config.jwt_privkey.encode() or (Path(config.jwt_privkey_file).read_bytes() if config.jwt_privkey_file else b"")
        if not pem:
            return None
        key = load_pem_private_key(pem, password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError([Problem(option, f"the key cannot be read: {error}")]) from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError([Problem(option, "must be an RSA key")])
    return ResultSigner(key, config.jwt_issuer, clock)
