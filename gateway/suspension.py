"""Ending the sessions of requestors that may no longer have any: suspended ones, and those that are gone."""

import threading
from collections.abc import Callable
from functools import partial

import structlog

from .background import fault
from .requestors.directory import RequestorDirectory
from .sessions import NOT_ACTIVE, Sessions
from .stores.base import SessionStore, StoreError, UnknownSessionError

log = structlog.get_logger(__name__)


class Suspensions:
    """Follows the directory, and cancels what runs for requestors that left it.

    Every process does it, so that sessions in memory end wherever they live; in a store that processes share, whoever comes first
    ends a session, and the others find it ended.

    Args:
        directory: gives the requestors of the moment.
        store: finds the sessions.
        sessions: ends them, with callback, archive and events as of any session.
    """

    def __init__(self, directory: Callable[[], RequestorDirectory], store: SessionStore, sessions: Sessions) -> None:
        self._directory = directory
        self._store = store
        self._sessions = sessions
        known = directory()
        self._active = frozenset(known.requestors)
        # A shared store may hold sessions of those that were suspended while no process ran.
        self._pending = set(known.suspended)
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Look at the directory, and cancel the sessions of those that left it. What the store refuses is tried at the next call."""
        with self._lock:
            directory = self._directory()
            active = frozenset(directory.requestors)
            self._pending = (self._pending | (self._active - active)) - active
            self._active = active
            for name in sorted(self._pending):
                try:
                    self._cancel_sessions(name, directory.suspended.get(name) or NOT_ACTIVE)
                except StoreError as error:
                    log.warning("suspension.sessions_not_cancelled", requestor=name, error=type(error.__cause__ or error).__name__)
                else:
                    self._pending.discard(name)

    def _cancel_sessions(self, name: str, reason: str) -> None:
        cancelled = 0
        for token in self._store.running(name):
            try:
                cancelled += self._sessions.cancel(partial(self._sessions.load_by_client_token, token))
            except UnknownSessionError:
                continue
            except StoreError:
                raise
            except Exception as error:
                # A session that cannot be handled keeps no other from its end.
                log.error("suspension.session_not_cancelled", requestor=name, **fault(error))
        if cancelled:
            log.info("suspension.sessions_cancelled", requestor=name, sessions=cancelled, reason=reason)
