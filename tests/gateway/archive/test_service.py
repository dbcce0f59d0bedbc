"""The archive: written in batches beside the requests, in any order, without values."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.actor import Role
from gateway.archive.redaction import MARKER
from gateway.archive.service import Archive, RecordInfo
from gateway.authorization import PermissionDeniedError
from gateway.database import Database
from gateway.inputs import NotFoundError
from gateway.models import Organisation, Requestor, RequestorState
from idemix.request.requestor import parse_session_request
from idemix.session.session import ClientToken, FrontendAuth, RequestorToken, Session
from idemix.session.status import Status
from idemix.verification import ProofStatus
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN, NOBODY, actor
from tests.support.processes import wait_until

VALUE = "canary-value-51c0"
REQUEST = {
    "@context": "https://irma.app/ld/request/disclosure/v2",
    "disclose": [[[{"type": "irma-demo.RU.studentCard.level", "value": VALUE}]]],
}


def session(token: str = "requestortoken000001", requestor: str = "backend", **changed: Any) -> Session:
    made = Session(
        requestor_token=RequestorToken(token),
        client_token=ClientToken("clienttoken"),
        frontend_auth=FrontendAuth("frontend"),
        request=parse_session_request(REQUEST),
        last_active=START,
        requestor=requestor,
    )
    return replace(made, **changed)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def archive(database: Database, clock: SettableClock) -> Archive:
    return Archive(database, clock=clock)


def only(archive: Archive) -> RecordInfo:
    (found,) = archive.records(ADMIN)
    return archive.record(ADMIN, found.id)


def test_session_from_start_to_end(archive: Archive, clock: SettableClock) -> None:
    start = session()
    archive.session_started(start)
    clock.advance(seconds=3)
    archive.session_changed(replace(start, status=Status.CONNECTED, revision=1))
    clock.advance(seconds=4)
    archive.session_changed(replace(start, status=Status.DONE, proof_status=ProofStatus.VALID, revision=2))
    archive.flush()
    record = only(archive)
    assert (record.token_prefix, record.requestor_name, record.action) == ("requ", "backend", "disclosing")
    assert (record.status, record.proof_status, record.error) == ("DONE", "VALID", None)
    assert (record.started_at, record.connected_at, record.ended_at) == (
        START,
        START + timedelta(seconds=3),
        START + timedelta(seconds=7),
    )
    assert [(event.kind, event.at) for event in record.events] == [
        ("started", START),
        ("connected", START + timedelta(seconds=3)),
        ("done", START + timedelta(seconds=7)),
    ]
    assert record.request["disclose"] == [[[{"type": "irma-demo.RU.studentCard.level", "value": MARKER}]]]


def test_error_leaves_its_code(archive: Archive) -> None:
    archive.session_started(session())
    error = {"error": "INVALID_PROOFS", "status": 400, "message": VALUE, "stacktrace": VALUE}
    archive.session_changed(session(status=Status.CANCELLED, error=error, revision=1))
    archive.flush()
    record = only(archive)
    assert (record.status, record.error, record.events[-1].detail) == (
        "CANCELLED",
        "INVALID_PROOFS",
        {"status": "CANCELLED", "error": "INVALID_PROOFS"},
    )


def test_events_of_two_processes_come_in_any_order(database: Database, clock: SettableClock) -> None:
    here, there = Archive(database, clock=clock), Archive(database, clock=clock)
    here.session_started(session())
    clock.advance(seconds=1)
    there.session_changed(session(status=Status.CONNECTED, revision=1))
    clock.advance(seconds=1)
    there.session_changed(session(status=Status.DONE, revision=2))
    there.flush()
    here.flush()
    record = only(here)
    assert (record.status, record.started_at, record.ended_at) == ("DONE", START, START + timedelta(seconds=2))
    assert sorted(event.kind for event in record.events) == ["connected", "done", "started"]


def test_no_value_and_no_token_in_the_file(sqlite_database: Database) -> None:
    archive = Archive(sqlite_database)
    archive.session_started(session())
    archive.session_changed(session(status=Status.DONE, revision=1))
    archive.flush()
    path = Path(sqlite_database.url.removeprefix("sqlite:///"))
    held = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert b"studentCard" in held
    for secret in (VALUE, session().requestor_token, session().client_token):
        assert secret.encode() not in held


def test_thread_writes_what_comes_and_the_rest_at_its_end(archive: Archive) -> None:
    archive.start()
    archive.start()
    archive.session_started(session("token-a-000000000000"))
    wait_until(lambda: len(archive.records(ADMIN)) == 1, "the first batch")
    for number in range(700):
        archive.session_started(session(f"token-b-{number:012}"))
    archive.stop()
    archive.stop()
    assert len(archive.records(ADMIN, limit=1000)) == 701
    assert (archive.lost, archive.waiting) == (0, 0)


def test_a_stream_of_events_is_written_while_it_flows(archive: Archive) -> None:
    archive.start()
    for number in range(20):
        archive.session_started(session(f"token-{number:014}"))
        time.sleep(0.05)
    assert archive.records(ADMIN)
    archive.stop()
    assert len(archive.records(ADMIN)) == 20


def test_two_processes_write_the_same_sessions_at_once(database: Database, clock: SettableClock) -> None:
    here, there = Archive(database, clock=clock), Archive(database, clock=clock)
    sessions = [session(f"token-{number:014}") for number in range(100)]
    for one in sessions:
        here.session_started(one)
    clock.advance(seconds=1)
    for one in reversed(sessions):
        there.session_changed(replace(one, status=Status.DONE, revision=1))
    threads = [threading.Thread(target=archive.flush) for archive in (here, there)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = here.records(ADMIN, limit=1000)
    assert {(record.status, record.started_at, record.ended_at) for record in records} == {("DONE", START, START + timedelta(seconds=1))}
    assert len(records) == len(sessions)
    assert {len(here.record(ADMIN, record.id).events) for record in records} == {2}


def test_full_queue_loses_and_counts(sqlite_database: Database) -> None:
    archive = Archive(sqlite_database, queue_size=2)
    for number in range(5):
        archive.session_started(session(f"token-{number:014}"))
    assert (archive.lost, archive.waiting) == (3, 2)
    archive.flush()
    assert len(archive.records(ADMIN)) == 2


def test_database_away_for_a_while_costs_nothing(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.archive.service.RETRY_SECONDS", 0.01)
    archive = Archive(sqlite_database)
    away = threading.Event()
    away.set()
    write = sqlite_database.write

    def troubled(work: Any) -> Any:
        if away.is_set():
            raise OSError("away")
        return write(work)

    monkeypatch.setattr(sqlite_database, "write", troubled)
    archive.start()
    archive.session_started(session())
    wait_until(lambda: "could not be written" in caplog.text, "the first failure")
    away.clear()
    wait_until(lambda: len(archive.records(ADMIN)) == 1, "the record")
    archive.stop()
    assert archive.lost == 0


def test_stop_with_the_database_away_counts_what_is_lost(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(sqlite_database)
    monkeypatch.setattr(sqlite_database, "write", lambda _: (_ for _ in ()).throw(OSError("away")))
    archive.start()
    archive.session_started(session())
    archive.stop()
    assert archive.lost == 1


def test_lists_are_filtered_and_paged(archive: Archive, clock: SettableClock) -> None:
    for number in range(4):
        clock.now = START + timedelta(hours=number)
        archive.session_started(session(f"token-{number:014}", "a" if number % 2 else "b"))
    archive.session_changed(session("token-00000000000003", "a", status=Status.DONE, revision=1))
    archive.flush()
    everything = archive.records(ADMIN)
    assert [record.started_at.hour for record in everything] == [15, 14, 13, 12]
    assert archive.records(ADMIN, limit=2, before_id=everything[1].id) == everything[2:]
    assert archive.records(ADMIN, requestor_name="a") == everything[::2]
    assert archive.records(ADMIN, status="DONE") == everything[:1]
    assert archive.records(ADMIN, action="issuing") == ()
    assert archive.records(ADMIN, since=START + timedelta(hours=1), until=START + timedelta(hours=3)) == everything[1:3]


def test_retention(archive: Archive, clock: SettableClock) -> None:
    archive.session_started(session("token-old-0000000000"))
    clock.advance(days=30)
    archive.session_started(session("token-new-0000000000"))
    archive.flush()
    assert archive.forget(START + timedelta(days=1)) == 1
    assert [record.started_at for record in archive.records(ADMIN)] == [START + timedelta(days=30)]
    assert only(archive).events


def test_members_see_the_sessions_of_their_organisation(archive: Archive, database: Database) -> None:
    def work(transaction: Any) -> int:
        organisation = Organisation(name="University", created_at=START)
        transaction.add(organisation)
        transaction.flush()
        transaction.add(
            Requestor(
                name="mine", organisation_id=organisation.id, state=RequestorState.ACTIVE, version=1, created_at=START, updated_at=START
            )
        )
        return organisation.id

    member = actor(Role.REQUESTOR_ADMIN, f"organisation:{database.write(work)}")
    for number, name in enumerate(("mine", "other", "")):
        archive.session_started(session(f"token-{number:014}", name))
    archive.flush()
    assert [record.requestor_name for record in archive.records(member)] == ["mine"]
    other = next(record for record in archive.records(ADMIN) if record.requestor_name == "other")
    with pytest.raises(NotFoundError):
        archive.record(member, other.id)
    for who in (NOBODY, actor(Role.SIGNER)):
        with pytest.raises(PermissionDeniedError):
            archive.records(who)


def test_session_is_found_by_the_request_that_started_it(archive: Archive) -> None:
    for token, request_id in (("requestortoken000001", "a" * 32), ("requestortoken000002", "b" * 32)):
        archive.session_started(session(token, request_id=request_id))
    archive.flush()
    (found,) = archive.records(ADMIN, request_id="b" * 32)
    assert (found.token_prefix, found.request_id) == ("requ", "b" * 32)
    assert archive.records(ADMIN, request_id="c" * 32) == ()
