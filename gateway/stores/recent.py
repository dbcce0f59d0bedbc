"""Sessions as this process wrote them last, so that the app's next message need not fetch them from a store elsewhere."""

import threading
import time
from collections import OrderedDict
from typing import Final

from idemix.session.session import Session

#: How many sessions are kept, and for how long: the app answers within seconds, and a session holds values.
MOST: Final = 1000
KEPT_SECONDS: Final = 60.0


class RecentSessions:
    """Keeps sessions that have not ended. All methods may be called from any thread.

    Args:
        most: how many are kept.
        kept_seconds: how long each is kept after it was written.
    """

    def __init__(self, most: int = MOST, kept_seconds: float = KEPT_SECONDS) -> None:
        self._most = most
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        #: By client token, with the moment of writing, the oldest first.
        self._sessions: OrderedDict[str, tuple[float, Session]] = OrderedDict()

    def get(self, client_token: str) -> Session | None:
        """The session as it was written last, or None."""
        with self._lock:
            self._forget_old()
            kept = self._sessions.get(client_token)
        return None if kept is None else kept[1]

    def keep(self, session: Session) -> None:
        """Keep a session that was written; one that ended is forgotten."""
        with self._lock:
            self._sessions.pop(session.client_token, None)
            if not session.status.is_finished:
                self._sessions[session.client_token] = (time.monotonic(), session)
            self._forget_old()

    def forget(self, client_token: str) -> None:
        """Forget a session, which may have changed."""
        with self._lock:
            self._sessions.pop(client_token, None)

    def _forget_old(self) -> None:
        before = time.monotonic() - self._kept_seconds
        while self._sessions and (len(self._sessions) > self._most or next(iter(self._sessions.values()))[0] < before):
            self._sessions.popitem(last=False)
