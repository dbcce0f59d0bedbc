"""An installation of the console in a temporary folder: services, the web root over HTTP, schemes in bare repositories."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from console.publishing.git import Repository, Signature
from console.publishing.public import create_blueprint
from console.services import Services, build_services
from console.settings import ConsoleSettings
from console.worker import run_until_idle
from gateway.actor import Actor, ActorKind, Grant, Role
from gateway.database import sqlite_url
from gateway.scheme_files import read_tree
from idemix.clock import Clock, system_clock
from idemix.scheme.verify import verify_scheme
from tests.support.shared import shared

#: When the recorded schemes are judged, so that no key of theirs expires meanwhile.
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class QuietHandler(WSGIRequestHandler):
    """Serves without a line for each file."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


class MovingClock:
    """A clock that a test moves; it runs on by the machine's own from where it was set."""

    def __init__(self, start: datetime = NOW) -> None:
        self._offset = start - system_clock()

    def __call__(self) -> datetime:
        return system_clock() + self._offset

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self._offset += by


@dataclass(frozen=True)
class Installation:
    """Services, their clock, and the address of their web root."""

    services: Services
    clock: MovingClock
    directory: Path

    def run_jobs(self) -> int:
        """Run what a worker would run now."""
        return run_until_idle(self.services)

    def scheme_repository(self, source: Path, name: str = "remote") -> Path:
        """A bare repository with a scheme as its only commit."""
        repository = Repository.create(self.directory / f"{name}.git")
        commit = repository.commit(repository.write(read_tree(source)), [], "Begin", Signature("somebody", "a@b.example", NOW))
        repository.update("refs/heads/main", commit, old=None)
        return repository.path

    def served_is_valid(self, scheme_id: str) -> bool:
        """Whether the served version verifies."""
        tree = read_tree(self.services.settings.schemes_directory / scheme_id)
        return verify_scheme(tree, now=int(self.clock().timestamp())).is_valid

    def commit_is_valid(self, repository: Path, scheme_id: str, commit: str = "refs/heads/main") -> bool:
        """Whether a commit of a repository verifies."""
        from idemix.scheme.tree import SchemeTree

        tree = SchemeTree(Repository(repository).read(commit), name=scheme_id)
        return verify_scheme(tree, now=int(self.clock().timestamp())).is_valid


def make_installation(directory: Path, migrated_sqlite_file: Path, clock: MovingClock) -> Iterator[Installation]:
    """Set up an installation and serve its web root until the generator goes on."""
    shutil.copy(migrated_sqlite_file, directory / "irmahub.sqlite")
    application = Flask("web_root")
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    settings = ConsoleSettings(
        data_directory=directory,
        database_url=sqlite_url(directory / "irmahub.sqlite"),
        kek_file=directory / "kek",
        schemes_directory=directory / "schemes",
        public_url=f"http://127.0.0.1:{server.server_port}/",
        gateway_url="http://gateway.example/",
        modulus_bits=1024,
    )
    services = build_services(settings, clock)
    application.register_blueprint(create_blueprint(services.web_root))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Installation(services, clock, directory)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        services.close()


@pytest.fixture
def installation(tmp_path: Path, migrated_sqlite_file: Path) -> Iterator[Installation]:
    """A fresh installation."""
    yield from make_installation(tmp_path, migrated_sqlite_file, MovingClock())


@pytest.fixture
def services(installation: Installation) -> Services:
    """Its services."""
    return installation.services


@pytest.fixture
def administrator() -> Actor:
    """Somebody who may do everything."""
    return Actor(ActorKind.USER, "noor", (Grant(Role.ADMIN),), None, "192.0.2.1", "request-1")


@pytest.fixture
def small_scheme() -> Path:
    """A demo scheme of three issuers with all its private keys."""
    return shared("schemes", "mutant-base", "irma-demo")


def with_settings(services: Services, clock: Clock, **changes: object) -> Services:
    """The same installation under other settings."""
    return build_services(replace(services.settings, **changes), clock)  # type: ignore[arg-type]
