"""Why no method of authentication applies to a request: which header or part of the JWT is another than it should be.

The reference tells nothing of it. Its text stays the message of the error; what is found here stands beside it.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .base import JSON_TYPE, TEXT_TYPE, Authenticator, SignedBody
from .jwt import JwtAuthenticator
from .none import NoAuthenticator

_INTEGER_CLAIMS: Final = ("iat", "exp", "nbf")
_TEXT_CLAIMS: Final = ("iss", "sub", "aud", "jti")


def explain_unauthenticated(signed: SignedBody, authenticators: Iterable[Authenticator]) -> str:
    """Name what is wrong with a request that no method applies to, and what it should be. No value of the request is told."""
    methods = tuple(authenticators)
    if any(isinstance(method, NoAuthenticator) for method in methods):
        if signed.authorization:
            return "Authorization: must be absent, since this server authenticates nobody"
        return f"Content-Type: must be {JSON_TYPE}, since this server authenticates nobody"
    if signed.media_type == JSON_TYPE:
        return f"Authorization: must hold the API token of the requestor; a JWT comes as {TEXT_TYPE}"
    if signed.media_type != TEXT_TYPE:
        return f"Content-Type: must be {JSON_TYPE} for a request with an API token, or {TEXT_TYPE} for a JWT"
    if signed.authorization:
        return f"Authorization: must be absent beside a JWT; a request with an API token comes as {JSON_TYPE}"
    algorithms = [algorithm.value for method in methods if isinstance(method, JwtAuthenticator) for algorithm in method.REFUSALS]
    return _fault(signed.body, algorithms)


def _fault(body: bytes, algorithms: list[str]) -> str:
    parts = body.split(b".")
    if len(parts) != 3:
        return "body: must be a JWT: header, claims and signature in base64url, with two dots between them"
    header, claims = _object(parts[0]), _object(parts[1])
    if header is None:
        return "JWT header: must be a JSON object in base64url"
    if claims is None:
        return "JWT claims: must be a JSON object in base64url"
    if header.get("alg") not in algorithms:
        return f"JWT header alg: must be {' or '.join(algorithms)}"
    by_name = {str(name).lower(): value for name, value in claims.items()}
    for name in _INTEGER_CLAIMS:
        value = by_name.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int):
            return f"JWT claim {name}: must be a time in whole Unix seconds"
    for name in _TEXT_CLAIMS:
        if not isinstance(by_name.get(name, ""), str):
            return f"JWT claim {name}: must be a text"
    if header["alg"] not in ("HS256", "RS256"):
        return "JWT header alg: the requestor must have a valid key of this algorithm"
    return "JWT: header and claims must be JSON objects whose numbers fit 64 bits"


def _object(part: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return {} if value is None else value if isinstance(value, dict) else None
