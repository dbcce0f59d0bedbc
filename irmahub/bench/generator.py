"""The generator of load: drives whole sessions, in a process of its own, and measures them."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final

import uvloop

from irmahub.bench.content import PREPARATIONS, Holder, app_secret
from irmahub.bench.http import Connection, LoadError
from irmahub.bench.machine import Unit, cpu_seconds
from irmahub.settings import Address

#: Sessions run so long before they count: tables are built, connections open, caches warm.
WARM_UP_SECONDS: Final = 3.0

#: How often the unit is measured meanwhile.
_UNIT_SECONDS: Final = 0.5

_APP_HEADERS: Final = "X-IRMA-MinProtocolVersion: 2.8\r\nX-IRMA-MaxProtocolVersion: 2.8\r\n"
_JSON: Final = "Content-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be driven.

    Attributes:
        address: of the gateway.
        kind: `disclosure` or `issuance`.
        holder: who answers.
        bodies: of the requests that start sessions, which take turns.
        headers: of these requests.
        clients: how many sessions run at a time.
        seconds: how long.
        max_sessions: the run ends after so many, if that is earlier.
        processes: whose processor time is read, by the name of the group.
    """

    address: Address
    kind: str
    holder: Holder
    bodies: Sequence[bytes]
    headers: str
    clients: int
    seconds: float
    max_sessions: int
    processes: Mapping[str, Sequence[int]]


@dataclass(slots=True)
class Measured:
    """What came of a run.

    Attributes:
        seconds: how long it took.
        latencies: of each session, from the request that starts it to its result, in seconds.
        unit_seconds: processor time of one modular exponentiation during the run, the median.
        cpu_seconds: processor time by group of processes, `generator` among them.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    unit_seconds: float = 0.0
    cpu_seconds: dict[str, float] = field(default_factory=dict)


def drive(load: Load) -> Measured:
    """Drive sessions; to be called in a process of its own.

    Raises:
        LoadError: a session did not end as it should.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Generator(load).run())


class _Generator:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._prepared = PREPARATIONS[load.kind](load.holder.credential)
        self._bodies = cycle(load.bodies)
        self._measured = Measured()
        self._counts = False
        self._stopping = False

    async def run(self) -> Measured:
        measured = self._measured
        unit, units = Unit(), list[float]()
        clients = [asyncio.ensure_future(self._client()) for _ in range(self._load.clients)]
        running = asyncio.gather(*clients)
        try:
            await self._wait(running, WARM_UP_SECONDS)
            before, began = self._cpu(), time.monotonic()
            self._counts = True
            while not self._is_over(began):
                await self._wait(running, min(_UNIT_SECONDS, self._load.seconds))
                units.append(unit.seconds())
            self._counts = False
            measured.seconds = time.monotonic() - began
            measured.cpu_seconds = {name: used - before[name] for name, used in self._cpu().items()}
            measured.unit_seconds = statistics.median(units)
            self._stopping = True
            await running
        finally:
            for client in clients:
                client.cancel()
        return measured

    def _is_over(self, began: float) -> bool:
        return time.monotonic() - began >= self._load.seconds or len(self._measured.latencies) >= self._load.max_sessions

    @staticmethod
    async def _wait(running: "asyncio.Future[list[None]]", seconds: float) -> None:
        """Wait; a client that fails ends the run at once."""
        done, _ = await asyncio.wait((running,), timeout=seconds)
        if done:
            await running

    def _cpu(self) -> dict[str, float]:
        used = {name: cpu_seconds(pids) for name, pids in self._load.processes.items()}
        return used | {"generator": time.process_time()}

    async def _client(self) -> None:
        """One backend and one app, each on its connection, that do one session after another."""
        address, secret = self._load.address, app_secret()
        backend, app = [await Connection.open(address.host, address.port) for _ in range(2)]
        app_headers = f"Authorization: {secret}\r\n{_APP_HEADERS}"
        answer_headers = f"Authorization: {secret}\r\n{_JSON}"
        try:
            while not self._stopping:
                began = time.monotonic()
                package = json.loads(await backend.request("POST", "/session", next(self._bodies), headers=self._load.headers))
                path = f"/irma/session/{package['sessionPtr']['u'].rpartition('/')[2]}"
                message = json.loads(await app.request("GET", path, headers=app_headers))
                body = self._prepared.answer(message["request"])
                reply = await app.request("POST", f"{path}/{self._prepared.path}", body, headers=answer_headers)
                result = await backend.request("GET", f"/session/{package['token']}/result")
                if b'"proofStatus":"VALID"' not in reply or b'"status":"DONE"' not in result:
                    raise LoadError(f"a session ended otherwise than it should: {result[:300].decode()}")
                if self._counts:
                    self._measured.latencies.append(time.monotonic() - began)
        finally:
            backend.close()
            app.close()
