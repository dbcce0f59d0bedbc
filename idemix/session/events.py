"""What can happen to a session. The table in `transitions` says what follows from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Base of the events."""


@dataclass(frozen=True, slots=True)
class ClientConnected(Event):
    """The app fetched the session, and pairing was not asked for."""


@dataclass(frozen=True, slots=True)
class PairingStarted(Event):
    """The app fetched the session, and the frontend must confirm the pairing code first."""


@dataclass(frozen=True, slots=True)
class PairingCompleted(Event):
    """The frontend confirmed the pairing code."""


@dataclass(frozen=True, slots=True)
class ResponseProcessed(Event):
    """The app's answer was handled, whatever its proof status, and any next session was started."""


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """The app, the frontend or the requestor ended the session."""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The server ended the session with an error."""


@dataclass(frozen=True, slots=True)
class TimedOut(Event):
    """The session's life time was over."""
