"""A real console for tests: its own database, worker, web root over HTTP, and the pages on a free port."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cryptography.hazmat.primitives import serialization
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from console.accounts.models import NewUser
from console.app import create_app
from console.services import Services, build_services
from console.settings import ConsoleSettings
from console.worker import run_worker
from gateway.actor import Grant, Role, system_actor
from gateway.addresses import WITH_PRIVATE
from gateway.app import create_app as create_gateway
from gateway.config import GatewayConfig
from gateway.database import upgrade

#: The first administrator of a test.
ADMINISTRATOR = NewUser("noor", "Noor Vermaat", "correct horse battery staple", grants=(Grant(Role.ADMIN),))


@dataclass(frozen=True, slots=True)
class RunningConsole:
    """A console that answers at `url`; its services for preparing what a test needs."""

    url: str
    services: Services
    data: Path


class _WholeAnswers:
    """Hands an application's answers over whole, so that no file stays open when a browser leaves in the middle of one."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._application(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()


class _QuietPages(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: the output belongs to pytest."""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the output belongs to pytest."""


@contextmanager
def serve_files(directory: Path) -> Iterator[str]:
    """Serve a folder over HTTP on a free port, as the web root of schemes is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def console_services(data: Path, public_url: str = "http://127.0.0.1:1/", **settings: Any) -> Services:
    """Services over a fresh SQLite database in `data`, with the first administrator."""
    data.mkdir(parents=True, exist_ok=True)
    database_url = f"sqlite:///{data / 'irmahub.sqlite'}"
    upgrade(database_url)
    services = build_services(
        ConsoleSettings(
            data_directory=data,
            database_url=database_url,
            kek_file=data / "kek",
            schemes_directory=data / "web" / "schemes",
            public_url=public_url,
            gateway_url="http://gateway.example/",
            outbound=WITH_PRIVATE,
            **settings,
        )
    )
    services.accounts.create_first_administrator(system_actor("tests"), ADMINISTRATOR)
    return services


@contextmanager
def running_console(data: Path, **settings: Any) -> Iterator[RunningConsole]:
    """Run pages, worker and web root until the block ends."""
    (data / "web" / "schemes").mkdir(parents=True)
    with serve_files(data / "web") as public_url:
        services = console_services(data, public_url, **settings)
        stop = threading.Event()
        worker = threading.Thread(target=run_worker, args=(services,), kwargs={"stop": stop}, name="worker")
        worker.start()
        server = make_server("127.0.0.1", 0, _WholeAnswers(create_app(services)), threaded=True, request_handler=_QuietPages)
        pages = threading.Thread(target=server.serve_forever, name="pages")
        pages.start()
        try:
            yield RunningConsole(f"http://127.0.0.1:{server.server_port}", services, data)
        finally:
            server.shutdown()
            server.server_close()
            pages.join()
            stop.set()
            worker.join()
            services.close()


@contextmanager
def running_gateway(services: Services) -> Iterator[str]:
    """Run a gateway over the same services until the block ends; give its address."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    signing_key = services.custody.jwt_key().private_bytes(encoding, form, serialization.NoEncryption()).decode("ascii")
    server = make_server("127.0.0.1", 0, Flask("gateway"), threaded=True, request_handler=_QuietPages)
    url = f"http://127.0.0.1:{server.server_port}/"
    options = {
        "schemes_path": str(services.settings.schemes_directory),
        "url": url,
        "no_auth": False,
        "jwt_privkey": signing_key,
        "schemes_update": 0,
    }
    server.app = create_gateway(
        GatewayConfig.from_options(options, command_defaults=False),
        requestors=services.requestors,
        custody_keys=services.custody.issuer_keys,
        changes=services.changes,
        archive=services.archive,
    )
    services.start()
    thread = threading.Thread(target=server.serve_forever, name="gateway")
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        services.changes.stop()
        server.app.extensions["gateway"].close()
