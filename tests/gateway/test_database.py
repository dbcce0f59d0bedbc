"""Transactions, migrations, and that both databases hold the tables that the code declares."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from gateway.changes import Topic
from gateway.database import (
    Database,
    DatabaseError,
    RepeatedRead,
    check_revision,
    current_revision,
    migrations_directory,
    newest_revision,
    normalised_url,
    sqlite_url,
    upgrade,
)
from gateway.models import Base, Change, Organisation
from tests.support.clock import START


def organisation(name: str, created_at: datetime = START) -> Organisation:
    return Organisation(name=name, created_at=created_at)


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Organisation.name).order_by(Organisation.name)))


def test_tables_are_those_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_indexes_and_their_conditions_are_those_of_the_models(database: Database) -> None:
    """Partial indexes escape the comparison of Alembic, so the one there is gets a look of its own."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            query = "SELECT sql FROM sqlite_master WHERE name = 'uq_jobs_serial_running'"
        else:
            query = "SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_jobs_serial_running'"
        definition = connection.execute(text(query)).scalar_one()
    assert "UNIQUE" in definition
    assert "'running'" in definition


def test_migrations_are_one_numbered_line() -> None:
    script = ScriptDirectory(str(migrations_directory()))
    revisions = list(script.walk_revisions())[::-1]
    assert [revision.revision for revision in revisions] == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert script.get_heads() == [revisions[-1].revision]
    assert all(Path(revision.path).name.startswith(f"{revision.revision}_") for revision in revisions)


def test_each_migration_is_a_step_of_its_own(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "steps.db")
    for number in range(1, int(newest_revision()) + 1):
        upgrade(url, f"{number:04}")
        assert current_revision(url) == f"{number:04}"


def test_a_connection_in_use_is_closed_when_it_is_given_back(database_url: str) -> None:
    database = Database(database_url)
    with database.read() as session:
        used = session.connection().connection.dbapi_connection
        assert used is not None
        session.execute(text("SELECT 1"))
        database.close()
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    with database.read() as session:
        late = session.connection().connection.dbapi_connection
        assert late is not None
    for connection in (used, late):
        with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError)):
            connection.cursor().execute("SELECT 1")


def test_upgrade_can_be_repeated_and_done_by_several_at_once(postgresql_database_url: str, tmp_path: Path) -> None:
    for url in (postgresql_database_url, sqlite_url(tmp_path / "new.db")):
        failures: list[BaseException] = []

        def run(url: str = url, failures: list[BaseException] = failures) -> None:
            try:
                upgrade(url)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert current_revision(url) == newest_revision()


def test_old_database_is_refused_with_the_command(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "old.db")
    upgrade(url, "0003")
    with pytest.raises(DatabaseError, match=r"at migration 0003, this version needs .* `irmahub db upgrade`"):
        check_revision(url)


def test_every_topic_has_its_counter(database: Database) -> None:
    with database.read() as session:
        assert set(session.scalars(select(Change.topic))) == {topic.value for topic in Topic}


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///", "nonsense", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(DatabaseError, match="must begin with"):
        normalised_url(url)


def test_write_commits_and_read_sees(database: Database) -> None:
    assert database.write(lambda session: session.add(organisation("a")) or 7) == 7
    assert names(database) == ["a"]


def test_failed_write_leaves_nothing(database: Database) -> None:
    def work(session: Session) -> None:
        session.add(organisation("a"))
        session.flush()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.write(work)
    assert names(database) == []


def test_read_cannot_write(database: Database) -> None:
    with database.read() as session:
        session.add(organisation("a"))
        with pytest.raises(DBAPIError):
            session.flush()
    assert names(database) == []
    database.write(lambda session: session.add(organisation("b")))
    assert names(database) == ["b"]


def test_write_inside_a_write_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="inside another"):
        database.write(lambda _session: database.write(lambda _inner: None))
    database.write(lambda session: session.add(organisation("after")))
    assert names(database) == ["after"]


