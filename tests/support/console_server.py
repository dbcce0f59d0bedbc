"""A real console for tests: its own database, worker, web root over HTTP, and the pages on a free port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from console.accounts.models import NewUser
from console.app import create_app
from console.services import Services, build_services
from console.settings import ConsoleSettings
from console.worker import run_worker
from gateway.actor import Grant, Role, system_actor
from gateway.database import upgrade

#: The first administrator of a test.
ADMINISTRATOR = NewUser("noor", "Noor Vermaat", "correct horse battery staple", grants=(Grant(Role.ADMIN),))


@dataclass(frozen=True, slots=True)
class RunningConsole:
    """A console that answers at `url`; its services for preparing what a test needs."""

    url: str
    services: Services
    data: Path


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
            allow_private_addresses=True,
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
        server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
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
