"""The services of one installation that gateway, console, worker and commands share, wired in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from idemix.clock import Clock, system_clock
from idemix.scheme.configuration import Configuration

from .archive.service import Archive
from .audit.service import Audit
from .changes import Changes
from .custody.kek import KeyRing
from .custody.service import Custody
from .database import Database, check_revision
from .deliveries.service import Deliveries
from .jobs.service import LEASE, Jobs
from .requestors.explain import Explainer
from .requestors.service import Requestors
from .revocation.service import Revocation, schemes_with_custody
from .revocation.tables import RevocationTables

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True, slots=True)
class SharedServices:
    """The services over one database. Nothing is started yet: `changes`, `archive` and the workers of `jobs` have threads.

    Attributes:
        redis: what carries changes at once between processes, or None where there is one process.
    """

    database: Database
    redis: "Redis | None"
    audit: Audit
    custody: Custody
    jobs: Jobs
    requestors: Requestors
    archive: Archive
    deliveries: Deliveries
    changes: Changes
    explainer: Explainer
    revocation: Revocation

    def start(self) -> None:
        """Start watching for changes and writing the archive. Call it after a fork."""
        self.changes.start()
        self.archive.start()

    def close(self) -> None:
        """Write what is waiting, end the threads that were started, close the database."""
        self.archive.stop()
        self.changes.stop()
        self.revocation.close()
        self.database.close()


def wire_shared_services(
    database: Database,
    ring: KeyRing,
    *,
    redis: "Redis | None" = None,
    redis_prefix: str = "",
    configuration: Callable[[], Configuration] | None = None,
    clock: Clock = system_clock,
    job_lease: timedelta = LEASE,
) -> SharedServices:
    """Wire the services over an open database; nothing is checked and nothing started.

    Args:
        database: its tables are at the newest migration.
        ring: the key-encryption keys.
        redis: carries changes at once, where there is Redis.
        redis_prefix: goes before the names of keys and channels there.
        configuration: gives the loaded schemes, for the check of new permissions.
        clock: tells the time.
        job_lease: after which the job of a worker that died is taken over.
    """
    audit = Audit(database, clock=clock)
    custody = Custody(database, ring, audit, clock=clock)
    requestors = Requestors(database, audit, custody, configuration=configuration, clock=clock)
    changes = Changes(database, redis=redis, redis_prefix=redis_prefix)
    requestors.watch(changes)
    jobs = Jobs(database, audit, clock=clock, lease=job_lease)
    schemes = schemes_with_custody(configuration or Configuration, custody.issuer_keys)
    revocation = Revocation(RevocationTables(database), schemes, audit=audit, clock=clock)
    archive, deliveries = Archive(database, clock=clock), Deliveries(database, audit, custody.pepper, clock=clock)
    explainer = Explainer(requestors, archive, clock)
    return SharedServices(database, redis, audit, custody, jobs, requestors, archive, deliveries, changes, explainer, revocation)


def open_shared_services(
    database_url: str,
    load_ring: Callable[[], KeyRing],
    *,
    redis_url: str | None = None,
    redis_prefix: str = "",
    configuration: Callable[[], Configuration] | None = None,
    clock: Clock = system_clock,
    job_lease: timedelta = LEASE,
) -> SharedServices:
    """Open an installation.

    Args:
        database_url: as `gateway.database.Database` takes it; the tables are at the newest migration.
        load_ring: reads the key-encryption keys; called once the database was found to be in order.
        redis_url: of Redis, where there is one; see `gateway.stores.factory.redis_from_url`.
        redis_prefix, configuration, clock, job_lease: as `wire_shared_services` takes them.

    Raises:
        DatabaseError: the tables are not at the newest migration; nothing was opened.
        MalformedKekError: the key-encryption keys cannot be read.
        MissingKekError: a key-encryption key is missing; it is named.
    """
    check_revision(database_url)
    ring = load_ring()
    redis = None
    if redis_url is not None:
        from .stores.factory import redis_from_url

        redis = redis_from_url(redis_url)
    database = Database(database_url)
    services = wire_shared_services(
        database, ring, redis=redis, redis_prefix=redis_prefix, configuration=configuration, clock=clock, job_lease=job_lease
    )
    services.custody.check()
    return services
