"""The production server: one process serves several applications, each on its address; more processes share the sockets.

See docs/adr/0002-production-server.md for why it is built so.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from wsgiref.types import WSGIApplication

import uvicorn
import uvloop
from prometheus_client.multiprocess import mark_process_dead

from irmahub.bridge import Bridge
from irmahub.settings import Address

#: Connections that wait to be taken: five thousand listeners may come at once after a restart.
BACKLOG: Final = 4096

#: How long running requests may take to finish when the server stops.
GRACE_SECONDS: Final = 15

#: How long a process may then take to write what is waiting, before it is killed.
CLOSE_SECONDS: Final = 15

#: The environment variable by which processes find the folder of their metrics.
METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

#: How often the interpreter lock changes hands, so that events do not wait behind a computation.
SWITCH_INTERVAL_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class Sites:
    """What one process serves.

    Attributes:
        applications: WSGI applications, in the order of the listening sockets.
        close: called when the process stops, after the last request.
        stop_soon: called when the process is asked to stop, while it still takes requests.
        large_bodies: the addresses whose requests may hold more than `irmahub.bridge.MAX_BODY_BYTES`, with how much.
    """

    applications: Sequence[WSGIApplication]
    close: Callable[[], None]
    large_bodies: Mapping[str, int] = field(default_factory=dict)
    stop_soon: Callable[[], None] = lambda: None


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


def serve(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], *, workers: int = 1, drain_seconds: float = 0) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs.

    Args:
        sockets: what `listen` gave, one for each application.
        make_sites: makes the applications; called once in each process, and importable by name where there are several.
        workers: how many processes.
        drain_seconds: for how long a process that was asked to stop still takes requests, so that whoever sends them can learn of it.
    """
    raise_file_limit()
    if workers == 1:
        _serve_in_process(sockets, make_sites, drain_seconds)
    else:
        _supervise(sockets, make_sites, workers, drain_seconds)


def raise_file_limit() -> None:
    """Allow as many open files, hence connections, as the system grants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve_in_process(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], drain_seconds: float) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    sites = make_sites()
    bridges = [Bridge(application, large_bodies=sites.large_bodies) for application in sites.applications]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(sockets, bridges, sites.stop_soon, drain_seconds))
    finally:
        sites.close()


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are handled outside, since several run in one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(sockets: Sequence[socket.socket], bridges: Sequence[Bridge], stop_soon: Callable[[], None], drain_seconds: float) -> None:
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

    loop = asyncio.get_running_loop()

    def drain() -> None:
        stop_soon()
        loop.call_later(drain_seconds, stop)

    def stop() -> None:
        for bridge, server in zip(bridges, servers, strict=True):
            server.should_exit = True
            bridge.end_streams()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, drain)
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in zip(servers, sockets, strict=True)))
    for bridge in bridges:
        bridge.close()


def _supervise(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], workers: int, drain_seconds: float) -> None:
    """Keep the processes running until a signal comes; one that dies is replaced. They add up their metrics in a folder."""
    with tempfile.TemporaryDirectory(prefix="irmahub-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        _keep_running(sockets, make_sites, workers, drain_seconds)


def _keep_running(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], workers: int, drain_seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    def start() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=_serve_in_process, args=(list(sockets), make_sites, drain_seconds))
        process.start()
        return process

    processes = [start() for _ in range(workers)]
    while not stopping.wait(0.5):
        for number, process in enumerate(processes):
            if not process.is_alive():
                mark_process_dead(process.pid)
                processes[number] = start()
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + drain_seconds + GRACE_SECONDS + CLOSE_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
