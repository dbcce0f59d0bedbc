"""The production server: one process serves several applications, each on its address; more processes share the sockets.

See docs/adr/0002-production-server.md for why it is built so.
"""

import asyncio
import contextlib
import multiprocessing
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from wsgiref.types import WSGIApplication

import uvicorn
import uvloop

from irmahub.bridge import Bridge
from irmahub.settings import Address

#: Connections that wait to be taken: five thousand listeners may come at once after a restart.
BACKLOG: Final = 4096

#: How long running requests may take to finish when the server stops.
GRACE_SECONDS: Final = 5

#: How often the interpreter lock changes hands, so that events do not wait behind a computation.
SWITCH_INTERVAL_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class Sites:
    """What one process serves.

    Attributes:
        applications: WSGI applications, in the order of the listening sockets.
        close: called when the process stops, after the last request.
        large_bodies: the addresses whose requests may hold more than `irmahub.bridge.MAX_BODY_BYTES`, with how much.
    """

    applications: Sequence[WSGIApplication]
    close: Callable[[], None]
    large_bodies: Mapping[str, int] = field(default_factory=dict)


def listen(address: Address) -> socket.socket:
    """Bind an address, so that a port in use is told before anything starts.

    Raises:
        OSError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def serve(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], *, workers: int = 1) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs.

    Args:
        sockets: what `listen` gave, one for each application.
        make_sites: makes the applications; called once in each process, and importable by name where there are several.
        workers: how many processes.
    """
    raise_file_limit()
    if workers == 1:
        _serve_in_process(sockets, make_sites)
    else:
        _supervise(sockets, make_sites, workers)


def raise_file_limit() -> None:
    """Allow as many open files, hence connections, as the system grants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve_in_process(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites]) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    sites = make_sites()
    bridges = [Bridge(application, large_bodies=sites.large_bodies) for application in sites.applications]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(sockets, bridges))
    finally:
        sites.close()


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are handled outside, since several run in one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(sockets: Sequence[socket.socket], bridges: Sequence[Bridge]) -> None:
    servers = [
        _Server(
            uvicorn.Config(
                bridge,
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        for bridge in bridges
    ]

    def stop() -> None:
        for bridge, server in zip(bridges, servers, strict=True):
            server.should_exit = True
            bridge.end_streams()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in zip(servers, sockets, strict=True)))
    for bridge in bridges:
        bridge.close()


def _supervise(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], workers: int) -> None:
    """Keep the processes running until a signal comes; one that dies is replaced."""
    context = multiprocessing.get_context("spawn")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    def start() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=_serve_in_process, args=(list(sockets), make_sites))
        process.start()
        return process

    processes = [start() for _ in range(workers)]
    while not stopping.wait(0.5):
        processes = [process if process.is_alive() else start() for process in processes]
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE_SECONDS + 5)
