"""The services of one installation that gateway, console, worker and commands share, wired in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idemix.clock import Clock, system_clock
from idemix.scheme.configuration import Configuration

from .archive.service import Archive
from .audit.service import Audit
from .changes import Changes
from .custody.kek import KeyRing
from .custody.service import Custody
from .database import Database, check_revision
from .jobs.service import Jobs
from .requestors.service import Requestors


@dataclass(frozen=True, slots=True)
class SharedServices:
    """The services over one database. Nothing is started yet: `changes`, `archive` and the workers of `jobs` have threads."""

    database: Database
    audit: Audit
    custody: Custody
    jobs: Jobs
    requestors: Requestors
    archive: Archive
    changes: Changes

    def start(self) -> None:
        """Start watching for changes and writing the archive. Call it after a fork."""
        self.changes.start()
        self.archive.start()

    def stop(self) -> None:
        """Write what is waiting, end the threads, close the database."""
        self.archive.stop()
        self.changes.stop()
        self.database.close()


def build_shared_services(
    database_url: str,
    kek_file: Path,
    *,
    redis_url: str | None = None,
    configuration: Callable[[], Configuration] | None = None,
    clock: Clock = system_clock,
) -> SharedServices:
    """Open an installation.

    Args:
        database_url: as `gateway.database.Database` takes it; the tables are at the newest migration.
        kek_file: the file of the key-encryption keys, unless IRMAHUB_KEK holds them.
        redis_url: carries changes at once, where there is Redis.
        configuration: gives the loaded schemes, for the check of new permissions.
        clock: tells the time.

    Raises:
        DatabaseError: the tables are not at the newest migration; nothing was opened.
        MalformedKekError: the key-encryption keys cannot be read.
        MissingKekError: one of them is missing; it is named.
    """
    check_revision(database_url)
    ring = KeyRing.load(kek_file)
    database = Database(database_url)
    audit = Audit(database, clock=clock)
    custody = Custody(database, ring, audit, clock=clock)
    custody.check()
    redis = None
    if redis_url is not None:
        from redis import Redis

        redis = Redis.from_url(redis_url)
    requestors = Requestors(database, audit, custody, configuration=configuration, clock=clock)
    changes = Changes(database, redis=redis)
    requestors.watch(changes)
    return SharedServices(database, audit, custody, Jobs(database, audit, clock=clock), requestors, Archive(database, clock=clock), changes)
