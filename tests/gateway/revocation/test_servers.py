"""Reaching other revocation servers over HTTP: limits, refusals, and where one may go."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from gateway.addresses import PUBLIC_ONLY
from gateway.revocation.servers import MAX_ANSWER_BYTES, HttpConnection, RevocationServers, ServersUnavailableError
from tests.support.sessions import ROOT


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that answers by path."""

    def do_GET(self) -> None:
        if "long" in self.path:
            self._answer(200, b"x" * (MAX_ANSWER_BYTES + 1))
        elif "updateevents" in self.path:
            self._answer(200, b'event: open\n\ndata: {"a":1}\r\n\n: note\n\ndata:{"b":2}\n\n')
        else:
            self._answer(200 if self.path == "/ok" else 503, b"body")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200 if body == b"record" else 403, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connection() -> Iterator[HttpConnection]:
    made = HttpConnection(PUBLIC_ONLY, lambda: {"127.0.0.1"})
    yield made
    made.close()


def test_answers_and_refusals(url: str, connection: HttpConnection) -> None:
    assert connection.get(f"{url}/ok") == b"body"
    connection.post(f"{url}/record", b"record")
    for path, reason in (("away", "status 503"), ("long", "larger than")):
        with pytest.raises(ServersUnavailableError, match=reason):
            connection.get(f"{url}/{path}")
    with pytest.raises(ServersUnavailableError, match="status 403"):
        connection.post(f"{url}/record", b"other")
    with pytest.raises(ServersUnavailableError, match="cannot be reached"):
        connection.get("http://127.0.0.1:1/")


def test_a_stream(url: str, connection: HttpConnection) -> None:
    assert list(RevocationServers(connection).listen(url, ROOT)) == ['{"a":1}', '{"b":2}']
    with pytest.raises(ServersUnavailableError):
        list(connection.listen("http://127.0.0.1:1/"))


def test_a_scheme_leads_to_no_private_address(url: str) -> None:
    connection = HttpConnection(PUBLIC_ONLY, set)
    with pytest.raises(ServersUnavailableError):
        connection.get(f"{url}/ok")
    connection.close()


def test_one_server_after_another(url: str, connection: HttpConnection) -> None:
    with pytest.raises(ServersUnavailableError, match=r"status 503.*larger than"):
        RevocationServers(connection).latest([url, f"{url}/long"], ROOT, 16)
    with pytest.raises(ServersUnavailableError, match="none is known"):
        RevocationServers(connection).latest([], ROOT, 16)
