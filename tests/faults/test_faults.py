"""Faults under the real server, with two processes that share Redis unless a test says otherwise."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from gateway.database import Database
from gateway.models import SessionRecord
from irmahub.bench.http import Connection
from irmahub.bench.installation import Installation, running_installation, serving_processes
from tests.faults.sessions import UNAVAILABLE, FaultSession, proof_status
from tests.support.postgresql import running_postgresql
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, running_redis

TWO = {"IRMAHUB_WORKERS": "2"}


@pytest.fixture(scope="module")
def redis_that_persists() -> Iterator[RedisServer]:
    with running_redis(persists=True) as server:
        yield server


@pytest.fixture(scope="module")
def installation(redis_that_persists: RedisServer) -> Iterator[Installation]:
    environment = {**TWO, "IRMAHUB_REDIS_URL": redis_that_persists.url, "IRMAHUB_OUTBOUND_ALLOW": "127.0.0.0/8"}
    with running_installation(store="redis", opens=True, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def one_process() -> Iterator[Installation]:
    with running_installation(store="memory", opens=True) as running:
        yield running


def healthy_again(installation: Installation) -> None:
    server = installation.processes["gateway"][0]
    wait_until(lambda: len(serving_processes(server)) == installation.settings.workers, "every process to serve", seconds=60)


@pytest.mark.feature("E7.1")
@pytest.mark.parametrize("kind", ["disclosure", "issuance"])
@pytest.mark.parametrize("running", ["installation", "one_process"])
def test_200_posts_of_one_answer_end_in_one_result(request: pytest.FixtureRequest, running: str, kind: str) -> None:
    installation: Installation = request.getfixturevalue(running)
    session = FaultSession(installation, kind).connect()
    address = installation.settings.gateway_address

    async def post_all() -> list[bytes]:
        connections = [await Connection.open(address.host, address.port) for _ in range(200)]
        try:
            posts = (one.request("POST", session.answer_path, session.body, headers=session.headers) for one in connections)
            return await asyncio.gather(*posts)
        finally:
            for one in connections:
                one.close()

    answers = asyncio.run(post_all())
    assert len(answers) == 200
    # A credential's signature is random: had it been made twice, there were two answers.
    assert len(set(answers)) == 1
    assert session.is_done()


def test_a_worker_killed_in_mid_session(installation: Installation) -> None:
    server = installation.processes["gateway"][0]
    sessions = [FaultSession(installation, "issuance").connect() for _ in range(20)]
    with ThreadPoolExecutor(10) as pool:
        posts = [pool.submit(session.post_until_answered) for session in sessions]
        os.kill(serving_processes(server)[0], signal.SIGKILL)
        answers = [post.result() for post in posts]
    assert {proof_status(answer) for answer in answers} == {"VALID"}
    # An app that lost its answer and asks again gets the very signature that was made, and no other.
    assert [session.post().content for session in sessions[-5:]] == [answer.content for answer in answers[-5:]]
    assert all(session.is_done() for session in sessions)
    healthy_again(installation)


@pytest.mark.feature("E7.2")
def test_redis_stopped_and_started(installation: Installation, redis_that_persists: RedisServer) -> None:
    waiting, connected = FaultSession(installation, "disclosure"), FaultSession(installation, "issuance").connect()
    address = installation.settings.gateway_address
    with socket.create_connection((address.host, address.port), 30) as listener:
        listener.sendall(f"GET /session/{connected.package['token']}/statusevents HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while b"event: open" not in received:
            received += listener.recv(4096)
        redis_that_persists.stop()
        url = installation.settings.gateway_url
        away = [
            connected.post(),
            connected.get("status"),
            waiting.get("result"),
            httpx.post(f"{url}session", json=waiting._prepared.request),
        ]
        assert [(answer.status_code, answer.json()) for answer in away] == [(503, UNAVAILABLE)] * len(away)
        assert {answer.headers["Retry-After"] for answer in away} == {"1"}
        redis_that_persists.start()
        # Nothing that the store held is lost, and nobody had to lift a hand.
        wait_until(lambda: waiting.get("status").text == '"INITIALIZED"', "the sessions to be back")
        assert proof_status(connected.post()) == "VALID"
        assert connected.is_done()
        while not received.endswith(b"0\r\n\r\n"):
            part = listener.recv(4096)
            assert part, received
            received += part
    assert b'data: "DONE"\n\n' in received
    assert proof_status(waiting.connect().post()) == "VALID"


def test_a_callback_target_that_hangs(installation: Installation) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(128)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        hanging = [FaultSession(installation, "disclosure", callbackUrl=url).connect() for _ in range(40)]
        began = time.monotonic()
        assert {proof_status(session.post()) for session in hanging} == {"VALID"}
        assert proof_status(FaultSession(installation, "disclosure").connect().post()) == "VALID"
        # No answer to an app waits for a callback, which would take twenty seconds.
        assert time.monotonic() - began < 20
    assert all(session.is_done() for session in hanging)


def test_no_room_for_the_log(tmp_path: Path) -> None:
    (tmp_path / "gateway.log").symlink_to("/dev/full")
    with running_installation(store="redis", opens=True, environment=TWO, logs=tmp_path) as installation:
        for kind in ("disclosure", "issuance"):
            session = FaultSession(installation, kind).connect()
            assert proof_status(session.post()) == "VALID"
            assert session.is_done()


def test_postgresql_stopped_and_started() -> None:
    with running_postgresql() as server:
        environment = {**TWO, "IRMAHUB_DATABASE_URL": server.create("irmahub")}
        with running_installation(store="redis", opens=True, environment=environment) as installation:
            sessions = [FaultSession(installation, "disclosure").connect()]
            server.stop()
            # Sessions need no table; the archive waits in memory.
            sessions += [FaultSession(installation, kind).connect() for kind in ("disclosure", "issuance")]
            assert {proof_status(session.post()) for session in sessions} == {"VALID"}
            server.start()
            sessions.append(FaultSession(installation, "issuance").connect())
            assert proof_status(sessions[-1].post()) == "VALID"
            database = Database(environment["IRMAHUB_DATABASE_URL"])

            def archived() -> int:
                with database.read() as session:
                    return session.scalar(select(func.count()).where(SessionRecord.status == "DONE")) or 0

            wait_until(lambda: archived() == len(sessions), "the archive to hold every session")
            database.close()
