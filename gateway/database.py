"""SQL: short transactions that behave alike on SQLite and PostgreSQL, and the migrations.

SQLite runs in WAL mode with foreign keys on and a busy timeout; a write starts with BEGIN IMMEDIATE, so that it queues at its
start and never fails half-way for a lock. PostgreSQL runs in READ COMMITTED; where two writes must not cross, the row that they
share is locked. Either is retried when the database gave up on a lock.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection, SelectBase, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

#: How long SQLite waits for the lock of another writer, in milliseconds.
BUSY_TIMEOUT_MS: Final = 5_000

#: How often a write is tried before the lock's error goes to the caller.
WRITE_ATTEMPTS: Final = 5

#: PostgreSQL: serialization_failure, deadlock_detected.
_RETRIED_SQLSTATES: Final = frozenset({"40001", "40P01"})

_in_write: ContextVar[bool] = ContextVar("irmahub_in_write", default=False)


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says what to do."""


class Database:
    """The tables of one database.

    Attributes:
        write_sessions: makes the sessions of writes; listeners to their commits are set on it.

    Args:
        url: SQLAlchemy's, `sqlite:////path/irmahub.sqlite3` or `postgresql://user@host/name`; psycopg 3 is used.
        pool_size: connections kept open for PostgreSQL.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = normalised_url(url)
        self.engine = _engine(self.url, pool_size)
        self._read_sessions = sessionmaker(
            self.engine.execution_options(irmahub_write=False, postgresql_readonly=True), expire_on_commit=False
        )
        self.write_sessions = sessionmaker(self.engine.execution_options(irmahub_write=True), expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that sees one state and cannot write."""
        with self._read_sessions() as session:
            yield session

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one short write transaction and commit it.

        `work` is run again where the database gave up on a lock: it touches nothing outside the session, does no slow work
        (no key generation, no network) and opens no other write.

        Args:
            work: takes the session, gives what the caller needs; rows must not leave it, their values may.

        Returns:
            What `work` returned.

        Raises:
            RuntimeError: called inside another write, which would wait for itself.
        """
        if _in_write.get():
            raise RuntimeError("a write transaction was opened inside another one")
        mark = _in_write.set(True)
        try:
            for attempt in range(1, WRITE_ATTEMPTS + 1):
                try:
                    with self.write_sessions.begin() as session:
                        return work(session)
                except DBAPIError as error:
                    if attempt == WRITE_ATTEMPTS or not _is_lock_error(error):
                        raise
                # Two writers that met do not meet again at the same moment.
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, no secret
            raise AssertionError("unreachable")
        finally:
            _in_write.reset(mark)

    def close(self) -> None:
        """Close all connections; one that a thread still uses is closed when it is given back."""
        event.listen(self.engine, "checkin", lambda _connection, entry: entry.invalidate())
        self.engine.dispose()


class RepeatedRead:
    """Reads the same rows again and again, over a connection of its own: a transaction for each reading costs ten times as much.

    For one thread, which closes it.

    Args:
        database: where the rows are.
        query: what is read; it takes no values.
    """

    def __init__(self, database: Database, query: SelectBase) -> None:
        self._engine = database.engine
        self._sql = str(query.compile(self._engine))
        self._connection: PoolProxiedConnection | None = None

    def rows(self) -> list[Any]:
        """Read as it stands now. After an error, the next reading connects anew."""
        try:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            cursor = self._connection.cursor()
            cursor.execute(self._sql)
            found = list(cursor.fetchall())
            cursor.close()
            self._connection.rollback()
        except Exception:
            if self._connection is not None:
                self._connection.invalidate()
                self._connection = None
            raise
        return found

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def normalised_url(url: str) -> str:
    """Name the driver that we use: `postgres://` and `postgresql://` become `postgresql+psycopg://`.

    Raises:
        DatabaseError: another kind of database.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if separator and scheme == "sqlite" and rest.strip("/"):
        return url
    raise DatabaseError("the database address must begin with sqlite:/// and name a file, or begin with postgresql://")


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file."""
    return f"sqlite:///{path.absolute()}"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for another kind."""
    parsed = make_url(normalised_url(url))
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the tables to a migration, by default the newest. Safe to run again, and by several processes at once."""
    from alembic import command

    normalised = normalised_url(url)
    engine = _engine(normalised, pool_size=1)
    try:
        _migrating(engine, lambda connection: command.upgrade(_alembic_config(connection), revision))
    finally:
        engine.dispose()


def current_revision(url: str) -> str | None:
    """The migration that the tables are at; None for an empty database, and for a SQLite file that is not there."""
    from alembic.migration import MigrationContext

    file = sqlite_file(url)
    if file is not None and not file.exists():
        # Looking would make it.
        return None
    engine = _engine(normalised_url(url), pool_size=1)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def newest_revision() -> str:
    """The newest migration that this version of the software brings."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory(str(migrations_directory())).get_current_head()
    if head is None:
        raise DatabaseError("this installation brings no migrations")
    return head


def check_revision(url: str) -> None:
    """Demand that the tables are at the newest migration.

    Raises:
        DatabaseError: they are not; the message names the command that brings them there.
    """
    current, newest = current_revision(url), newest_revision()
    if current != newest:
        raise DatabaseError(f"the database is at migration {current or 'none'}, this version needs {newest}: run `irmahub db upgrade`")


def migrations_directory() -> Path:
    """Where the migrations lie: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    for candidate in (package / "migrations", package.parent / "migrations"):
        if (candidate / "env.py").is_file():
            return candidate
    raise DatabaseError("the migrations are missing from this installation")


def _alembic_config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrating(engine: Engine, work: Callable[[Connection], None]) -> None:
    """Run a migration in one transaction that no other migration enters."""
    with engine.execution_options(irmahub_write=True).connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            # An advisory lock of the transaction; the number is ours alone.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7316001)")
        work(connection)


def _engine(url: str, pool_size: int) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver would start transactions by itself, and late; we start them (`_begin_sqlite`).
    connection.isolation_level = None
    cursor = connection.cursor()
    # Changing the journal mode needs a moment without other users; a file that is in WAL mode already stays in it.
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # Deleted rows are overwritten: what was removed, an old envelope say, is gone from the file.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("irmahub_write", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_lock_error(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.OperationalError):
        return isinstance(error, OperationalError) and error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _RETRIED_SQLSTATES


def prepare_file(path: Path) -> None:
    """Make the directory and the file of a SQLite database readable by their owner alone; SQLite gives its side files the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
