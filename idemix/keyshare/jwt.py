"""The proof of a keyshare server as a JWT, which issuers check with the keys of its scheme.

Source: irmago `irma/server/irmaserver/helpers.go` (getProofP), `irma/irmaconfig.go` (KeyshareServerKeyFunc); RFC 7515, 7518, 7519.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from ..errors import InvalidSignatureError, MalformedProofError, MalformedRequestError
from ..json_text import parse_json
from ..request.reading import Fields
from .proof_p import ProofP

#: What the JWT is about; a server signs other tokens with the same key.
SUBJECT: Final = "ProofP"
#: Who signs, unless a server is configured otherwise.
DEFAULT_ISSUER: Final = "keyshare_server"

_CLAIMS: Final = frozenset({"ProofP", "aud", "exp", "iat", "iss", "jti", "nbf", "sub"})
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_KEY_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def read_proof_p(token: str, key: Callable[[int], RSAPublicKey], *, now: datetime, where: str = "proofPJwt") -> ProofP:
    """Check a keyshare server's JWT and read its proof.

    Args:
        token: the JWT.
        key: gives the server's key of a number, e.g. `Configuration.keyshare_key` of the scheme; raises where there is none.
        now: the moment at which it must be valid.
        where: what the JWT is, for errors.

    Raises:
        MalformedProofError: it is none, or not about a proof. The reference is more lenient with header and claims (departure
            `keyshare-jwt`).
        InvalidSignatureError: the signature does not hold, or it is not valid now.
        IdemixError: what `key` raises.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedProofError(where, "a JWT has three parts")
    header = _read_object(parts[0], f"{where} header")
    verify, number = _verifier(header, where), _key_number(header, where)
    if not verify(key(number), f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2], where)):
        raise InvalidSignatureError(f"{where}: the signature does not belong to key {number} of the keyshare server")
    try:
        claims = Fields.read(_read_object(parts[1], f"{where} claims"), where, _CLAIMS)
        _check_times(claims, int(now.timestamp()), where)
        if claims.text("sub") != SUBJECT:
            raise MalformedProofError(where, f"sub is not {SUBJECT}", departure="keyshare-jwt")
    except MalformedRequestError as error:
        raise MalformedProofError(error.where, error.rule, departure=error.departure) from error
    return ProofP.from_json(claims.get("ProofP"), f"{where}.ProofP")


def sign_proof_p(proof: ProofP, private_key: RSAPrivateKey, *, key_number: int, now: datetime, issuer: str = DEFAULT_ISSUER) -> str:
    """Return the JWT of a proof, as a keyshare server makes it.

    Args:
        proof: the proof.
        private_key: the server's.
        key_number: the N of the public key's file `kss-N.pem`.
        now: when it is made.
        issuer: the server's name.

    Source: irmago `internal/keysharecore/operations.go` (GenerateResponse).
    """
    header = {"alg": "RS256", "kid": str(key_number), "typ": "JWT"}
    claims = {"ProofP": proof.to_json(), "iat": int(now.timestamp()), "iss": issuer, "sub": SUBJECT}
    signed = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_encode(private_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _verifier(header: Mapping[str, Any], where: str) -> Callable[[RSAPublicKey, bytes, bytes], bool]:
    """Return what checks a signature of the header's algorithm; only those for RSA keys are ever used with one."""
    for parameter in ("crit", "b64"):
        if parameter in header:
            raise MalformedProofError(f"{where} header", f"{parameter} is not supported", departure="keyshare-jwt")
    algorithm = header.get("alg")
    kind, digest = (algorithm[:2], _HASHES.get(algorithm[2:])) if isinstance(algorithm, str) else ("", None)
    if kind not in ("RS", "PS") or digest is None:
        raise MalformedProofError(f"{where} header", "alg is none for RSA keys")
    scheme = padding.PKCS1v15() if kind == "RS" else padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)

    def verify(key: RSAPublicKey, signed: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, signed, scheme, digest)
        except InvalidSignature:
            return False
        return True

    return verify


def _key_number(header: Mapping[str, Any], where: str) -> int:
    """Return the number of the key that `kid` names, 0 where it names none.

    The reference also reads numbers with sign or leading zeros, and takes key 0 where `kid` is no text.
    """
    kid = header.get("kid", "0")
    if not isinstance(kid, str) or _KEY_NUMBER.fullmatch(kid) is None:
        raise MalformedProofError(f"{where} header", "kid is not a number in a text", departure="keyshare-jwt")
    return int(kid)


def _check_times(claims: Fields, now: int, where: str) -> None:
    expires, issued, not_before = claims.integer("exp"), claims.integer("iat"), claims.integer("nbf")
    if expires and expires <= now:
        raise InvalidSignatureError(f"{where}: the JWT has expired")
    if issued > now:
        raise InvalidSignatureError(f"{where}: the JWT is used before it was issued; the clocks of the two servers may differ")
    if not_before > now:
        raise InvalidSignatureError(f"{where}: the JWT is not valid yet")
    for name in ("aud", "iss", "jti"):
        claims.text(name)


def _read_object(part: str, where: str) -> dict[str, Any]:
    try:
        value = parse_json(_decode(part, where), where)
    except MalformedProofError as error:
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            raise MalformedProofError(where, "something follows the object", departure="keyshare-jwt") from error
        raise
    if not isinstance(value, dict):
        raise MalformedProofError(where, "expected an object")
    return value


def _decode(part: str, where: str) -> bytes:
    if "\n" in part or "\r" in part:
        raise MalformedProofError(where, "a line end stands in the JWT", departure="keyshare-jwt")
    if _BASE64URL.fullmatch(part) is None or len(part) % 4 == 1:
        raise MalformedProofError(where, "not base64 in the alphabet for URLs, without padding")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
