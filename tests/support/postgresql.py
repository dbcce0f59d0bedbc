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

ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "Europe/Amsterdam"}


class PostgreSQL:
    """A server, which can be stopped and started again; the superuser `irmahub` comes in from the loopback without a password.

    Args:
        directory: holds its data, which is initialised.
        user: whom it runs as, None for ourselves.
    """

    def __init__(self, directory: Path, user: str | None) -> None:
        self.port = free_port()
        self._directory = directory
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with what it held."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self._directory, "fsync": "off"}
        settings |= {"synchronous_commit": "off", "full_page_writes": "off", "max_connections": 60}
        with (self._directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries() / "postgres", "-D", self._directory / "data", *(f"--{name}={value}" for name, value in settings.items())],
                stdout=log,
                stderr=log,
                user=self._user,
                env=ENVIRONMENT,
                cwd=self._directory,
            )
        self._process = process
        wait_until(lambda: process.poll() is not None or self.answers(), "PostgreSQL to start")
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {(self._directory / 'log').read_text()}")

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

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
    server = PostgreSQL(directory, user)
    command = [binaries() / "initdb", "--pgdata", directory / "data", "--username", "irmahub"]
    command += ["--auth", "trust", "--no-sync", "--encoding", "UTF8"]
    try:
        subprocess.run(command, check=True, capture_output=True, user=user, env=ENVIRONMENT, cwd=directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
