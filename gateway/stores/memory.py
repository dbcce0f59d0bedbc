"""Sessions in the memory of one process."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from idemix.clock import Clock
from idemix.session.session import Session

from .base import Listener, StatusChange, StoreConflictError, StoreError, UnknownSessionError


@dataclass(slots=True)
class _Entry:
    session: Session
    deadline: datetime | None
    expires_at: datetime


class MemoryStore:
    """A `SessionStore` that forgets everything when the process ends. Sessions are immutable, so they are kept as they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._client_tokens: dict[str, str] = {}
        self._listeners: list[Listener] = []

    def add(self, session: Session, *, deadline: datetime, expires_at: datetime) -> None:
        with self._lock:
            self._forget_expired()
            if session.client_token in self._entries or session.requestor_token in self._client_tokens:
                raise StoreError("a token of the session is in use")
            self._entries[session.client_token] = _Entry(session, deadline, expires_at)
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

    def update(self, session: Session, expected_revision: int, *, deadline: datetime | None, expires_at: datetime) -> None:
        with self._lock:
            try:
                entry = self._entry(session.client_token)
            except UnknownSessionError as error:
                raise StoreConflictError("the session is gone") from error
            if entry.session.revision != expected_revision:
                raise StoreConflictError("the session was changed meanwhile")
            self._entries[session.client_token] = _Entry(session, deadline, expires_at)

    def overdue(self, now: datetime, limit: int) -> list[str]:
        with self._lock:
            due = (token for token, entry in self._entries.items() if _is_due(entry, now))
            return list(islice(due, limit))

    def publish(self, change: StatusChange) -> None:
        for listener in tuple(self._listeners):
            listener(change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

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

    def _forget_expired(self) -> None:
        now = self._clock()
        for token, entry in [(token, entry) for token, entry in self._entries.items() if entry.expires_at <= now]:
            self._forget(token, entry)


def _is_due(entry: _Entry, now: datetime) -> bool:
    return entry.deadline is not None and entry.deadline <= now < entry.expires_at
