"""The one place that wires the services; pages, JSON API, worker, commands and demo use it."""

from dataclasses import dataclass

from console.accounts.service import Accounts
from console.issuer_keys.service import IssuerKeys
from console.publishing.service import Publishing
from console.publishing.web_root import WebRoot
from console.schemes.served import ServedConfiguration
from console.schemes.service import Schemes
from console.schemes.store import SchemeStore
from console.settings import ConsoleSettings
from gateway.archive.service import Archive
from gateway.audit.service import Audit
from gateway.custody.kek import KeyRing
from gateway.custody.service import Custody
from gateway.database import Database
from gateway.jobs.flow import Flow
from gateway.jobs.service import Jobs
from gateway.requestors.service import Requestors
from idemix.arith.randomness import SYSTEM_RANDOM, RandomSource
from idemix.clock import Clock, system_clock


@dataclass(frozen=True, slots=True)
class Services:
    """All services over one database.

    Attributes:
        settings: of the console.
        clock: tells the time, to all of them.
        database: the tables; `close` ends its connections.
        audit, custody, jobs, requestors, archive: shared with the gateway.
        accounts, schemes, publishing, issuer_keys: the console's own.
        web_root: what clients are served.
        configuration: the schemes in force.
    """

    settings: ConsoleSettings
    clock: Clock
    database: Database
    audit: Audit
    custody: Custody
    jobs: Jobs
    requestors: Requestors
    archive: Archive
    accounts: Accounts
    schemes: Schemes
    publishing: Publishing
    issuer_keys: IssuerKeys
    web_root: WebRoot
    configuration: ServedConfiguration

    def flows(self) -> tuple[Flow, ...]:
        """Everything that the worker can run."""
        return (self.publishing.flow(), self.issuer_keys.flow())

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def build_services(settings: ConsoleSettings, clock: Clock = system_clock, randomness: RandomSource = SYSTEM_RANDOM) -> Services:
    """Wire all services over one database. The tables must be at the newest migration; nothing is migrated or started here.

    Args:
        settings: where things are. The folders are made where they are absent.
        clock: tells the time.
        randomness: makes keys, cookies and tokens.

    Raises:
        MalformedKekError: the key-encryption key cannot be read.
    """
    for directory in (settings.data_directory, settings.repositories_directory, settings.versions_directory, settings.schemes_directory):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    ring = KeyRing.load(settings.kek_file) if settings.production else KeyRing.load_or_create(settings.kek_file)
    database = Database(settings.database_url)
    audit = Audit(database, clock=clock)
    custody = Custody(database, ring, audit, clock=clock)
    jobs = Jobs(database, audit, clock=clock, lease=settings.job_lease)
    web_root = WebRoot(settings.schemes_directory, settings.versions_directory)
    configuration = ServedConfiguration(web_root, clock)
    store = SchemeStore(settings.repositories_directory, clock)
    schemes = Schemes(settings, database, audit, custody, store, web_root, clock)
    publishing = Publishing(database, audit, jobs, custody, store, schemes, web_root, clock)
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        audit=audit,
        custody=custody,
        jobs=jobs,
        requestors=Requestors(database, audit, custody, configuration=configuration, clock=clock),
        archive=Archive(database, clock=clock),
        accounts=Accounts(database, audit, custody.pepper, clock, randomness, settings.log_in_lifetime),
        schemes=schemes,
        publishing=publishing,
        issuer_keys=IssuerKeys(settings, jobs, custody, store, schemes, publishing, clock, randomness),
        web_root=web_root,
        configuration=configuration,
    )
