"""Accumulators, events, records, syncs and roles in SQL.

A chain must never fork, whoever revokes on however many machines. So whatever appends to it first takes the lock of the
accumulator's row (`lock`), reads the head under that lock, and writes in the same transaction; on SQLite the whole database is
locked by then. The primary key of the events would refuse a second link in one place.

Source: irmago `irma/revocation_db.go`.
"""

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idemix.integers import integer_from_bytes, integer_to_bytes
from idemix.revocation import Accumulator, EventList, IssuanceRecord, SignedAccumulator, Update
from idemix.revocation.update import MAX_EVENTS
from idemix.scheme.identifiers import CredentialTypeId

from ..database import Database, prepare_file, sqlite_url
from ..models import Base, RevocationAccumulator, RevocationEvent, RevocationRecord, RevocationRole, RevocationSync
from .settings import TypeSettings

T = TypeVar("T")

_TABLES: Final = (RevocationAccumulator, RevocationEvent, RevocationRecord, RevocationRole, RevocationSync)


def key_hash(credential_type: CredentialTypeId | str, revocation_key: str) -> str:
    """The hash by which records of a revocation key are found: SHA-256 of type and key.

    Requestors take names of people and numbers of citizens for keys; a table, its backups and whoever reads them need not
    hold those. It does not withstand one who guesses keys.
    """
    return hashlib.sha256(f"{credential_type}\0{revocation_key}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest accumulator of one key.

    Attributes:
        signed: the accumulator.
        index: of the last event.
        time: when the issuer vouched for it, Unix seconds.
    """

    signed: SignedAccumulator
    index: int
    time: int


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """How many credentials were issued under a key and are not expired, and how many of them are revoked."""

    records: int = 0
    revoked: int = 0


@dataclass(frozen=True, slots=True)
class RevokedCredential:
    """A credential that was revoked: nothing that tells whose.

    Attributes:
        id: of the record.
        key_counter: the issuer's key.
        issued_ns, revoked_ns, valid_until_ns: Unix nanoseconds.
    """

    id: int
    key_counter: int
    issued_ns: int
    revoked_ns: int
    valid_until_ns: int


class RevocationTables:
    """The tables of revocation.

    Args:
        database: holds them; or opens the database that does, when they are first used.
    """

    def __init__(self, database: Database | Callable[[], Database]) -> None:
        self._source = database
        self._lock = threading.Lock()
        self._opened = database if isinstance(database, Database) else None

    @classmethod
    def temporary(cls) -> "RevocationTables":
        """Tables that end with the process, for verifiers without a database: a file of their own, made when first used."""
        folder = tempfile.TemporaryDirectory(prefix="irmahub-", ignore_cleanup_errors=True)

        def open_file() -> Database:
            path = Path(folder.name) / "revocation.db"
            prepare_file(path)
            database = Database(sqlite_url(path))
            with database.engine.execution_options(irmahub_write=True).begin() as connection:
                tables = [table for kind in _TABLES if isinstance(table := kind.__table__, Table)]
                Base.metadata.create_all(connection, tables=tables)
            return database

        tables = cls(open_file)
        tables._folder = folder
        return tables

    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def database(self) -> Database:
        """The database."""
        with self._lock:
            if self._opened is None:
                if isinstance(self._source, Database):
                    raise TypeError("a database is open from the start")
                self._opened = self._source()
            return self._opened

    @property
    def is_temporary(self) -> bool:
        """Whether they end with the process."""
        return self._folder is not None

    def close(self) -> None:
        """Close a database that was opened here."""
        if not isinstance(self._source, Database) and self._opened is not None:
            self._opened.close()
        if self._folder is not None:
            self._folder.cleanup()

    def write(self, work: Callable[[Session], T]) -> T:
        """Run a write; again where another wrote the same row first, whose row `work` then finds."""
        try:
            return self.database.write(work)
        except IntegrityError:
            return self.database.write(work)

    # Accumulators and events

    def heads(self, type_id: CredentialTypeId) -> dict[int, Head]:
        """The newest accumulators by key counter."""
        with self.database.read() as session:
            return _heads(session, type_id)

    def types(self) -> set[str]:
        """The credential types of which there is an accumulator."""
        with self.database.read() as session:
            return set(session.scalars(select(RevocationAccumulator.credential_type).distinct()))

    def latest(self, type_id: CredentialTypeId, count: int, key_counter: int | None = None) -> dict[int, tuple[Head, Update]]:
        """The newest accumulators by key counter, each with its last events.

        Args:
            type_id: the credential type.
            count: the number of events; 0 for all, of which `MAX_EVENTS` are given at most.
            key_counter: of one key only.
        """
        with self.database.read() as session:
            return {
                counter: (head, _update(session, type_id, head, head.index + 1 - (count or MAX_EVENTS)))
                for counter, head in _heads(session, type_id).items()
                if key_counter in (None, counter)
            }

    def latest_since(self, type_id: CredentialTypeId, known: Mapping[int, tuple[int, int]]) -> dict[int, tuple[Head, Update]]:
        """What is new beside the accumulators that are known by index and time, with the events since; by key counter."""
        with self.database.read() as session:
            return {
                counter: (head, _update(session, type_id, head, known[counter][0] + 1 if counter in known else 0))
                for counter, head in _heads(session, type_id).items()
                if known.get(counter) != (head.index, head.time)
            }

    def events(self, type_id: CredentialTypeId, key_counter: int, start: int, stop: int) -> EventList | None:
        """The events from `start` up to `stop`, as far as there are; None where there are none."""
        with self.database.read() as session:
            return _events(session, type_id, key_counter, start, stop)

    @staticmethod
    def lock(session: Session, type_id: CredentialTypeId) -> dict[int, Head]:
        """Lock the accumulators of a type until the transaction ends, always in the same order; gives them as they are then."""
        return _heads(session, type_id, locked=True)

    @staticmethod
    def append(
        session: Session, type_id: CredentialTypeId, head: Head | None, signed: SignedAccumulator, now: Accumulator, new: EventList | None
    ) -> None:
        """Put an accumulator in the place of the head, and its new events behind the chain.

        Args:
            session: of the write that holds the lock.
            type_id: the credential type.
            head: what is there now; None where nothing is.
            signed, now: the accumulator; it follows on the head, which the caller has verified.
            new: the events that the chain has not yet.

        Raises:
            IntegrityError: somebody else made the first accumulator meanwhile.
        """
        values = {"event_index": now.index, "signed_at": now.time, "signed": signed.data}
        place = {"credential_type": str(type_id), "key_counter": signed.key_counter}
        if head is None:
            session.execute(insert(RevocationAccumulator).values(**place, **values))
        else:
            table = RevocationAccumulator
            changed = session.execute(
                update(table)
                .where(table.credential_type == str(type_id), table.key_counter == signed.key_counter, table.event_index == head.index)
                .values(**values)
                .returning(table.key_counter)
            )
            changed.scalar_one()
        rows = [
            {**place, "event_index": event.index, "prime": integer_to_bytes(event.prime), "parent_hash": event.parent_hash}
            for event in new or ()
        ]
        if rows:
            session.execute(insert(RevocationEvent), rows)

    # Records of issuance

    def add_records(self, records: Iterable[IssuanceRecord]) -> None:
        """Keep records. One that is there already stays as it is, so that a record may come twice."""
        rows = [_record_row(record) for record in records]

        def work(session: Session) -> None:
            for row in rows:
                known = select(RevocationRecord.id).where(
                    RevocationRecord.credential_type == row["credential_type"],
                    RevocationRecord.key_counter == row["key_counter"],
                    RevocationRecord.prime == row["prime"],
                )
                if session.scalar(known) is None:
                    session.execute(insert(RevocationRecord).values(**row))

        self.write(work)

    def withdraw_records(self, records: Iterable[IssuanceRecord]) -> None:
        """Forget records of credentials that nobody got. One that was revoked stays: its prime stands in the chain."""
        rows = [_record_row(record) for record in records]

        def work(session: Session) -> None:
            for row in rows:
                session.execute(
                    delete(RevocationRecord).where(
                        RevocationRecord.credential_type == row["credential_type"],
                        RevocationRecord.key_counter == row["key_counter"],
                        RevocationRecord.prime == row["prime"],
                        RevocationRecord.revoked_ns == 0,
                    )
                )

        self.write(work)

    @staticmethod
    def unrevoked(session: Session, type_id: CredentialTypeId, revocation_key: str, issued_ns: int) -> Sequence[RevocationRecord]:
        """The rows of what was issued under a revocation key and is not revoked, the oldest first; 0 stands for any time of issue."""
        query = select(RevocationRecord).where(
            RevocationRecord.credential_type == str(type_id),
            RevocationRecord.key_hash == key_hash(type_id, revocation_key),
            RevocationRecord.revoked_ns == 0,
        )
        if issued_ns:
            query = query.where(RevocationRecord.issued_ns == issued_ns)
        return session.scalars(query.order_by(RevocationRecord.issued_ns, RevocationRecord.id)).all()

    def delete_expired(self, now_ns: int) -> int:
        """Delete the records of credentials that have expired; gives how many."""

        def work(session: Session) -> int:
            gone = session.execute(delete(RevocationRecord).where(RevocationRecord.valid_until_ns < now_ns).returning(RevocationRecord.id))
            return len(gone.all())

        return self.write(work)

    def counts(self, type_id: CredentialTypeId) -> dict[int, KeyCounts]:
        """How many records there are, by key counter."""
        revoked = func.count().filter(RevocationRecord.revoked_ns > 0)
        query = (
            select(RevocationRecord.key_counter, func.count(), revoked)
            .where(RevocationRecord.credential_type == str(type_id))
            .group_by(RevocationRecord.key_counter)
        )
        with self.database.read() as session:
            return {counter: KeyCounts(records, gone) for counter, records, gone in session.execute(query)}

    def revoked(
        self, type_id: CredentialTypeId, *, key_counter: int | None, before: int | None, limit: int
    ) -> tuple[RevokedCredential, ...]:
        """What was revoked and has not expired, the record with the highest number first; `before` is the number to go on from."""
        query = select(RevocationRecord).where(RevocationRecord.credential_type == str(type_id), RevocationRecord.revoked_ns > 0)
        if key_counter is not None:
            query = query.where(RevocationRecord.key_counter == key_counter)
        if before is not None:
            query = query.where(RevocationRecord.id < before)
        with self.database.read() as session:
            rows = session.scalars(query.order_by(RevocationRecord.id.desc()).limit(limit)).all()
            return tuple(RevokedCredential(**{field.name: getattr(row, field.name) for field in fields(RevokedCredential)}) for row in rows)

    # Syncs

    def synced_at(self, type_id: CredentialTypeId) -> int:
        """When the accumulators were last had from their issuer, Unix seconds; 0 for never."""
        with self.database.read() as session:
            return session.scalar(select(RevocationSync.synced_at).where(RevocationSync.credential_type == str(type_id))) or 0

    def claim_sync(self, type_id: CredentialTypeId, now: int, until: int) -> bool:
        """Take the work of fetching for oneself until a moment; False where another process has it."""

        def work(session: Session) -> bool:
            row = session.get(RevocationSync, str(type_id), with_for_update=True)
            if row is None:
                session.add(RevocationSync(credential_type=str(type_id), synced_at=0, claimed_until=until))
            elif row.claimed_until > now:
                return False
            else:
                row.claimed_until = until
            session.flush()
            return True

        return self.write(work)

    def note_sync(self, type_id: CredentialTypeId, at: int) -> None:
        """Note that the accumulators were had from their issuer, and give the work back."""

        def work(session: Session) -> None:
            row = session.get(RevocationSync, str(type_id), with_for_update=True)
            if row is None:
                session.add(RevocationSync(credential_type=str(type_id), synced_at=at, claimed_until=0))
            else:
                row.synced_at, row.claimed_until = max(row.synced_at, at), 0

        self.write(work)

    # Roles

    def roles(self) -> dict[CredentialTypeId, TypeSettings]:
        """The roles that this installation was given."""
        names = [field.name for field in fields(TypeSettings)]
        with self.database.read() as session:
            return {
                CredentialTypeId(row.credential_type): TypeSettings(**{name: getattr(row, name) for name in names})
                for row in session.scalars(select(RevocationRole))
            }

    @staticmethod
    def set_role(session: Session, type_id: CredentialTypeId, settings: TypeSettings | None, now: datetime) -> TypeSettings | None:
        """Give the installation a role, or take it away; gives the role that it had."""
        row = session.get(RevocationRole, str(type_id), with_for_update=True)
        before = None if row is None else TypeSettings(**{field.name: getattr(row, field.name) for field in fields(TypeSettings)})
        if row is not None:
            session.delete(row)
            session.flush()
        if settings is not None:
            session.add(RevocationRole(credential_type=str(type_id), changed_at=now, **asdict(settings)))
        return before


def _heads(session: Session, type_id: CredentialTypeId, *, locked: bool = False) -> dict[int, Head]:
    query = select(RevocationAccumulator).where(RevocationAccumulator.credential_type == str(type_id))
    query = query.order_by(RevocationAccumulator.key_counter)
    if locked:
        query = query.with_for_update().execution_options(populate_existing=True)
    return {
        row.key_counter: Head(SignedAccumulator(row.signed, row.key_counter), row.event_index, row.signed_at)
        for row in session.scalars(query)
    }


def _update(session: Session, type_id: CredentialTypeId, head: Head, start: int) -> Update:
    """An accumulator with the events from an index on that lead to it."""
    return Update(head.signed, _events(session, type_id, head.signed.key_counter, start, head.index + 1))


def _events(session: Session, type_id: CredentialTypeId, key_counter: int, start: int, stop: int) -> EventList | None:
    # One row tells where the list begins; the others' hashes follow from it.
    query = (
        select(RevocationEvent.event_index, RevocationEvent.prime, RevocationEvent.parent_hash)
        .where(
            RevocationEvent.credential_type == str(type_id),
            RevocationEvent.key_counter == key_counter,
            RevocationEvent.event_index >= max(start, 0),
            RevocationEvent.event_index < stop,
        )
        .order_by(RevocationEvent.event_index)
        .limit(MAX_EVENTS)
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    return EventList(rows[0].event_index, rows[0].parent_hash, tuple(integer_from_bytes(row.prime) for row in rows))


def _record_row(record: IssuanceRecord) -> dict[str, object]:
    """A record as it is kept. That it was revoked already is nothing that an issuer may say."""
    return {
        "credential_type": record.credential_type,
        "key_counter": record.key_counter,
        "key_hash": key_hash(record.credential_type, record.revocation_key),
        "prime": integer_to_bytes(record.prime),
        "issued_ns": record.issued_ns,
        "valid_until_ns": record.valid_until_ns,
        "revoked_ns": 0,
    }
