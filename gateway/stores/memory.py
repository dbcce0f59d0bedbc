"""Sessions in the memory of one process."""

import heapq
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from idemix.clock import Clock
from idemix.session.session import Session

from .base import Listener, StatusChange, StoreConflictError, StoreError, TooManySessionsError, UnknownSessionError


@dataclass(slots=True)
class _Entry:
    session: Session
    deadline: datetime | None
    expires_at: datetime


class MemoryStore:
    """A `SessionStore` that forgets everything when the process ends. Sessions are immutable, so they are kept as they are.

    What is due next stands at the top of two heaps. A change of a moment leaves the old one in its heap; it is passed over
    when its time comes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._client_tokens: dict[str, str] = {}
        self._deadlines: list[tuple[datetime, str]] = []
        self._expiries: list[tuple[datetime, str]] = []
        self._listeners: dict[str, list[Listener]] = {}
        self._running: dict[str, dict[str, datetime]] = {}

    def add(self, session: Session, *, deadline: datetime, expires_at: datetime, at_most: int | None = None) -> None:
        with self._lock:
            self._forget_expired()
            if session.client_token in self._entries or session.requestor_token in self._client_tokens:
                raise StoreError("a token of the session is in use")
            running = self._running.get(session.requestor, {})
            if at_most is not None and sum(until >= self._clock() for until in running.values()) >= at_most:
                raise TooManySessionsError("as many sessions of the requestor run as may run")
            self._keep(session, deadline, expires_at)
            self._client_tokens[session.requestor_token] = session.client_token

    def get_by_client_token(self, token: str) -> Session:
        with self._lock:
            return self._entry(token).session

    def get_by_requestor_token(self, token: str) -> Session:
        with self._lock:
            client_token = self._client_tokens.get(token)
            if client_token is None:
                raise UnknownSessionError("unknown session")
            return self._entry(client_token).session

    def recent(self, client_token: str) -> Session | None:  # noqa: ARG002 - asking is as fast
        return None

    def update(
        self,
        session: Session,
        expected_revision: int,
        *,
        deadline: datetime | None,
        expires_at: datetime,
        change: StatusChange | None = None,
    ) -> None:
        with self._lock:
            try:
                entry = self._entry(session.client_token)
            except UnknownSessionError as error:
                raise StoreConflictError("the session is gone") from error
            if entry.session.revision != expected_revision:
                raise StoreConflictError("the session was changed meanwhile")
            self._keep(session, deadline, expires_at)
        if change is not None:
            for listener in tuple(self._listeners.get(session.client_token, ())):
                listener(change)

    def overdue(self, now: datetime, limit: int) -> list[str]:
        with self._lock:
            self._forget_expired()
            due: dict[str, datetime] = {}
            while self._deadlines and self._deadlines[0][0] <= now and len(due) < limit:
                deadline, token = heapq.heappop(self._deadlines)
                entry = self._entries.get(token)
                if entry is not None and entry.deadline == deadline:
                    due[token] = deadline
            # They are due until the change that ends them is stored.
            for token, deadline in due.items():
                heapq.heappush(self._deadlines, (deadline, token))
            return list(due)

    def running(self, requestor: str) -> list[str]:
        with self._lock:
            return list(self._running.get(requestor, ()))

    def subscribe(self, client_token: str, listener: Listener) -> Callable[[], None]:
        with self._lock:
            listeners = self._listeners.setdefault(client_token, [])
            listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock, suppress(ValueError):
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[client_token]

        return unsubscribe

    def is_healthy(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to stop."""

    def _entry(self, token: str) -> _Entry:
        entry = self._entries.get(token)
        if entry is None:
            raise UnknownSessionError("unknown session")
        if entry.expires_at <= self._clock():
            self._forget(token, entry)
            raise UnknownSessionError("unknown session")
        return entry

    def _forget(self, token: str, entry: _Entry) -> None:
        del self._entries[token]
        del self._client_tokens[entry.session.requestor_token]
        self._note_running(entry.session, None)

    def _keep(self, session: Session, deadline: datetime | None, expires_at: datetime) -> None:
        last = self._entries.get(session.client_token)
        self._entries[session.client_token] = _Entry(session, deadline, expires_at)
        self._note_running(session, deadline)
        if deadline is not None and (last is None or last.deadline != deadline):
            heapq.heappush(self._deadlines, (deadline, session.client_token))
        if last is None or last.expires_at != expires_at:
            heapq.heappush(self._expiries, (expires_at, session.client_token))

    def _note_running(self, session: Session, deadline: datetime | None) -> None:
        """Keep the list of the sessions of each requestor that have not ended."""
        if not session.requestor:
            return
        running = self._running.setdefault(session.requestor, {})
        if deadline is None:
            running.pop(session.client_token, None)
        else:
            running[session.client_token] = deadline
        if not running:
            del self._running[session.requestor]

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._expiries and self._expiries[0][0] <= now:
            _, token = heapq.heappop(self._expiries)
            entry = self._entries.get(token)
            if entry is not None and entry.expires_at <= now:
                self._forget(token, entry)
