"""The production server: one process serves several applications, each on its address; more processes share the sockets.

See docs/adr/0002-production-server.md for why it is built so.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import resource
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast
from wsgiref.types import WSGIApplication

import structlog
import uvicorn
import uvloop
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from irmahub.bridge import READ_SECONDS, Answer, Bridge
from irmahub.settings import Address

log = structlog.get_logger(__name__)

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

#: Answers with these statuses have no body.
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})


@dataclass(frozen=True, slots=True)
class Sites:
    """What one process serves.

    Attributes:
        applications: WSGI applications, in the order of the listening sockets.
        close: called when the process stops, after the last request.
        stop_soon: called when the process is asked to stop, while it still takes requests.
        large_bodies: the addresses whose requests may hold more than `irmahub.bridge.MAX_BODY_BYTES`, with how much.
        tls: for each application, what its listener needs to speak TLS, or None for plain HTTP; absent for plain HTTP throughout.
        read_seconds: for each application, how long a client may take to send the head of a request, and then its body.
    """

    applications: Sequence[WSGIApplication]
    close: Callable[[], None]
    large_bodies: Mapping[str, int] = field(default_factory=dict)
    stop_soon: Callable[[], None] = lambda: None
    tls: Sequence[ssl.SSLContext | None] = ()
    read_seconds: Sequence[float] = ()


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


def take_turns() -> None:
    """Have a thread that wakes up wait until the one that runs on its core waits or has had its time, where the system knows of that.

    Otherwise it interrupts that one at once, mostly to find that it has to wait for the interpreter lock, which is held there. The
    threads that this one starts inherit it.

    Source: sched(7), SCHED_BATCH.
    """
    if sys.platform == "linux":
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError as error:
            log.warning("server.turns_refused", error=error.strerror)


def _serve_in_process(sockets: Sequence[socket.socket], make_sites: Callable[[], Sites], drain_seconds: float) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    sites = make_sites()
    take_turns()
    read_seconds = sites.read_seconds or [READ_SECONDS] * len(sites.applications)
    bridges = [
        Bridge(application, large_bodies=sites.large_bodies, read_seconds=seconds)
        for application, seconds in zip(sites.applications, read_seconds, strict=True)
    ]
    # What lives as long as the process is never looked through again for garbage, which took a third of a millisecond of each session.
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(sockets, bridges, sites.tls or [None] * len(bridges), sites.stop_soon, drain_seconds))
    finally:
        sites.close()


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are handled outside, since several run in one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Config(uvicorn.Config):
    """A uvicorn configuration for the requests of a bridge."""

    def __init__(self, bridge: Bridge, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            bridge,  # type: ignore[arg-type] - `_Protocol` alone looks at it
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 that has a bridge answer requests, each once its body is whole.

    An ASGI application would take a task, a future and two messages for each request. Here a request goes to the bridge's
    threads from where its last byte is read, and its answer back to the connection in one piece; only streams are ASGI's.

    Whoever opens a connection, or begins a request, and does not get on with it, is hung up on: without a word before the head
    is whole, with status 408 before the body is.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bridge = cast(Bridge, self.app)
        self._timer: asyncio.TimerHandle | None = None
        #: Whether the head of a request is missing that was begun, or the first one.
        self._is_beginning = True
        #: The request whose body is being read.
        self._reading: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._reading = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_beginning = True

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._is_beginning = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body[: self._bridge.most_bytes(cycle.scope["path"]) - len(cycle.body)]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle = self._reading
        if cycle is not None:
            self._stop_waiting()
            self._reading = None
            self._have_answered(cycle)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _start_asgi_task(self, cycle: RequestResponseCycle, _app: object) -> None:
        """The head of a request is whole, and those before it on the connection are answered."""
        if not cycle.more_body:
            self._have_answered(cycle)
            return
        self._reading = cycle
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wait(self) -> None:
        """Begin to count the time, where the rest of a head or of a body is missing."""
        if self._timer is None and (self._is_beginning or self._reading is not None):
            self._timer = self.loop.call_later(self._bridge.read_seconds, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        self._timer = None
        if self._reading is not None:
            cycle, self._reading = self._reading, None
            cycle.keep_alive = False
            self._write(cycle, Answer(HTTPStatus.REQUEST_TIMEOUT))
        # A request that is being answered is finished first; the next one on its connection then begins anew.
        elif self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _have_answered(self, cycle: RequestResponseCycle) -> None:
        body, cycle.body = bytes(cycle.body), bytearray()
        self._bridge.answer(cycle.scope, body, lambda answer: self.loop.call_soon_threadsafe(self._take, cycle, answer))

    def _take(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Send an answer, at once where that is possible."""
        if answer.stream is None and not self.flow.write_paused:
            self._write(cycle, answer)
        else:
            task = self.loop.create_task(self._send(cycle, answer))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _send(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        if answer.stream is None:
            await self.flow.drain()
            self._write(cycle, answer)
            return
        try:
            await cycle.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await self._bridge.stream(answer.stream, cycle.receive, cycle.send)
        finally:
            cycle.on_response = _nothing
            if not cycle.response_complete:
                self.transport.close()

    def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Write an answer that is no stream, and go on to the next request."""
        if cycle.disconnected:
            return
        is_whole = cycle.scope["method"] != "HEAD" and answer.status not in _BODILESS
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*cycle.default_headers, *answer.headers):
            if name != b"content-length" or not is_whole:
                parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"content-length: %d\r\n\r\n" % len(answer.body), answer.body) if is_whole else (b"\r\n",)
        self.transport.write(b"".join(parts))
        cycle.response_complete = True
        cycle.on_response = _nothing  # It leads back here, which would keep both in memory.
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None:
    pass


async def _serve(
    sockets: Sequence[socket.socket],
    bridges: Sequence[Bridge],
    contexts: Sequence[ssl.SSLContext | None],
    stop_soon: Callable[[], None],
    drain_seconds: float,
) -> None:
    servers = [_Server(_Config(bridge, tls)) for bridge, tls in zip(bridges, contexts, strict=True)]

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
    try:
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in zip(servers, sockets, strict=True)))
    finally:
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
