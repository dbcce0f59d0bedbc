"""Requestors in two real server processes: a change reaches both within a second under load, and both count as one."""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from console.services import Services
from gateway.actor import command_actor
from gateway.database import prepare_file, upgrade
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.limits import Limits
from gateway.requestors.models import NewKey, NewRequestor
from gateway.scheme_files import read_tree, write_tree
from irmahub.applications import services_of
from irmahub.demo.processes import answers, free_address
from irmahub.settings import Settings
from tests.support.processes import wait_until
from tests.support.redis import running_redis
from tests.support.shared import shared

DISCLOSURE = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[["irma-demo.RU.studentCard.level"]]]}
ACTOR = command_actor("test")
EVERYTHING = Permissions(disclose=("*",))
SECOND = 1.0


@dataclass
class Worker:
    """A server process of its own, which can be ended and started again."""

    environment: dict[str, str]
    url: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "irmahub", "serve"],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(f"{self.url}health"), "the gateway", seconds=60)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def ask(self, token: str, request: Any = DISCLOSURE) -> httpx.Response:
        return httpx.post(f"{self.url}session", json=request, headers={"Authorization": token})


@dataclass
class Installation:
    """Two workers on one database, and the services in this process, as a third one that changes things."""

    services: Services
    workers: list[Worker]

    def requestor(self, name: str) -> str:
        """A new active requestor that every worker knows; gives its token."""
        requestors = self.services.requestors
        requestors.create(ACTOR, NewRequestor(name))
        token = requestors.add_key(ACTOR, name, NewKey(AuthMethod.TOKEN)).secret
        assert token is not None
        requestors.set_permissions(ACTOR, name, EVERYTHING)
        requestors.activate(ACTOR, name)
        for worker in self.workers:
            wait_until(lambda worker=worker: worker.ask(token).status_code == 200, "the requestor to be known")  # type: ignore[misc]
        return token


