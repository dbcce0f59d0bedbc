"""Writing the archive in batches beside the requests, and reading it."""

import hashlib
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Select, Table, case, delete, func, select
from sqlalchemy import insert as sql_insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session as SqlSession

from idemix.clock import Clock, system_clock
from idemix.request import RequestorRequest
from idemix.session.session import Session
from idemix.session.status import Status
from idemix.verification import ProofStatus

from ..actor import Actor
from ..authorization import Action, organisations_within
from ..database import Database
from ..inputs import NotFoundError
from ..metrics import ARCHIVE_LOST, ARCHIVE_WAITING
from ..models import Requestor, SessionEvent, SessionRecord
from ..permissions import Decision
from ..request_id import current_request_id
from ..requestors.constraints import Check
from .redaction import redacted_request

_log = logging.getLogger(__name__)

#: Events kept in memory until they are written; what comes on top is lost, and counted.
QUEUE_SIZE: Final = 20_000

#: Events in one transaction.
BATCH_SIZE: Final = 500

#: How long an event waits for others of its batch, and how long a batch waits after the database refused it, in seconds.
BATCH_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 1.0

TOKEN_PREFIX: Final = 4

#: The status of a request that became no session.
REFUSED: Final = "REFUSED"

#: PostgreSQL's advisory lock of the batches; the number is ours alone.
_LOCK: Final = 7316002

_RECORDS: Final = cast(Table, SessionRecord.__table__)
_EVENTS: Final = cast(Table, SessionEvent.__table__)


