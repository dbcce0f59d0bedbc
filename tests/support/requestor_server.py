"""A requestor's own server: takes callbacks, and says which session comes next."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came in."""

    path: str
    content_type: str
    user_agent: str
    body: str
    request_id: str = ""


@dataclass
class RequestorServer:
    """A running server.

    Attributes:
        url: its address, with a slash at its end.
        calls: what came in.
        status, answer, headers: what it answers.
        answers: what it answers instead on certain paths.
    """

    url: str
    calls: list[Call] = field(default_factory=list)
    status: int = 200
    answer: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def running_requestor_server() -> Iterator[RequestorServer]:
    """Run it on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            running.calls.append(
                Call(self.path, self.headers["Content-Type"], self.headers["User-Agent"], body, self.headers.get("X-Request-Id", ""))
            )
            answer = running.answers.get(self.path, running.answer)
            self.send_response(running.status)
            for name, value in {"Content-Length": str(len(answer)), **running.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = RequestorServer(f"http://127.0.0.1:{server.server_address[1]}/")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
