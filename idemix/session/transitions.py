"""The session's state machine: every status, every event, and where it leads.

What does not fit the table stands elsewhere, each for its reason: the choice of protocol version (`version`), the
cached reply to a repeated request (`replay`), a deletion after the end (ignored, as irmago does), and the proof status,
which is reported beside DONE and is no state.
"""

from collections.abc import Mapping
from typing import Final

from .errors import UnexpectedEventError
from .events import Cancelled, ClientConnected, Event, Failed, PairingCompleted, PairingStarted, ResponseProcessed, TimedOut
from .status import Status

_ENDINGS: Final[Mapping[type[Event], Status]] = {
    Cancelled: Status.CANCELLED,
    Failed: Status.CANCELLED,
    TimedOut: Status.TIMEOUT,
}

#: (status, event) -> next status. A pair that is absent raises UnexpectedEventError and changes nothing.
TRANSITIONS: Final[Mapping[Status, Mapping[type[Event], Status]]] = {
    Status.INITIALIZED: {ClientConnected: Status.CONNECTED, PairingStarted: Status.PAIRING, **_ENDINGS},
    Status.PAIRING: {PairingCompleted: Status.CONNECTED, **_ENDINGS},
    Status.CONNECTED: {ResponseProcessed: Status.DONE, **_ENDINGS},
    Status.DONE: {},
    Status.CANCELLED: {},
    Status.TIMEOUT: {},
}


def next_status(status: Status, event: Event) -> Status:
    """Return the status that follows.

    Raises:
        UnexpectedEventError: the event cannot happen in this status.
    """
    following = TRANSITIONS[status].get(type(event))
    if following is None:
        raise UnexpectedEventError(f"{type(event).__name__} cannot happen to a session that is {status.value}")
    return following