@dataclass(frozen=True, slots=True)
class EventInfo:
    """An event of a session."""

    at: datetime
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """A session as pages and API show it. Fields as in `gateway.models.SessionRecord`; `events` only where one session was asked for."""

    id: int
    token_prefix: str
    requestor_name: str
    action: str
    request: Mapping[str, Any]
    status: str
    proof_status: str | None
    error: str | None
    started_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    request_id: str | None
    events: tuple[EventInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class HourCount:
    """How the sessions ended that started within one hour; those still open count as none of the three.

    Attributes:
        start: the beginning of the hour.
        done: finished, with a valid proof.
        cancelled: cancelled by a person, or timed out.
        failed: ended by an error, or with a proof that is not valid.
    """

    start: datetime
    done: int
    cancelled: int
    failed: int


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """Requests of one requestor that one missing permission refused: `rule` is its kind and what it should have named."""

    requestor_name: str
    rule: str
    times: int


@dataclass(frozen=True, slots=True)
class _Noted:
    """An event on its way: the session as it was then."""

    session: Session
    at: datetime
    is_start: bool


@dataclass(frozen=True, slots=True)
class _Refused:
    """A request on its way that became no session: its row."""

    row: dict[str, Any]


class Archive:
    """The archive of one database.

    Args:
        database: where it is written.
        clock: tells the time of events.
        queue_size: how many events may wait.
    """

    def __init__(self, database: Database, *, clock: Clock = system_clock, queue_size: int = QUEUE_SIZE) -> None:
        self._database = database
        self._clock = clock
        self.queue_size = queue_size
        self._queue: queue.Queue[_Noted | _Refused | None] = queue.Queue(queue_size)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._lost = 0

    @property
    def lost(self) -> int:
        """How many events were lost because the queue was full."""
        return self._lost

    @property
    def waiting(self) -> int:
        """About how many events are not written yet."""
        return self._queue.qsize()

    @property
    def is_alive(self) -> bool:
        """Whether events are being written."""
        return self._thread is not None and self._thread.is_alive()

    def session_started(self, session: Session) -> None:
        """Note a new session. Returns at once."""
        self._note(_Noted(session, self._clock(), is_start=True))

    def session_changed(self, session: Session) -> None:
        """Note that a session has another status. Returns at once."""
        self._note(_Noted(session, self._clock(), is_start=False))

    def request_refused(self, requestor_name: str, request: RequestorRequest, decision: Decision | Check) -> None:
        """Note a request that a missing permission, a limit or a constraint refused. Returns at once."""
        now = self._clock()
        row = {
            # No session, so no token; the random hash only tells rows apart.
            "token_hash": secrets.token_hex(32),
            "token_prefix": "",
            "requestor_name": requestor_name,
            "action": request.request.action.value,
            "request": redacted_request(request),
            "status": REFUSED,
            "error": decision.label[:64],
            "request_id": current_request_id() or None,
            "revision": 0,
            "started_at": now,
            "ended_at": now,
        }
        self._note(_Refused(row))

    def _note(self, noted: _Noted | _Refused) -> None:
        try:
            self._queue.put_nowait(noted)
        except queue.Full:
            self._lose(1)

    def _lose(self, events: int) -> None:
        with self._lock:
            self._lost += events
        ARCHIVE_LOST.inc(events)

    def start(self) -> None:
        """Start writing, in a thread. Call it after a fork."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._write_batches, name="archive", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, and end the thread. A batch that the database refuses now is lost, and counted."""
        if self._thread is not None:
            self._stopping.set()
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def flush(self) -> None:
        """Write what is waiting, in the calling thread; for a process without `start`, such as a command."""
        while batch := self._take():
            self._write(batch)

    def _write_batches(self) -> None:
        while (batch := self._wait_for_batch()) or not self._stopping.is_set():
            while batch:
                ARCHIVE_WAITING.set(self.waiting)
                try:
                    self._write(batch)
                    batch = []
                except Exception:
                    # The database may be away; the batch is kept, and the queue holds what comes meanwhile.
                    _log.exception("%d events of the archive could not be written", len(batch))
                    if self._stopping.wait(RETRY_SECONDS):
                        self._lose(len(batch))
                        batch = []

    def _wait_for_batch(self) -> list[_Noted | _Refused]:
        """Wait for an event, and take it with those that come soon after. Once the archive stops, take what is left without waiting."""
        first = None if self._stopping.is_set() else self._queue.get()
        if self.waiting < BATCH_SIZE:
            self._stopping.wait(BATCH_SECONDS)
        return self._take() if first is None else [first, *self._take()]

    def _take(self) -> list[_Noted | _Refused]:
        """Take what is waiting, at most a batch."""
        batch: list[_Noted | _Refused] = []
        with suppress(queue.Empty):
            while len(batch) < BATCH_SIZE:
                noted = self._queue.get_nowait()
                if noted is not None:
                    batch.append(noted)
        return batch

    def _write(self, taken: list[_Noted | _Refused]) -> None:
        refused = [noted.row for noted in taken if isinstance(noted, _Refused)]
        if refused:
            insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
            self._database.write(lambda session: session.execute(insert(SessionRecord).on_conflict_do_nothing(), refused))
        records: dict[str, dict[str, Any]] = {}
        events: list[tuple[str, dict[str, Any]]] = []
        for noted in taken:
            if isinstance(noted, _Noted):
                token = noted.session.requestor_token
                if token not in records:
                    records[token] = _new_record(noted)
                _bring_up_to_date(records[token], noted)
                events.append((records[token]["token_hash"], _event(noted)))
        if records:
            self._database.write(lambda session: _write_batch(session, self._database.is_sqlite, list(records.values()), events))

    # Reading.

    def records(
        self,
        actor: Actor,
        *,
        requestor_name: str | None = None,
        action: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        request_id: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> tuple[RecordInfo, ...]:
        """List sessions that the actor may see, the newest first.

        Args:
            actor: who looks.
            requestor_name, action, status, request_id: exact filters.
            since, until: of the start, `until` excluded.
            before_id: for the next page, the last id of this one.
            limit: of the page, at most 1000.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        query = _visible(actor).order_by(SessionRecord.id.desc()).limit(min(limit, 1000))
        for column, value in (
            (SessionRecord.requestor_name, requestor_name),
            (SessionRecord.action, action),
            (SessionRecord.status, status),
            (SessionRecord.request_id, request_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if since is not None:
            query = query.where(SessionRecord.started_at >= since)
        if until is not None:
            query = query.where(SessionRecord.started_at < until)
        if before_id is not None:
            query = query.where(SessionRecord.id < before_id)
        with self._database.read() as session:
            return tuple(_info(row) for row in session.scalars(query))

    def record(self, actor: Actor, record_id: int) -> RecordInfo:
        """Look at one session with its events.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
            NotFoundError: there is no such session, or none that the actor may see.
        """
        with self._database.read() as session:
            row = session.scalar(_visible(actor).where(SessionRecord.id == record_id))
            if row is None:
                raise NotFoundError("session", record_id)
            return _info(row, tuple(EventInfo(event.at, event.kind, event.detail) for event in row.events))

    def hours(self, actor: Actor, until: datetime, count: int = 24) -> tuple[HourCount, ...]:
        """Count the sessions that the actor may see, hour by hour, counted by the database.

        Args:
            actor: who looks.
            until: a moment within the last hour.
            count: of hours.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        last = until.replace(minute=0, second=0, microsecond=0)
        starts = [last - timedelta(hours=count - 1 - position) for position in range(count)]
        bucket = case(*((SessionRecord.started_at < start, position) for position, start in enumerate(starts[1:])), else_=count - 1)
        ended = case(
            (
                SessionRecord.status == Status.DONE.value,
                case((SessionRecord.proof_status == ProofStatus.VALID.value, "done"), else_="failed"),
            ),
            (SessionRecord.error.is_not(None), "failed"),
            (SessionRecord.status.in_((Status.CANCELLED.value, Status.TIMEOUT.value)), "cancelled"),
            else_="open",
        )
        visible = _visible(actor).where(SessionRecord.started_at >= starts[0], SessionRecord.status != REFUSED)
        found = visible.with_only_columns(bucket.label("hour"), ended.label("ended")).order_by(None).subquery()
        query = select(found.c.hour, found.c.ended, func.count()).group_by(found.c.hour, found.c.ended)
        with self._database.read() as session:
            counts = {(hour, how): number for hour, how, number in session.execute(query)}
        return tuple(
            HourCount(start, *(counts.get((position, how), 0) for how in ("done", "cancelled", "failed")))
            for position, start in enumerate(starts)
        )

    def refusals(self, actor: Actor, since: datetime, limit: int = 10) -> tuple[RefusalCount, ...]:
        """Count the refused requests that the actor may see, per requestor and missing permission, the most frequent first.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        refused = _visible(actor).where(SessionRecord.started_at >= since, SessionRecord.status == REFUSED)
        found = refused.with_only_columns(SessionRecord.requestor_name, SessionRecord.error).order_by(None).subquery()
        times = func.count()
        query = select(found.c.requestor_name, found.c.error, times).group_by(found.c.requestor_name, found.c.error)
        with self._database.read() as session:
            return tuple(RefusalCount(*row) for row in session.execute(query.order_by(times.desc(), found.c.requestor_name).limit(limit)))

    def forget(self, before: datetime) -> int:
        """Remove sessions that started before a moment: the retention of the installation.

        Returns:
            How many were removed.
        """
        removed = 0
        while True:

            def work(session: SqlSession) -> int:
                old = session.scalars(select(SessionRecord.id).where(SessionRecord.started_at < before).limit(BATCH_SIZE)).all()
                session.execute(delete(SessionRecord).where(SessionRecord.id.in_(old)))
                return len(old)

            count = self._database.write(work)
            removed += count
            if count < BATCH_SIZE:
                return removed


def _new_record(noted: _Noted) -> dict[str, Any]:
    """The row of a session, without what its events tell."""
    session = noted.session
    return {
        "token_hash": hashlib.sha256(session.requestor_token.encode()).hexdigest(),
        "token_prefix": session.requestor_token[:TOKEN_PREFIX],
        "requestor_name": session.requestor,
        "action": session.request.request.action.value,
        "request": redacted_request(session.request),
        "request_id": session.request_id or None,
        "revision": -1,
        "started_at": noted.at,
        "connected_at": None,
        "ended_at": None,
    }


def _bring_up_to_date(row: dict[str, Any], noted: _Noted) -> None:
    """Write an event into the row of its session."""
    session = noted.session
    if noted.is_start:
        row["started_at"] = min(row["started_at"], noted.at)
    elif session.status in (Status.CONNECTED, Status.PAIRING):
        row["connected_at"] = row["connected_at"] or noted.at
    elif session.status.is_finished:
        row["ended_at"] = row["ended_at"] or noted.at
    if session.revision >= row["revision"]:
        row["revision"] = session.revision
        row["status"] = session.status.value
        row["proof_status"] = None if session.proof_status is None else session.proof_status.value
        row["error"] = _error(session)


def _event(noted: _Noted) -> dict[str, Any]:
    session = noted.session
    detail: dict[str, Any] = {"status": session.status.value}
    if session.version is not None:
        detail["version"] = str(session.version)
    if session.proof_status is not None:
        detail["proofStatus"] = session.proof_status.value
    if session.error is not None:
        detail["error"] = _error(session)
    return {"at": noted.at, "kind": "started" if noted.is_start else session.status.value.lower(), "detail": detail}


def _error(session: Session) -> str | None:
    """The code of the error; its message may quote what was sent."""
    return None if session.error is None else str(session.error.get("error", ""))[:64]


def _write_batch(session: SqlSession, is_sqlite: bool, records: list[dict[str, Any]], events: list[tuple[str, dict[str, Any]]]) -> None:
    """Write the rows of sessions, in the order of their coming, which the ids then tell, and their events by the hash of the token."""
    if not is_sqlite:
        # One batch at a time, as in SQLite: two that hold the same sessions in different orders would wait for each other.
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    written = session.execute(_UPSERTS[is_sqlite], records)
    ids = {token_hash: record_id for record_id, token_hash in written}
    session.execute(sql_insert(_EVENTS), [{"record_id": ids[token_hash], **event} for token_hash, event in events])


def _upsert(insert: Callable[[Table], Any]) -> Any:
    """Insert rows of sessions, or join them with what an earlier batch, or another process, wrote of the same sessions.

    Another process may have written a later event first; then its row tells how the session stands.
    """
    statement = insert(_RECORDS)
    old, new = _RECORDS.c, statement.excluded
    is_newer = new.revision > old.revision
    joined: dict[str, ColumnElement[Any]] = {
        name: case((is_newer, new[name]), else_=old[name]) for name in ("revision", "status", "proof_status", "error")
    }
    joined["started_at"] = case((new.started_at < old.started_at, new.started_at), else_=old.started_at)
    joined |= {name: func.coalesce(old[name], new[name]) for name in ("connected_at", "ended_at")}
    return statement.on_conflict_do_update(index_elements=[old.token_hash], set_=joined).returning(old.id, old.token_hash)


#: By whether the database is SQLite.
_UPSERTS: Final = {True: _upsert(sqlite_insert), False: _upsert(postgresql_insert)}


def _visible(actor: Actor) -> Select[SessionRecord]:
    """Select what the actor may see: everything, or the sessions of the requestors of its organisations."""
    organisations = organisations_within(actor, Action.SESSION_VIEW)
    if organisations is None:
        return select(SessionRecord)
    names = select(Requestor.name).where(Requestor.organisation_id.in_(organisations))
    return select(SessionRecord).where(SessionRecord.requestor_name.in_(names))


def _info(row: SessionRecord, events: tuple[EventInfo, ...] = ()) -> RecordInfo:
    return RecordInfo(
        id=row.id,
        token_prefix=row.token_prefix,
        requestor_name=row.requestor_name,
        action=row.action,
        request=row.request,
        status=row.status,
        proof_status=row.proof_status,
        error=row.error,
        started_at=row.started_at,
        connected_at=row.connected_at,
        ended_at=row.ended_at,
        request_id=row.request_id,
        events=events,
    )
