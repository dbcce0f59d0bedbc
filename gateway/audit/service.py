"""Writing, reading and verifying the audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from idemix.clock import Clock, system_clock

from ..actor import Actor
from ..authorization import EVERYTHING, Action, authorize
from ..database import Database
from ..models import AuditEntry, AuditHead
from .chain import FIRST_PREVIOUS_HASH, entry_hash, field_changes

#: Problems of the chain that are listed before the search ends.
MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as pages, API and export show it. Fields as in `gateway.models.AuditEntry`."""

    sequence: int
    at: datetime
    actor_kind: str
    actor_name: str
    user_id: int | None
    address: str | None
    action: str
    object: str
    changes: Mapping[str, list[Any]]
    reason: str | None
    request_id: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """Where the chain does not hold.

    Attributes:
        sequence: the entry at or before which something was changed.
        rule: what does not hold there.
    """

    sequence: int
    rule: str


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The outcome of `Audit.verify`.

    Attributes:
        entries: how many entries were read.
        problems: empty where nothing was edited, deleted or reordered.
    """

    entries: int
    problems: tuple[ChainProblem, ...]

    @property
    def holds(self) -> bool:
        """Whether the chain is whole."""
        return not self.problems


class Audit:
    """The audit of one database.

    Args:
        database: where the entries are.
        clock: tells the time of an entry.
    """

    def __init__(self, database: Database, *, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock

    def record(
        self,
        session: Session,
        actor: Actor,
        action: Action | str,
        object: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> int:
        """Write an entry in the caller's transaction, so that the write and its entry stand or fall together.

        Args:
            session: of the running write.
            actor: who wrote.
            action: what was done.
            object: to what, `kind:name`.
            before, after: the fields of the object; only those that differ are kept. Secrets come as fingerprints.
            reason: why, as the actor gave it.

        Returns:
            The entry's sequence number.
        """
        # The head row is the queue of the writers: on PostgreSQL the second waits here for the first to commit.
        head = session.scalars(select(AuditHead).with_for_update()).one()
        fields: dict[str, Any] = {
            "sequence": head.sequence + 1,
            "at": self._clock(),
            "actor_kind": actor.kind.value,
            "actor_name": actor.name,
            "user_id": actor.user_id,
            "address": actor.address,
            "action": action.value if isinstance(action, Action) else action,
            "object": object,
            "changes": field_changes(before, after),
            "reason": reason or None,
            "request_id": actor.request_id,
            "previous_hash": head.hash,
        }
        entry = AuditEntry(**fields, hash=entry_hash(fields))
        session.add(entry)
        head.sequence, head.hash = entry.sequence, entry.hash
        session.flush()
        return entry.sequence

    def entries(
        self,
        actor: Actor,
        *,
        scope: str = EVERYTHING,
        object: str | None = None,
        action: str | None = None,
        actor_name: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before_sequence: int | None = None,
        limit: int = 50,
    ) -> tuple[Entry, ...]:
        """Read entries, the newest first.

        Args:
            actor: who reads.
            scope: the scope of the object whose entries are read; everything by default.
            object, action, actor_name: exact filters.
            since, until: moments, `until` excluded.
            before_sequence: for the next page, the last sequence of this one.
            limit: of the page, at most 1000.

        Raises:
            PermissionDeniedError: the actor may not read them.
        """
        authorize(actor, Action.AUDIT_VIEW, scope)
        query = select(AuditEntry).order_by(AuditEntry.sequence.desc()).limit(min(limit, 1000))
        if object is not None:
            query = query.where(AuditEntry.object == object)
        if action is not None:
            query = query.where(AuditEntry.action == action)
        if actor_name is not None:
            query = query.where(AuditEntry.actor_name == actor_name)
        if since is not None:
            query = query.where(AuditEntry.at >= since)
        if until is not None:
            query = query.where(AuditEntry.at < until)
        if before_sequence is not None:
            query = query.where(AuditEntry.sequence < before_sequence)
        with self._database.read() as session:
            return tuple(_entry(row) for row in session.scalars(query))

    def verify(self, actor: Actor) -> ChainVerdict:
        """Read the whole chain and tell where it does not hold.

        Raises:
            PermissionDeniedError: the actor may not verify it.
        """
        authorize(actor, Action.AUDIT_VERIFY)
        problems: list[ChainProblem] = []
        previous_sequence, previous_hash = 0, FIRST_PREVIOUS_HASH
        count = 0
        with self._database.read() as session:
            head = session.get(AuditHead, 1)
            for row in session.scalars(select(AuditEntry).order_by(AuditEntry.sequence).execution_options(yield_per=500)):
                count += 1
                if len(problems) >= MOST_PROBLEMS:
                    break
                if row.sequence != previous_sequence + 1:
                    problems.append(ChainProblem(row.sequence, f"the entries after {previous_sequence} and before this one are missing"))
                if row.previous_hash != previous_hash:
                    problems.append(ChainProblem(row.sequence, "its previous_hash is not the hash of the entry before"))
                if row.hash != entry_hash(_fields(row)):
                    problems.append(ChainProblem(row.sequence, "its hash is not the hash of its fields"))
                previous_sequence, previous_hash = row.sequence, row.hash
                session.expunge(row)
        if head is None:
            problems.append(ChainProblem(previous_sequence, "the head of the chain is missing"))
        elif len(problems) < MOST_PROBLEMS and (head.sequence, head.hash) != (previous_sequence, previous_hash):
            problems.append(ChainProblem(previous_sequence, f"the chain should end with entry {head.sequence}"))
        return ChainVerdict(count, tuple(problems))


def _fields(row: AuditEntry) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in AuditEntry.__table__.columns if column.key != "hash"}


def _entry(row: AuditEntry) -> Entry:
    fields = _fields(row)
    del fields["previous_hash"]
    return Entry(**fields, hash=row.hash)
