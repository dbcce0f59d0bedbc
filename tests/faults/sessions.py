"""Sessions with a server that runs, step by step: each request on a connection of its own, so that any process may take it."""

import json
from typing import Any

import httpx

from irmahub.bench.content import PREPARATIONS, app_secret
from irmahub.bench.installation import Installation

#: The body of an answer while the session store is away.
UNAVAILABLE = {
    "status": 503,
    "error": "INTERNAL_ERROR",
    "description": "Internal server error",
    "message": "the session store cannot be reached",
}


class FaultSession:
    """One session, from the requestor's side and the app's.

    Attributes:
        request: what is asked.
        package: what the requestor got.
        body: the app's answer, once it has connected.

    Args:
        installation: where; its requestor API is open.
        kind: `disclosure` or `issuance`.
        wanted: what stands around the request, such as `callbackUrl`.
    """

    def __init__(self, installation: Installation, kind: str, **wanted: Any) -> None:
        self._url = installation.settings.gateway_url.rstrip("/")
        self._prepared = PREPARATIONS[kind](installation.holder.credential)
        self._secret = {"Authorization": app_secret()}
        self.request = {**wanted, "request": self._prepared.request}
        answer = httpx.post(f"{self._url}/session", json=self.request, timeout=30)
        assert answer.status_code == 200, answer.text
        self.package = answer.json()
        self._path = "/irma/session/" + self.package["sessionPtr"]["u"].rpartition("/")[2]
        self.body = b""

    @property
    def answer_path(self) -> str:
        """Where the app's answer is posted."""
        return f"{self._path}/{self._prepared.path}"

    def connect(self) -> "FaultSession":
        """The app fetches the session and prepares its answer."""
        versions = {"X-IRMA-MinProtocolVersion": "2.8", "X-IRMA-MaxProtocolVersion": "2.8"}
        answer = httpx.get(self._url + self._path, headers={**self._secret, **versions}, timeout=30)
        assert answer.status_code == 200, answer.text
        self.body = self._prepared.answer(answer.json()["request"])
        return self

    def post(self) -> httpx.Response:
        """The app sends its answer."""
        headers = {**self._secret, "Content-Type": "application/json"}
        return httpx.post(self._url + self.answer_path, content=self.body, headers=headers, timeout=30)

    def post_until_answered(self) -> httpx.Response:
        """The app sends its answer, again where the connection was lost, as the field's app does."""
        for _ in range(3):
            try:
                return self.post()
            except httpx.TransportError:
                continue
        return self.post()

    def get(self, what: str) -> httpx.Response:
        """The requestor asks for the session's `status` or `result`."""
        return httpx.get(f"{self._url}/session/{self.package['token']}/{what}", timeout=30)

    @property
    def headers(self) -> str:
        """The headers of the app's answer, as lines."""
        return f"Authorization: {self._secret['Authorization']}\r\nContent-Type: application/json\r\n"

    def is_done(self) -> bool:
        """Whether the session ended with a valid proof."""
        result = self.get("result").json()
        return (result["status"], result.get("proofStatus")) == ("DONE", "VALID")


def proof_status(answer: httpx.Response) -> str:
    """The status that the app is told."""
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.content)["proofStatus"])
