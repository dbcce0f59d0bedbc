"""Status events with 5,000 listeners on one process of the production server."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.actor import command_actor
from gateway.database import prepare_file, upgrade
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from gateway.scheme_files import read_tree, write_tree
from irmahub.applications import services_of
from irmahub.demo.processes import answers, free_address
from irmahub.settings import Settings
from tests.support.measurements import memory_mib, record
from tests.support.shared import shared

LISTENERS = 5000
CHANGES = 2000
CLIENTS = 8
REQUEST = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.level"]]]}


class Listener(asyncio.Protocol):
    """One listener; notes when its session's end arrived."""

    def __init__(self, token: str, opened: "asyncio.Future[None]", arrived: dict[str, float]) -> None:
        self.token, self.opened, self.arrived = token, opened, arrived

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"GET /session/{self.token}/statusevents HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if b"event: open" in data and not self.opened.done():
            self.opened.set_result(None)
        if b'data: "CANCELLED"' in data:
            self.arrived[self.token] = time.monotonic()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Settings, str, int]]:
    """The server with sessions in memory: its settings, a requestor's token and the process."""
    environment = {
        "IRMAHUB_DATA_DIRECTORY": str(tmp_path),
        "IRMAHUB_CONSOLE_ADDRESS": str(free_address(0)),
        "IRMAHUB_GATEWAY_ADDRESS": str(free_address(0)),
        "IRMAHUB_LOG_LEVEL": "warning",
    }
    settings = Settings.from_environment(environment)
    prepare_file(tmp_path / "irmahub.db")
    upgrade(settings.database_url)
    write_tree(read_tree(shared("schemes", "mutant-base", "irma-demo")), settings.schemes_directory / "irma-demo")
    services, actor = services_of(settings), command_actor("measure")
    services.requestors.create(actor, NewRequestor("shop"))
    token = services.requestors.add_key(actor, "shop", NewKey(AuthMethod.TOKEN)).secret
    assert token is not None
    services.requestors.set_permissions(actor, "shop", Permissions(disclose=("*",)))
    services.requestors.activate(actor, "shop")
    services.close()
    process = subprocess.Popen([sys.executable, "-m", "irmahub", "serve"], env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        while not answers(f"{settings.gateway_url}health"):
            assert process.poll() is None
            time.sleep(0.1)
        yield settings, token, process.pid
    finally:
        process.terminate()
        process.wait(30)


async def measure(settings: Settings, token: str, pid: int) -> tuple[list[float], float, float]:
    """The milliseconds from asking for a change to its arrival, the seconds that connecting all listeners took, and the memory in MiB."""
    loop = asyncio.get_running_loop()
    taken = asyncio.Semaphore(CLIENTS)
    asked: dict[str, float] = {}
    arrived: dict[str, float] = {}
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=settings.gateway_url, timeout=30, limits=limits, headers={"Authorization": token}) as http:

        async def start() -> str:
            async with taken:
                return str((await http.post("session", json=REQUEST)).json()["token"])

        async def cancel(session: str) -> None:
            async with taken:
                asked[session] = time.monotonic()
                await http.delete(f"session/{session}")

        sessions = await asyncio.gather(*(start() for _ in range(LISTENERS)))
        transports = []
        began = time.monotonic()
        for first in range(0, LISTENERS, 250):
            opened = []
            for session in sessions[first : first + 250]:
                opened.append(loop.create_future())
                listener = Listener(session, opened[-1], arrived)
                address = settings.gateway_address
                transports.append((await loop.create_connection(lambda one=listener: one, address.host, address.port))[0])
            await asyncio.wait_for(asyncio.gather(*opened), 60)
        connected = time.monotonic() - began
        await asyncio.gather(*(cancel(session) for session in sessions[:CHANGES]))
        await asyncio.sleep(1)
    memory = memory_mib(pid)
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0.1)
    assert len(arrived) == CHANGES
    return [1000 * (arrived[session] - asked[session]) for session in arrived], connected, memory


@pytest.mark.long
def test_events(server: tuple[Settings, str, int]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        settings, token, pid = server
        milliseconds, connected, memory = asyncio.run(measure(settings, token, pid))
        cuts = statistics.quantiles(milliseconds, n=100)
        figures = {
            "listeners": LISTENERS,
            "changes": CHANGES,
            "event_ms": {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)},
            "seconds_to_connect_listeners": round(connected, 2),
            "memory_pss_mib": round(memory, 1),
        }
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    record("events", figures)
