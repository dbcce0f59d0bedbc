"""A small time-stamp server over HTTP, for the demo and tests: one key, one process, nothing kept.

Source: atumd `main.go` (the paths).
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from idemix.clock import Clock, system_clock
from idemix.errors import MalformedRequestError
from idemix.timestamp.server import TimestampServer
from irmahub.settings import Address

#: A request has a nonce of 128 bytes at most.
MAX_BODY_BYTES: Final = 16_384


class TimestampApplication:
    """The server as a WSGI application: `/` tells of itself or stamps, `/checkPublicKey` tells whether a key is its own.

    Args:
        server: answers the messages.
        clock: tells the time.
    """

    def __init__(self, server: TimestampServer, clock: Clock = system_clock) -> None:
        self._server = server
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            response = self._answer(request)
        except MalformedRequestError as error:
            response = Response(f"{error}\n", 400)
        except HTTPException as error:
            response = Response(f"{error.description}\n", error.code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/":
                return _json(self._server.info().print())
            case "POST", "/":
                return _json(self._server.stamp(request.get_data(), now=self._clock()))
            case "GET", "/checkPublicKey":
                algorithm, public_key = request.args.get("alg", ""), request.args.get("pk", "")
                return _json(self._server.check_key(algorithm, public_key, now=self._clock()))
        return Response("nothing is here\n", 404)


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")


class _QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(server: TimestampServer, address: Address, clock: Clock = system_clock) -> Iterator[None]:
    """Serve in a thread of this process for the time of a block."""
    with make_server(address.host, address.port, TimestampApplication(server, clock), handler_class=_QuietHandler) as http:
        thread = threading.Thread(target=http.serve_forever, name="timestamp-server", daemon=True)
        thread.start()
        try:
            yield
        finally:
            http.shutdown()
            thread.join()
