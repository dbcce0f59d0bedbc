"""A requestor's web server: starts sessions at a gateway for its page, and gives the page their verified results."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.support.shared import ROOT

FOLDER = ROOT / "tests" / "frontends"
BUNDLE = FOLDER / "node_modules" / "@privacybydesign" / "yivi-frontend" / "dist" / "yivi.js"


def bundled_page() -> bytes:
    """The page's script with the packages that it imports."""
    return subprocess.run(["npm", "run", "--silent", "build"], cwd=FOLDER, check=True, capture_output=True).stdout


@dataclass
class Backend:
    """The web server.

    Attributes:
        gateway_url: the gateway, with a slash at its end.
        token: the requestor's token there.
        requests: the session requests that the page may ask for, by name.
        script: the page's script.
        url: the address of the page, without a slash at its end.
        started: the packages of the sessions that were started, in order.
    """

    gateway_url: str
    token: str
    requests: Mapping[str, Any]
    script: bytes
    url: str = ""
    started: list[Mapping[str, Any]] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            response = self._answer(request.method, request.path)
        except HTTPException as error:
            response = Response(f"{error.code}\n", error.code)
        return response(environ, start_response)

    def _answer(self, method: str, path: str) -> Response:
        _, first, *rest = path.split("/")
        match method, first, rest:
            case "GET", "", _:
                return Response((FOLDER / "page.html").read_bytes(), content_type="text/html; charset=utf-8")
            case "GET", "page.js", _:
                return Response(self.script, content_type="text/javascript")
            case "GET", "yivi.js", _:
                return Response(BUNDLE.read_bytes(), content_type="text/javascript")
            case "POST", "session", [name]:
                return _json(self.start(name))
            case "GET", "result", [token]:
                return _json(self.result(token))
        raise NotFound

    def start(self, name: str) -> Mapping[str, Any]:
        """Start a session."""
        answer = httpx.post(f"{self.gateway_url}session", json=self.requests[name], headers={"Authorization": self.token})
        answer.raise_for_status()
        self.started.append(answer.json())
        return self.started[-1]

    def result(self, token: str) -> dict[str, Any]:
        """The result of a session, whose signature was checked with the gateway's public key."""
        public_key: Any = load_pem_public_key(httpx.get(f"{self.gateway_url}publickey").content)
        signed = httpx.get(f"{self.gateway_url}session/{token}/result-jwt").text
        claims: dict[str, Any] = jwt.decode(signed, public_key, algorithms=["RS256"])
        return claims


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running_backend(gateway_url: str, token: str, requests: Mapping[str, Any]) -> Iterator[Backend]:
    """Run the web server on a free port of the loopback."""
    backend = Backend(gateway_url, token, requests, bundled_page())
    server = make_server("127.0.0.1", 0, backend, threaded=True, request_handler=_QuietHandler)
    backend.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
