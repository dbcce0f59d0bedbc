"""Measures status events: thousands of listeners, and changes that another process of the server raises."""

import asyncio
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final, cast

import uvloop

from irmahub.bench.content import PREPARATIONS
from irmahub.bench.http import Connection, LoadError
from irmahub.bench.installation import running_installation, second_server
from irmahub.bench.machine import memory_mib
from irmahub.settings import Address

#: Listeners that connect at a time.
_AT_ONCE: Final = 250

#: Seconds that listeners may take to connect, and that the last event may take to arrive.
_LONGEST: Final = 60.0

_OPENED: Final = b"event: open\n\n"
_ENDED: Final = b'data: "CANCELLED"\n\n'


@dataclass(frozen=True, slots=True)
class EventsFigures:
    """What was measured.

    Attributes:
        listeners: streams that were open, each of a session of its own.
        delivered: how many of them heard that their session was cancelled.
        p50_ms, p99_ms: from the request that cancels to the event's arrival.
        memory_mib: of all processes of both servers, the sum of their proportional set sizes, while all listen.
        connecting_seconds: until all listeners were connected.
    """

    listeners: int
    delivered: int
    p50_ms: float
    p99_ms: float
    memory_mib: float
    connecting_seconds: float

    def to_json(self) -> dict[str, int | float]:
        """The figures as data."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the generator does: where it listens, where it raises changes, and whose memory is read."""

    listening: Address
    raising: Address
    listeners: int
    clients: int
    processes: Sequence[int]


def run(
    *, listeners: int = 5000, clients: int = 4, environment: Mapping[str, str] | None = None, report: Callable[[str], None] = lambda _: None
) -> EventsFigures:
    """Measure events between two servers that share Redis: listeners on one, changes raised on the other.

    Args:
        listeners: how many.
        clients: how many changes are raised at a time.
        environment: settings of the installation that differ from the default.
        report: told what is done next.

    Raises:
        BenchError: Redis is not installed.
        LoadError: a server did not answer as it should.
    """
    variables = {"IRMAHUB_WORKERS": "1", **(environment or {})}
    with running_installation(store="redis", opens=True, environment=variables) as installation, second_server(installation) as second:
        report(f"{listeners} listeners")
        processes = (*installation.processes["gateway"], *second.processes["gateway"])
        plan = _Plan(installation.settings.gateway_address, second.settings.gateway_address, listeners, clients, processes)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(_drive, plan).result()


def _drive(plan: _Plan) -> EventsFigures:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(plan))


class _Listener(asyncio.Protocol):
    """One listener; notes when the end of its session arrived."""

    def __init__(self, token: str, host: str) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrived: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._request = f"GET /session/{token}/statusevents HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._received = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received = (self._received + data)[-2048:]
        if _OPENED in self._received and not self.opened.done():
            self.opened.set_result(None)
        if _ENDED in self._received and not self.arrived.done():
            self.arrived.set_result(time.monotonic())

    def connection_lost(self, _error: Exception | None) -> None:
        for waiting in (self.opened, self.arrived):
            if not waiting.done():
                waiting.cancel()


async def _measure(plan: _Plan) -> EventsFigures:
    tokens = await _start_sessions(await _connections(plan), plan.listeners)
    began = time.monotonic()
    listeners = await _listen(plan.listening, tokens)
    connecting = time.monotonic() - began
    memory = memory_mib(plan.processes)
    # The server closes connections that were idle meanwhile.
    asked = await _cancel(await _connections(plan), tokens)
    await asyncio.wait([listener.arrived for listener in listeners], timeout=_LONGEST)
    heard = [one.arrived.done() and not one.arrived.cancelled() for one in listeners]
    if sum(heard) < 2:
        raise LoadError("no events arrived")
    times = [1000 * (one.arrived.result() - start) for one, start, has_heard in zip(listeners, asked, heard, strict=True) if has_heard]
    cuts = statistics.quantiles(times, n=100)
    for listener in listeners:
        if listener.transport is not None:
            listener.transport.abort()
    return EventsFigures(len(listeners), len(times), cuts[49], cuts[98], memory, connecting)


async def _connections(plan: _Plan) -> list[Connection]:
    """Connections to the server where changes are raised; they end with the process."""
    return [await Connection.open(plan.raising.host, plan.raising.port) for _ in range(plan.clients)]


async def _start_sessions(raisers: Sequence[Connection], count: int) -> list[str]:
    body = json.dumps(PREPARATIONS["disclosure"].request).encode()
    tokens: list[str] = []
    started = iter(range(count))

    async def start(connection: Connection) -> None:
        for _ in started:
            package = await connection.request("POST", "/session", body, headers="Content-Type: application/json\r\n")
            tokens.append(json.loads(package)["token"])

    await asyncio.gather(*map(start, raisers))
    return tokens


async def _listen(address: Address, tokens: Sequence[str]) -> list[_Listener]:
    loop, listeners = asyncio.get_running_loop(), list[_Listener]()
    for first in range(0, len(tokens), _AT_ONCE):
        made = [_Listener(token, str(address)) for token in tokens[first : first + _AT_ONCE]]
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, address.host, address.port) for one in made))
        await asyncio.wait_for(asyncio.gather(*(one.opened for one in made)), _LONGEST)
        listeners += made
    return listeners


async def _cancel(raisers: Sequence[Connection], tokens: Sequence[str]) -> list[float]:
    """Cancel every session; gives when each was asked."""
    asked = [0.0] * len(tokens)
    waiting = iter(enumerate(tokens))

    async def cancel(connection: Connection) -> None:
        for number, token in waiting:
            asked[number] = time.monotonic()
            await connection.request("DELETE", f"/session/{token}")

    await asyncio.gather(*map(cancel, raisers))
    return asked


def table(figures: EventsFigures) -> str:
    """Return the figures as text for people."""
    return (
        f"{figures.delivered} of {figures.listeners} events delivered, raised on another server and carried by Redis\n"
        f"p50 {figures.p50_ms:.1f} ms, p99 {figures.p99_ms:.1f} ms, from the request that changes the status to the listener\n"
        f"memory of the servers {figures.memory_mib:.0f} MiB; all listeners connected within {figures.connecting_seconds:.1f} s"
    )
