"""The one place that wires the services; pages, JSON API, worker, commands and demo use it."""

from dataclasses import dataclass, fields

from console.accounts.service import Accounts
from console.drafts.service import Drafts
from console.issuer_keys.service import IssuerKeys
from console.publishing.service import Publishing
from console.publishing.web_root import WebRoot
from console.schemes.served import ServedConfiguration
from console.schemes.service import Schemes
from console.schemes.store import SchemeStore
from console.settings import ConsoleSettings
from gateway.custody.kek import KeyRing
from gateway.jobs.flow import Flow
from gateway.services import SharedServices, open_shared_services
from idemix.arith.randomness import SYSTEM_RANDOM, RandomSource
from idemix.clock import Clock, system_clock


@dataclass(frozen=True, slots=True)
class Services(SharedServices):
    """All services over one database: those shared with the gateway, and the console's own.

    Attributes:
        settings: of the console.
        clock: tells the time, to all of them.
        accounts, schemes, drafts, publishing, issuer_keys: the console's own.
        web_root: what clients are served.
        configuration: the schemes in force.
    """

    settings: ConsoleSettings
    clock: Clock
    accounts: Accounts
    schemes: Schemes
    drafts: Drafts
    publishing: Publishing
    issuer_keys: IssuerKeys
    web_root: WebRoot
    configuration: ServedConfiguration

    def flows(self) -> tuple[Flow, ...]:
        """Everything that the worker can run."""
        return (self.publishing.flow(), self.issuer_keys.flow())


def build_services(settings: ConsoleSettings, clock: Clock = system_clock, randomness: RandomSource = SYSTEM_RANDOM) -> Services:
    """Open an installation with all services; nothing is migrated or started here.

    Args:
        settings: where things are. The folders are made where they are absent.
        clock: tells the time.
        randomness: makes keys, cookies and tokens.

    Raises:
        DatabaseError: the tables are not at the newest migration.
        MalformedKekError: the key-encryption key cannot be read.
        MissingKekError: one is missing; it is named.
    """
    web_root = WebRoot(settings.schemes_directory, settings.versions_directory)
    configuration = ServedConfiguration(web_root, clock)
    shared = open_shared_services(
        settings.database_url,
        lambda: KeyRing.load(settings.kek_file) if settings.production else KeyRing.load_or_create(settings.kek_file),
        redis_url=settings.redis_url,
        redis_prefix=settings.redis_prefix,
        configuration=configuration,
        clock=clock,
        job_lease=settings.job_lease,
    )
    for directory in (settings.data_directory, settings.repositories_directory, settings.versions_directory, settings.schemes_directory):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    database, audit, custody, jobs = shared.database, shared.audit, shared.custody, shared.jobs
    store = SchemeStore(settings.repositories_directory, clock)
    schemes = Schemes(settings, database, audit, custody, store, web_root, clock)
    drafts = Drafts(database, audit, store, schemes, clock)
    publishing = Publishing(database, audit, jobs, custody, store, schemes, web_root, clock)
    return Services(
        **{part.name: getattr(shared, part.name) for part in fields(shared)},
        settings=settings,
        clock=clock,
        accounts=Accounts(database, audit, custody.pepper, clock, randomness, settings.log_in_lifetime),
        schemes=schemes,
        drafts=drafts,
        publishing=publishing,
        issuer_keys=IssuerKeys(settings, jobs, custody, store, schemes, drafts, publishing, clock, randomness),
        web_root=web_root,
        configuration=configuration,
    )