@pytest.fixture(scope="module", params=["sqlite-memory", "postgresql-redis"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data = tmp_path_factory.mktemp("data")
    shared_settings = {"IRMAHUB_DATA_DIRECTORY": str(data)}
    with running_redis() as redis:
        if request.param == "postgresql-redis":
            database = request.getfixturevalue("postgresql").create("workers")
            shared_settings |= {"IRMAHUB_DATABASE_URL": database, "IRMAHUB_REDIS_URL": redis.url}
        workers = []
        for _ in range(2):
            console, gateway = free_address(0), free_address(0)
            environment = shared_settings | {"IRMAHUB_CONSOLE_ADDRESS": str(console), "IRMAHUB_GATEWAY_ADDRESS": str(gateway)}
            workers.append(Worker(environment, f"{gateway.url}/"))
        settings = Settings.from_environment(workers[0].environment)
        prepare_file(data / "irmahub.db")
        upgrade(settings.database_url)
        write_tree(read_tree(shared("schemes", "mutant-base", "irma-demo")), settings.schemes_directory / "irma-demo")
        services = services_of(settings)
        try:
            for worker in workers:
                worker.start()
            yield Installation(services, workers)
        finally:
            for worker in workers:
                worker.stop()
            services.close()


class Load:
    """Asks every worker for sessions without a pause, and keeps when each answer came and what it was."""

    def __init__(self, workers: list[Worker], token: str) -> None:
        self.answers: dict[str, list[tuple[float, float, int]]] = {worker.url: [] for worker in workers}
        self._token = token
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(worker.url,)) for worker in workers]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        wait_until(lambda: all(len(found) >= 5 for found in self.answers.values()), "every worker to answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, url: str) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stop.is_set():
                sent = time.monotonic()
                try:
                    status = client.post(f"{url}session", json=DISCLOSURE, headers={"Authorization": self._token}).status_code
                except httpx.HTTPError:
                    status = 0
                self.answers[url].append((sent, time.monotonic(), status))
                time.sleep(0.005)

    def last(self, status: int) -> float:
        """When the last request with this answer was sent, to any worker."""
        return max((sent for found in self.answers.values() for sent, _, one in found if one == status), default=0.0)

    def statuses(self) -> set[int]:
        return {status for found in self.answers.values() for _, _, status in found}


@pytest.mark.feature("D2.1")
@pytest.mark.feature("D2.2")
def test_a_change_reaches_every_worker_within_a_second_and_fails_no_request(installation: Installation) -> None:
    requestors = installation.services.requestors
    token = installation.requestor("loaded")
    with Load(installation.workers, token) as load:
        # Changes that leave the right to ask alone fail no request.
        for number in range(5):
            requestors.set_permissions(ACTOR, "loaded", Permissions(disclose=("*",), issue=("irma-demo.*",) if number % 2 else ()))
            requestors.set_limits(ACTOR, "loaded", Limits(rate_per_minute=1_000_000 - number))
            requestors.add_key(ACTOR, "loaded", NewKey(AuthMethod.TOKEN))
            time.sleep(0.15)
    assert load.statuses() == {200}
    with Load(installation.workers, token) as load:
        changed = time.monotonic()
        requestors.set_permissions(ACTOR, "loaded", Permissions())
        committed = time.monotonic()
        time.sleep(1.5)
    assert load.statuses() == {200, 403}
    assert load.last(200) < committed + SECOND
    for found in load.answers.values():
        assert {status for sent, _, status in found if sent < changed} == {200}
        assert found[-1][2] == 403
    with Load(installation.workers, token) as load:
        requestors.set_permissions(ACTOR, "loaded", EVERYTHING)
        committed = time.monotonic()
        time.sleep(1.5)
    assert load.statuses() <= {200, 403}
    assert load.last(403) < committed + SECOND


@pytest.mark.feature("D15.1")
@pytest.mark.feature("D15.2")
def test_a_suspension_ends_all_sessions_of_the_requestor_wherever_they_are(installation: Installation) -> None:
    token, other = installation.requestor("leaked"), installation.requestor("innocent")
    sessions = [(worker, worker.ask(token).json()["token"]) for worker in installation.workers for _ in range(5)]
    spared = [(worker, worker.ask(other).json()["token"]) for worker in installation.workers]
    with Load(installation.workers, token) as load:
        installation.services.requestors.suspend(ACTOR, "leaked", reason="key leaked")
        committed = time.monotonic()
        time.sleep(1.5)

    def status(worker: Worker, token: str) -> Any:
        return httpx.get(f"{worker.url}session/{token}/status").json()

    assert load.statuses() == {200, 403}
    assert load.last(200) < committed + SECOND
    wait_until(lambda: {status(*one) for one in sessions} == {"CANCELLED"}, "the sessions to be cancelled", seconds=3)
    assert {status(*one) for one in spared} == {"INITIALIZED"}


@pytest.mark.parametrize("installation", ["postgresql-redis"], indirect=True)
@pytest.mark.feature("D13.1")
@pytest.mark.feature("D13.2")
def test_workers_count_as_one_and_counts_outlive_them(installation: Installation) -> None:
    requestors = installation.services.requestors
    token = installation.requestor("limited")
    requestors.set_limits(ACTOR, "limited", Limits(sessions_per_day=8, concurrent_sessions=100))
    wait_until(lambda: requestors.get(ACTOR, "limited").limits.sessions_per_day == 8, "the limit")
    time.sleep(SECOND)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: installation.workers[number % 2].ask(token), range(40)))
    assert sorted(response.status_code for response in found) == [200] * 8 + [429] * 32
    assert all(int(response.headers["Retry-After"]) > 0 for response in found if response.status_code == 429)
    for worker in installation.workers:
        worker.stop(signal.SIGKILL)
        worker.start()
        assert worker.ask(token).status_code == 429
    requestors.set_limits(ACTOR, "limited", Limits(concurrent_sessions=12))
    time.sleep(SECOND)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: installation.workers[number % 2].ask(token), range(40)))
    # Ten sessions run already: the one that told that the requestor is known, on each worker, and the eight of before.
    assert sorted(response.status_code for response in found) == [200] * 2 + [429] * 38


@pytest.mark.parametrize("installation", ["postgresql-redis"], indirect=True)
@pytest.mark.feature("E3")
def test_a_request_is_accepted_once_by_all_workers_together(installation: Installation) -> None:
    requestors = installation.services.requestors
    installation.requestor("replayed")
    secret = requestors.add_key(ACTOR, "replayed", NewKey(AuthMethod.HMAC)).secret
    requestors.set_limits(ACTOR, "replayed", Limits(replay_window_seconds=300))
    time.sleep(SECOND)
    claims = {"iss": "replayed", "iat": int(time.time()), "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}
    for name in ("first", "second"):
        body = jwt.encode(claims | {"jti": name}, base64.b64decode(secret or ""), algorithm="HS256")

        def send(number: int, body: str = body) -> int:
            url = installation.workers[number % 2].url
            return httpx.post(f"{url}session", content=body, headers={"Content-Type": "text/plain"}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(send, range(16))) == [200] + [403] * 15


@pytest.mark.feature("D3.1")
def test_usage_and_last_use_of_all_workers_reach_the_database(installation: Installation) -> None:
    requestors = installation.services.requestors
    token = installation.requestor("counted")
    for worker in installation.workers:
        for _ in range(7):
            assert worker.ask(token).status_code == 200
    for worker in installation.workers:
        worker.stop()
        worker.start()
    today = requestors.get(ACTOR, "counted").created_at.date()
    found = {one.action: one.started for one in requestors.usage(ACTOR, "counted", today, today)}
    assert found == {"disclosing": 16}
    (key,) = requestors.get(ACTOR, "counted").keys
    assert key.last_used_at is not None
