"""A web server on the loopback whose answers a test decides, with or without TLS."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.clock import START


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `before` is called when the head was sent and the body was not."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None


@dataclass
class WebServer:
    """A running server.

    Attributes:
        url: its address, with a slash at its end; the host is an IP address.
        port: where it listens.
        pages: what it answers by path; of others `otherwise`.
        visits: what came in.
    """

    url: str
    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    otherwise: Callable[[Visit], Page] = lambda _: Page(status=404)
    visits: list[Visit] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [visit.path for visit in self.visits]


@contextmanager
def running_web_server(tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Run it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            visit = Visit(self.command, self.path, dict(self.headers.items()), body)
            running.visits.append(visit)
            page = running.pages.get(self.path) or running.otherwise(visit)
            self.send_response(page.status)
            for name, value in {"Content-Length": str(len(page.body)), **page.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            page.before()
            self.wfile.write(page.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that leaves early is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running = WebServer(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/", port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@cache
def _certificate(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate for a host, and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(START - timedelta(days=3650)).not_valid_after(START + timedelta(days=36500))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def server_tls(name: str, directory: Path) -> ssl.SSLContext:
    """The server's side of TLS for the host `name`."""
    certificate, key = _certificate(name)
    file = directory / f"{name}.pem"
    file.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def client_tls(*names: str) -> ssl.SSLContext:
    """The side of a client that trusts the certificates of these hosts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in names:
        context.load_verify_locations(cadata=_certificate(name)[0].decode())
    return context
