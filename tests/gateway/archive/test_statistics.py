"""Sessions counted by the hour, and refused requests counted by what they lacked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.actor import Actor, ActorKind, Grant, Role, system_actor
from gateway.archive.service import Archive
from gateway.authorization import PermissionDeniedError
from gateway.database import Database
from gateway.models import SessionRecord
from gateway.permissions import Decision, PermissionKind
from idemix.clock import system_clock
from idemix.request import parse_session_request

NOW = datetime.fromisoformat("2026-11-23T10:30:00+00:00")
AUDITOR = Actor(ActorKind.USER, "ann", (Grant(Role.AUDITOR),))
CONTEXT = "https://irma.app/ld/request/disclosure/v2"
REQUEST = parse_session_request({"@context": CONTEXT, "disclose": [[["irma-demo.RU.studentCard.level"]]]})


def store(database: Database, *rows: tuple[timedelta, str, str | None, str | None]) -> None:
    """Sessions that began so long ago, with status, proof status and error."""

    def work(session: Any) -> None:
        for number, (age, status, proof_status, error) in enumerate(rows):
            session.add(
                SessionRecord(
                    token_hash=f"{number:064}",
                    token_prefix="abcd",
                    requestor_name="desk",
                    action="disclosing",
                    request={},
                    status=status,
                    proof_status=proof_status,
                    error=error,
                    revision=0,
                    started_at=NOW - age,
                )
            )

    database.write(work)


def test_sessions_are_counted_in_the_hour_they_began(database: Database) -> None:
    store(
        database,
        (timedelta(minutes=5), "DONE", "VALID", None),
        (timedelta(minutes=29), "DONE", "VALID", None),
        (timedelta(minutes=31), "DONE", "INVALID", None),
        (timedelta(hours=2), "CANCELLED", None, None),
        (timedelta(hours=2), "TIMEOUT", None, None),
        (timedelta(hours=2), "CANCELLED", None, "INTERNAL_ERROR"),
        (timedelta(hours=3), "CONNECTED", None, None),
        (timedelta(hours=23, minutes=30), "DONE", "VALID", None),
        (timedelta(hours=24), "DONE", "VALID", None),
    )
    hours = Archive(database).hours(AUDITOR, NOW)
    assert [hour.start for hour in hours] == [NOW.replace(minute=0) - timedelta(hours=23 - position) for position in range(24)]
    counted = {hour.start.hour: (hour.done, hour.cancelled, hour.failed) for hour in hours if hour.done or hour.cancelled or hour.failed}
    assert counted == {10: (2, 0, 0), 9: (0, 0, 1), 8: (0, 2, 1), 11: (1, 0, 0)}


def test_refused_requests_are_kept_without_values_and_counted_by_what_they_lacked(database: Database) -> None:
    archive = Archive(database, clock=lambda: NOW)
    level = Decision(PermissionKind.DISCLOSE, "irma-demo.RU.studentCard.level", None)
    card = Decision(PermissionKind.ISSUE, "irma-demo.RU.studentCard", None)
    for decision in (level, card, level):
        archive.request_refused("desk", REQUEST, decision)
    archive.flush()
    found = archive.refusals(AUDITOR, NOW - timedelta(hours=24))
    assert [(one.requestor_name, one.rule, one.times) for one in found] == [
        ("desk", "disclose irma-demo.RU.studentCard.level", 2),
        ("desk", "issue irma-demo.RU.studentCard", 1),
    ]
    assert archive.refusals(AUDITOR, NOW + timedelta(seconds=1)) == ()
    assert sum(hour.failed for hour in archive.hours(AUDITOR, NOW)) == 0
    assert {record.status for record in archive.records(system_actor("tests"))} == {"REFUSED"}


def test_counts_are_for_those_who_may_see_sessions(database: Database) -> None:
    archive = Archive(database, clock=system_clock)
    stranger = Actor(ActorKind.USER, "sam", (Grant(Role.SIGNER),))
    with pytest.raises(PermissionDeniedError):
        archive.hours(stranger, NOW)
    with pytest.raises(PermissionDeniedError):
        archive.refusals(stranger, NOW)
