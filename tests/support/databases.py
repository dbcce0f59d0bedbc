"""Fixtures with migrated databases, SQLite and PostgreSQL, and Redis."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.database import Database, sqlite_url, upgrade
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.redis import RedisServer, running_redis


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server, which a test empties or stops only if it starts it again."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("migrated") / "irmahub.db"
    upgrade(sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def migrated_postgresql_template(postgresql: PostgreSQL) -> str:
    """The name of a migrated PostgreSQL database to copy from."""
    upgrade(postgresql.create("migrated"))
    return "migrated"


@pytest.fixture
def sqlite_database_url(migrated_sqlite_file: Path, tmp_path: Path) -> str:
    """The address of a migrated, empty SQLite database."""
    path = tmp_path / "irmahub.db"
    shutil.copyfile(migrated_sqlite_file, path)
    return sqlite_url(path)


@pytest.fixture
def postgresql_database_url(postgresql: PostgreSQL, migrated_postgresql_template: str) -> Iterator[str]:
    """The address of a migrated, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgresql.create(name, template=migrated_postgresql_template)
    postgresql.drop(name)


@pytest.fixture
def sqlite_database(sqlite_database_url: str) -> Iterator[Database]:
    """A migrated, empty SQLite database."""
    database = Database(sqlite_database_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database: each test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_database_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database: each test runs on SQLite and on PostgreSQL."""
    opened = Database(database_url)
    yield opened
    opened.close()
