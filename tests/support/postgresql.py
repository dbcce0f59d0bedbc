"""A PostgreSQL server of the tests' own, in a temporary directory."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.processes import free_port, unprivileged_user, wait_until


class PostgreSQL:
    """A running server; the superuser `irmahub` comes in from the loopback without a password."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://irmahub@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Make a database, as a copy of another, and return its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def answers(self) -> bool:
        """Whether the server takes connections."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def binaries() -> Path:
    """Where initdb and postgres are; Debian keeps them outside the path."""
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists():
            return candidate
    raise RuntimeError("PostgreSQL is not installed")


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run a server for as long as the context lasts."""
    # Not below pytest's own directory: that one is for our user alone, and the server runs as another.
    directory = Path(tempfile.mkdtemp(prefix="irmahub-postgresql-"))
    user = unprivileged_user()
    if user is not None:
        shutil.chown(directory, user)
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "Europe/Amsterdam"}
    server = PostgreSQL(free_port())
    try:
        subprocess.run(
            [
                binaries() / "initdb",
                "--pgdata",
                directory / "data",
                "--username",
                "irmahub",
                "--auth",
                "trust",
                "--no-sync",
                "--encoding",
                "UTF8",
            ],
            check=True,
            capture_output=True,
            user=user,
            env=environment,
            cwd=directory,
        )
        settings = {"listen_addresses": "127.0.0.1", "port": server.port, "unix_socket_directories": directory, "fsync": "off"}
        settings |= {"synchronous_commit": "off", "full_page_writes": "off", "max_connections": 60}
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries() / "postgres", "-D", directory / "data", *(f"--{name}={value}" for name, value in settings.items())],
                stdout=log,
                stderr=log,
                user=user,
                env=environment,
                cwd=directory,
            )
            try:
                wait_until(lambda: process.poll() is not None or server.answers(), "PostgreSQL to start")
                if process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {(directory / 'log').read_text()}")
                yield server
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
