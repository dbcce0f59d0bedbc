"""The requestor's side over HTTP: starts sessions at a gateway or an irma server, and reads their verified results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from idemix.clock import Clock, system_clock
from idemix.errors import IdemixError

#: The last part of the request's `@context` gives the JWT's subject and the claim that holds the request.
_JWT_SHAPES: Final[Mapping[str, tuple[str, str]]] = {
    "disclosure": ("verification_request", "sprequest"),
    "signature": ("signature_request", "absrequest"),
    "issuance": ("issue_request", "iprequest"),
}


class RequestorClientError(IdemixError):
    """The server refused, or its answer does not hold."""


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A session that was started.

    Attributes:
        pointer: what the QR code holds, `{"u": …, "irmaqr": …}`.
        token: the requestor token.
        frontend_authorization: the secret of the web page.
    """

    pointer: Mapping[str, str]
    token: str
    frontend_authorization: str


class RequestorClient:
    """A requestor that signs its requests with an RSA key (method `publickey`).

    Args:
        url: the server, e.g. `https://irma.example.org/`.
        name: the requestor's name there.
        private_key: the key whose public half is registered.
        clock: tells the time.
    """

    def __init__(self, url: str, name: str, private_key: RSAPrivateKey, *, clock: Clock = system_clock) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self._name = name
        self._private_key = private_key
        self._clock = clock

    def __enter__(self) -> "RequestorClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def start(self, request: Mapping[str, Any], *, validity_seconds: int = 120) -> StartedSession:
        """Start a session.

        Args:
            request: a session request, as JSON data.
            validity_seconds: how long the signed result will be valid.

        Raises:
            RequestorClientError: the server refused.
        """
        subject, claim = _JWT_SHAPES[str(request["@context"]).split("/")[-2]]
        claims = {
            "iss": self._name,
            "iat": int(self._clock().timestamp()),
            "sub": subject,
            claim: {"validity": validity_seconds, "request": dict(request)},
        }
        signed = jwt.encode(claims, self._private_key, algorithm="RS256")
        answer = self._answer(self._http.post("session", content=signed, headers={"Content-Type": "text/plain"}))
        package = answer.json()
        return StartedSession(package["sessionPtr"], package["token"], package["frontendRequest"]["authorization"])

    def status(self, token: str) -> str:
        """The session's status."""
        return str(self._answer(self._http.get(f"session/{token}/status")).json())

    def result(self, token: str) -> dict[str, Any]:
        """The session's result, whose signature was checked with the server's public key.

        Raises:
            RequestorClientError: the server refused, or the signature does not hold.
        """
        signed = self._answer(self._http.get(f"session/{token}/result-jwt")).text
        public_key = serialization.load_pem_public_key(self._answer(self._http.get("publickey")).content)
        try:
            claims: dict[str, Any] = jwt.decode(signed, public_key, algorithms=["RS256"])  # type: ignore[arg-type]
        except jwt.InvalidTokenError as error:
            raise RequestorClientError(f"the result's signature does not hold: {error}") from error
        return claims

    @staticmethod
    def _answer(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise RequestorClientError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
        return answer
