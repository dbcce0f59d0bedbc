"""The interface of a session store.

A store keeps whole sessions, found by either token. A change is a compare-and-set on the session's revision, so that of
two workers that handle one session at once only one succeeds; the other loads it again. Each store also carries status
changes to whoever listens to the session, in this process or in another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from idemix.errors import IdemixError
from idemix.session.session import Session
from idemix.session.status import Status


class StoreError(IdemixError):
    """The store cannot be reached, or did not do what was asked. The session is as it was."""


class StoreConflictError(StoreError):
    """Another request changed the session in the meantime, or it is gone."""


class TooManySessionsError(IdemixError):
    """As many sessions of a requestor run as may run; the session was not stored."""


class UnknownSessionError(IdemixError):
    """No session has this token, or it has expired."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """That a session changed its status.

    Attributes:
        client_token: which session.
        status: the new status.
        next_session: the QR object of the next session of a chain, where there is one.
        revision: of the session as it is then, which tells an older change from a newer one.
    """

    client_token: str
    status: Status
    next_session: Mapping[str, object] | None = None
    revision: int = 0


def status_change(session: Session) -> StatusChange:
    """What listeners are told of a session as it is now."""
    pointer = session.next_pointer
    return StatusChange(session.client_token, session.status, None if pointer is None else pointer.to_json(), session.revision)


Listener = Callable[[StatusChange | None], None]


class SessionStore(Protocol):
    """Keeps sessions and tells of their changes. All methods may be called from any thread."""

    def add(self, session: Session, *, deadline: datetime, expires_at: datetime, at_most: int | None = None) -> None:
        """Store a new session.

        Args:
            session: the session.
            deadline: when its life time is over, unless it ends before.
            expires_at: when the store may forget it.
            at_most: how many sessions of its requestor may run, with this one; None for any number.

        Raises:
            TooManySessionsError: so many of them run already; those beyond their life time do not count.
            StoreError: the store cannot be reached, or one of the tokens is in use.
        """
        ...

    def get_by_client_token(self, token: str) -> Session:
        """Load a session by the app's token.

        Raises:
            UnknownSessionError: there is none.
            StoreError: the store cannot be reached.
        """
        ...

    def get_by_requestor_token(self, token: str) -> Session:
        """Load a session by the requestor's token; errors as `get_by_client_token`."""
        ...

    def recent(self, client_token: str) -> Session | None:
        """A session that has not ended, as this process wrote it last a moment ago, where to ask the store would take longer; or None.

        Others may have changed or ended it since. It serves as the base of a change, which `update` then refuses, and for nothing else.
        """
        ...

    def update(
        self,
        session: Session,
        expected_revision: int,
        *,
        deadline: datetime | None,
        expires_at: datetime,
        change: StatusChange | None = None,
    ) -> None:
        """Replace a session, if its stored revision is still `expected_revision`; then tell its listeners, in all processes.

        Args:
            session: the changed session; its revision is larger than the expected one.
            expected_revision: the revision that was loaded.
            deadline: when its life time is over, or None once it has ended.
            expires_at: when the store may forget it.
            change: what listeners are told, where the status is another.

        Raises:
            StoreConflictError: the stored session has another revision, or is gone.
            StoreError: the store cannot be reached.
        """
        ...

    def overdue(self, now: datetime, limit: int) -> list[str]:
        """Client tokens of at most `limit` sessions whose life time is over although they have not ended."""
        ...

    def running(self, requestor: str) -> list[str]:
        """The client tokens of a requestor's sessions that have not ended, and perhaps of some beyond their life time.

        Raises:
            StoreError: the store cannot be reached.
        """
        ...

    def subscribe(self, client_token: str, listener: Listener) -> Callable[[], None]:
        """Have `listener` called for every change of a session from now on, from whatever thread learns of it.

        Where changes may have been missed, because the store was away for a while, it is called with None; a `StoreError` that it
        raises then has it called so again.

        Returns:
            What ends that; it may be called more than once.

        Raises:
            StoreError: the store cannot be reached.
        """
        ...

    def is_healthy(self) -> bool:
        """Whether the store can be used now."""
        ...

    def close(self) -> None:
        """Stop the store's thread and connections."""
        ...
