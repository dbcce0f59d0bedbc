"""The audit: what stands in an entry, and that the chain finds every change."""

import threading
from collections.abc import Callable
from datetime import timedelta
from enum import Enum

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.actor import Actor, ActorKind, Role
from gateway.audit.chain import entry_hash, field_changes
from gateway.audit.service import Audit
from gateway.authorization import Action, PermissionDeniedError
from gateway.database import Database
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN, actor


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database, clock=SettableClock())


def write(database: Database, audit: Audit, count: int = 1) -> None:
    for number in range(count):
        database.write(
            lambda session, number=number: audit.record(
                session, ADMIN, Action.REQUESTOR_EDIT, f"requestor:r{number}", after={"contact": f"c{number}"}, reason="because"
            )
        )


def test_entry_says_who_what_when_where_and_why(database: Database, audit: Audit) -> None:
    def work(session: Session) -> int:
        return audit.record(
            session,
            ADMIN,
            Action.REQUESTOR_SUSPEND,
            "requestor:backend",
            before={"state": "active", "contact": "a", "same": 1},
            after={"state": "suspended", "contact": "a", "same": 1, "suspended_reason": "abuse"},
            reason="abuse",
        )

    assert database.write(work) == 1
    (entry,) = audit.entries(ADMIN)
    assert (entry.sequence, entry.at, entry.actor_kind, entry.actor_name, entry.user_id) == (1, START, "user", "alice", 1)
    assert (entry.address, entry.request_id, entry.reason) == ("192.0.2.7", "req-1", "abuse")
    assert (entry.action, entry.object) == ("requestor.suspend", "requestor:backend")
    assert entry.changes == {"state": ["active", "suspended"], "suspended_reason": [None, "abuse"]}


def test_entry_stands_or_falls_with_its_write(database: Database, audit: Audit) -> None:
    def work(session: Session) -> None:
        audit.record(session, ADMIN, Action.REQUESTOR_EDIT, "requestor:x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.write(work)
    assert audit.entries(ADMIN) == ()
    assert audit.verify(ADMIN).holds


def test_differences_of_fields() -> None:
    class Colour(Enum):
        RED = "red"

    assert field_changes({"a": Colour.RED, "b": START, "c": ""}, {"a": None, "b": START + timedelta(1), "c": None, "d": []}) == {
        "a": ["red", None],
        "b": ["2026-11-23T12:00:00.000000+00:00", "2026-11-24T12:00:00.000000+00:00"],
    }
    assert field_changes({"flag": True, "number": 1}, {"flag": False, "number": 0}) == {"flag": [True, False], "number": [1, 0]}


def test_secrets_have_no_place() -> None:
    with pytest.raises(TypeError, match="does not belong in the audit"):
        field_changes({}, {"secret": b"bytes"})


def test_chain_holds_and_grows_over_several_writers(database: Database, audit: Audit) -> None:
    threads = [threading.Thread(target=write, args=(database, audit, 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = audit.verify(ADMIN)
    assert (verdict.entries, verdict.problems) == (40, ())


TAMPERING: dict[str, tuple[str, int]] = {
    "reason edited": ("UPDATE audit_entries SET reason = 'other' WHERE sequence = 3", 3),
    "actor edited": ("UPDATE audit_entries SET actor_name = 'mallory' WHERE sequence = 3", 3),
    "time edited": ("UPDATE audit_entries SET at = '2020-01-01 00:00:00.000000' WHERE sequence = 3", 3),
    "address removed": ("UPDATE audit_entries SET address = NULL WHERE sequence = 3", 3),
    "difference edited": ("UPDATE audit_entries SET changes = '{}' WHERE sequence = 3", 3),
    "hash edited": ("UPDATE audit_entries SET hash = 'ff' WHERE sequence = 3", 3),
    "first deleted": ("DELETE FROM audit_entries WHERE sequence = 1", 2),
    "one deleted": ("DELETE FROM audit_entries WHERE sequence = 3", 4),
    "last deleted": ("DELETE FROM audit_entries WHERE sequence = 5", 4),
    "all deleted": ("DELETE FROM audit_entries", 0),
    "one deleted and the rest renumbered": (
        "DELETE FROM audit_entries WHERE sequence = 3; UPDATE audit_entries SET sequence = 3 WHERE sequence = 4; "
        "UPDATE audit_entries SET sequence = 4 WHERE sequence = 5",
        3,
    ),
    "two exchanged": (
        "UPDATE audit_entries SET sequence = 99 WHERE sequence = 2; UPDATE audit_entries SET sequence = 2 WHERE sequence = 3; "
        "UPDATE audit_entries SET sequence = 3 WHERE sequence = 99",
        2,
    ),
    "head moved back with the last deleted": (
        "DELETE FROM audit_entries WHERE sequence = 5; UPDATE audit_head SET sequence = 4",
        4,
    ),
    "head deleted": ("DELETE FROM audit_head", 5),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_tampering_is_found(database: Database, audit: Audit, case: str) -> None:
    statements, where = TAMPERING[case]
    write(database, audit, 5)
    assert audit.verify(ADMIN).holds

    def tamper(session: Session) -> None:
        for statement in statements.split("; "):
            session.execute(text(statement))

    database.write(tamper)
    verdict = audit.verify(ADMIN)
    assert not verdict.holds
    assert verdict.problems[0].sequence == where


def test_entry_rewritten_with_its_hash_is_found_by_the_next(database: Database, audit: Audit) -> None:
    write(database, audit, 3)

    def tamper(session: Session) -> None:
        row = session.execute(text("SELECT * FROM audit_entries WHERE sequence = 2")).mappings().one()
        fields = {**row, "at": START, "reason": "forged", "changes": {"contact": [None, "c1"]}}
        del fields["hash"]
        session.execute(text("UPDATE audit_entries SET reason = 'forged', hash = :hash WHERE sequence = 2"), {"hash": entry_hash(fields)})

    database.write(tamper)
    problems = audit.verify(ADMIN).problems
    assert [problem.sequence for problem in problems] == [3]


def test_entries_are_filtered_and_paged(database: Database, audit: Audit) -> None:
    write(database, audit, 5)
    other = Actor(ActorKind.TOKEN, "ci", ADMIN.grants)
    database.write(lambda session: audit.record(session, other, "custody.rewrap", "custody"))

    def found(**filters: object) -> list[int]:
        return [entry.sequence for entry in audit.entries(ADMIN, **filters)]  # type: ignore[arg-type]

    assert found() == [6, 5, 4, 3, 2, 1]
    assert found(limit=2) == [6, 5]
    assert found(limit=2, before_sequence=5) == [4, 3]
    assert found(object="requestor:r2") == [3]
    assert found(action="custody.rewrap") == [6]
    assert found(actor_name="ci") == [6]
    assert found(until=START) == []
    assert len(found(since=START, until=START + timedelta(microseconds=1))) == 6


def test_only_auditors_and_administrators_read(audit: Audit) -> None:
    checks: list[Callable[[Actor], object]] = [audit.entries, audit.verify]
    for check in checks:
        check(actor(Role.AUDITOR))
        for role in set(Role) - {Role.AUDITOR, Role.ADMIN}:
            with pytest.raises(PermissionDeniedError):
                check(actor(role))
