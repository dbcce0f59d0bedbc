"""The shared services over a test's database."""

import base64
import hashlib
from collections.abc import Callable

from gateway.custody.kek import KeyRing
from gateway.database import Database
from gateway.services import SharedServices, wire_shared_services
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
    return wire_shared_services(database, keys or ring(), configuration=configuration, clock=clock or SettableClock())
