"""The shared services over a test's database."""

import base64
import hashlib
from collections.abc import Callable

from gateway.archive.service import Archive
from gateway.audit.service import Audit
from gateway.changes import Changes
from gateway.custody.kek import KeyRing
from gateway.custody.service import Custody
from gateway.database import Database
from gateway.jobs.service import Jobs
from gateway.requestors.service import Requestors
from gateway.services import SharedServices
from idemix.clock import Clock
from idemix.scheme.configuration import Configuration
from tests.support.clock import SettableClock


def kek(name: str = "current") -> str:
    """A key-encryption key as a line of its file, the same for the same name."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def ring(*names: str) -> KeyRing:
    """A ring of key-encryption keys."""
    return KeyRing.from_text("\n".join(kek(name) for name in names or ("current",)), "test")


def shared_services(
    database: Database,
    *,
    clock: Clock | None = None,
    keys: KeyRing | None = None,
    configuration: Callable[[], Configuration] | None = None,
) -> SharedServices:
    """All shared services; by default with a clock that stands still."""
    told = clock or SettableClock()
    audit = Audit(database, clock=told)
    custody = Custody(database, keys or ring(), audit, clock=told)
    return SharedServices(
        database=database,
        audit=audit,
        custody=custody,
        jobs=Jobs(database, audit, clock=told),
        requestors=Requestors(database, audit, custody, configuration=configuration, clock=told),
        archive=Archive(database, clock=told),
        changes=Changes(database),
    )
