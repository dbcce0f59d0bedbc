"""The production server with the real applications: two processes that share Redis."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.actor import command_actor
from gateway.permissions import Permissions
from gateway.scheme_files import read_tree
from idemix.scheme.configuration import Configuration
from idemix.wallet import Wallet
from irmahub.applications import services_of
from irmahub.demo.processes import answers
from irmahub.server import take_turns
from irmahub.settings import Settings
from irmahub.threads import AT_ONCE
from irmahub.wallet_client import WalletClient
from tests.support.installations import prepare_installation
from tests.support.redis import RedisServer, running_redis

CARD = "irma-demo.RU.studentCard"
ISSUANCE = {
    "@context": "https://irma.app/ld/request/issuance/v2",
    "credentials": [{"credential": CARD, "attributes": {"university": "x", "studentCardNumber": "1", "studentID": "2", "level": "3"}}],
}
DISCLOSURE = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[[f"{CARD}.level"]]]}
ACTOR = command_actor("test")


@dataclass(frozen=True)
class Running:
    """An installation that runs.

    Attributes:
        settings: its settings.
        token: a requestor's token.
        process: `irmahub serve`.
    """

    settings: Settings
    token: str
    process: subprocess.Popen[bytes]

    @property
    def children(self) -> list[int]:
        """The processes that it started."""
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    @property
    def workers(self) -> list[int]:
        """Those of them that serve."""
        return [pid for pid in self.children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def start(self, request: object) -> dict[str, object]:
        """Start a session; on a connection of its own, so that any process may take it."""
        answer = httpx.post(f"{self.settings.gateway_url}session", json=request, headers={"Authorization": self.token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def result(self, package: dict[str, object]) -> dict[str, object]:
        return httpx.get(f"{self.settings.gateway_url}session/{package['token']}/result").json()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def running(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    permissions = Permissions(disclose=("*",), issue=("*",))
    environment = {"IRMAHUB_REDIS_URL": redis_server.url, "IRMAHUB_WORKERS": "2"}
    made = prepare_installation(data, environment, permissions=permissions, scheme=("mutant-base", "irma-demo"))
    settings, token = made.settings, made.token
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "irmahub", "serve"], env=os.environ | made.environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 60
        while not answers(f"{settings.gateway_url}health"):
            assert process.poll() is None, (data / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Running(settings, token, process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def wallet(running: Running) -> Wallet:
    configuration, problems = Configuration.load([read_tree(running.settings.schemes_directory / "irma-demo")], now=int(time.time()))
    assert not problems
    return Wallet.create(configuration)


def test_sessions_are_shared_by_the_processes(running: Running, wallet: Wallet) -> None:
    with WalletClient(wallet) as client:
        client.run(running.start(ISSUANCE)["sessionPtr"])
    for _ in range(5):
        with WalletClient(wallet) as client:
            package = running.start(DISCLOSURE)
            client.run(package["sessionPtr"])
        assert running.result(package)["proofStatus"] == "VALID"


def test_status_events_reach_listeners_of_either_process(running: Running, wallet: Wallet) -> None:
    package = running.start(DISCLOSURE)
    listeners = []
    for _ in range(8):
        # Each connection is taken by either process.
        listener = socket.create_connection((running.settings.gateway_address.host, running.settings.gateway_address.port), 30)
        listener.sendall(f"GET /session/{package['token']}/statusevents HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        listeners.append(listener)
    received = [b""] * len(listeners)
    for number, listener in enumerate(listeners):
        while b"event: open\n\n" not in received[number]:
            received[number] += listener.recv(4096)
    with WalletClient(wallet) as client:
        client.run(package["sessionPtr"])
    for number, listener in enumerate(listeners):
        while not received[number].endswith(b"0\r\n\r\n"):
            part = listener.recv(4096)
            assert part, received[number]
            received[number] += part
        assert b'data: "CONNECTED"\n\n' in received[number]
        assert b'data: "DONE"\n\n' in received[number]
        listener.close()


def test_threads_of_a_process_take_turns(running: Running) -> None:
    workers = running.workers
    assert len(workers) == 2
    for worker in workers:
        policies = [os.sched_getscheduler(int(thread.name)) for thread in Path(f"/proc/{worker}/task").iterdir()]
        assert os.sched_getscheduler(worker) == os.SCHED_BATCH
        assert policies.count(os.SCHED_BATCH) > AT_ONCE


def test_a_system_that_allows_no_turns_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with capture_logs() as logs:
        take_turns()
    assert [(entry["event"], entry["error"]) for entry in logs] == [("server.turns_refused", "Operation not permitted")]


def test_requestor_that_is_suspended_is_refused_within_a_second(running: Running) -> None:
    services = services_of(running.settings)
    services.requestors.suspend(ACTOR, "shop", reason="The contract ended.")
    services.close()
    deadline = time.monotonic() + 10
    refused = 0
    while refused < 10:
        answer = httpx.post(f"{running.settings.gateway_url}session", json=DISCLOSURE, headers={"Authorization": running.token})
        refused = refused + 1 if answer.status_code == 403 else 0
        assert time.monotonic() < deadline


def test_a_process_that_dies_is_replaced(running: Running) -> None:
    children, workers = running.children, running.workers
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        alive = running.children
        if len(set(alive) & set(children)) == len(children) - 1 and len(alive) == len(children):
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answers(f"{running.settings.gateway_url}health")