def test_moments_come_back_aware_in_utc(database: Database) -> None:
    amsterdam = timezone(timedelta(hours=2))
    database.write(lambda session: session.add(organisation("a", datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=amsterdam))))
    with database.read() as session:
        read = session.scalars(select(Organisation.created_at)).one()
        assert read == datetime(2026, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)
        assert read.tzinfo is UTC


def test_moment_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        database.write(lambda session: session.add(organisation("a", datetime(2026, 7, 1, 12))))


def test_moments_sort_by_time(database: Database) -> None:
    moments = [START + timedelta(microseconds=offset) for offset in (5, 0, 1_000_000, -1)]
    database.write(lambda session: session.add_all(organisation(str(index), moment) for index, moment in enumerate(moments)))
    with database.read() as session:
        assert list(session.scalars(select(Organisation.created_at).order_by(Organisation.created_at))) == sorted(moments)
        assert session.scalars(select(Organisation.name).where(Organisation.created_at < START)).all() == ["3"]


def test_foreign_keys_are_enforced(database: Database) -> None:
    insert = text("INSERT INTO role_grants (user_id, role, scope, granted_at) VALUES (99, 'admin', '*', '2026-01-01 00:00:00')")
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        database.write(lambda session: session.execute(insert))


def test_writers_at_once_lose_nothing(database: Database) -> None:
    """Each reads and then writes one more: with a lock taken late, some would overwrite others or fail."""

    def add_one(session: Session) -> None:
        change = session.scalars(select(Change).where(Change.topic == "jobs").with_for_update()).one()
        change.counter += 1

    failures: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(20):
                database.write(add_one)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert session.scalars(select(Change.counter).where(Change.topic == "jobs")).one() == 80


def test_locked_sqlite_is_tried_again(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.database.BUSY_TIMEOUT_MS", 1)
    database = Database(sqlite_database.url)
    blocker = sqlite3.connect(sqlite_database.url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    tried: list[float] = []

    def release(seconds: float) -> None:
        tried.append(seconds)
        if len(tried) == 2:
            blocker.execute("COMMIT")

    monkeypatch.setattr("gateway.database.time.sleep", release)
    database.write(lambda session: session.add(organisation("a")))
    assert len(tried) == 2
    assert names(database) == ["a"]
    blocker.close()
    database.close()


def test_deadlock_on_postgresql_is_tried_again(postgresql_database_url: str) -> None:
    database = Database(postgresql_database_url)
    database.write(lambda session: session.add_all([organisation("a"), organisation("b")]))
    barrier = threading.Barrier(2)
    attempts: list[str] = []

    def lock_both(first: str, second: str) -> None:
        def work(session: Session) -> None:
            attempts.append(first)
            session.scalars(select(Organisation).where(Organisation.name == first).with_for_update()).one()
            if attempts.count(first) == 1:
                barrier.wait(20)
            session.scalars(select(Organisation).where(Organisation.name == second).with_for_update()).one()

        database.write(work)

    threads = [threading.Thread(target=lock_both, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(attempts) == 3
    database.close()


def test_sqlite_runs_as_designed(sqlite_database: Database) -> None:
    with sqlite_database.read() as session:
        pragmas = {name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000}


def test_repeated_read_sees_each_commit_and_connects_anew(database: Database) -> None:
    reading = RepeatedRead(database, select(Organisation.name).order_by(Organisation.name))
    assert reading.rows() == []
    database.write(lambda session: session.add(organisation("one")))
    assert [tuple(row) for row in reading.rows()] == [("one",)]
    if not database.is_sqlite:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        database.write(lambda session: session.execute(text(others)))
        with pytest.raises(psycopg.OperationalError):
            reading.rows()
    database.write(lambda session: session.add(organisation("two")))
    assert [tuple(row) for row in reading.rows()] == [("one",), ("two",)]
    reading.close()
