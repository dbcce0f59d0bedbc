"""The words of the session protocol: status, session type, pairing method. The values are what travels.

Source: irmago `irma/messages.go`.
"""

from enum import Enum

from ..request.base import Action


class Status(Enum):
    """Where a session stands."""

    INITIALIZED = "INITIALIZED"
    PAIRING = "PAIRING"
    CONNECTED = "CONNECTED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"

    @property
    def is_finished(self) -> bool:
        """Whether nothing can happen to the session any more."""
        return self in (Status.DONE, Status.CANCELLED, Status.TIMEOUT)


class PairingMethod(Enum):
    """How the frontend makes sure that the right app is connected."""

    NONE = "none"
    PIN = "pin"


__all__ = ["Action", "PairingMethod", "Status"]
