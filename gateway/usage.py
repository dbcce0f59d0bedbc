"""How often each requestor asks for sessions: counted per request, written in batches beside them, as the uses of keys are."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, date, timedelta
from enum import IntEnum
from typing import Final

from idemix.clock import Clock

#: How often the counts are written.
INTERVAL: Final = timedelta(seconds=10)

Counts = Mapping[tuple[date, str, str], tuple[int, int, int]]


class Outcome(IntEnum):
    """What became of a request; the place of its count."""

    STARTED = 0
    REFUSED = 1
    LIMITED = 2


class Usage:
    """Counts requests by day (UTC), requestor and type of session.

    Args:
        clock: tells when.
        write: adds counts to those that were written before.
    """

    def __init__(self, clock: Clock, write: Callable[[Counts], None]) -> None:
        self._clock = clock
        self._write = write
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._written_at = clock()

    def note(self, requestor: str, action: str, outcome: Outcome) -> None:
        """Count a request; those of nobody, on a server without authentication, are not counted."""
        if requestor:
            day = self._clock().astimezone(UTC).date()
            with self._lock:
                self._counts[day, requestor, action][outcome] += 1

    def write_if_due(self) -> None:
        """Write what was counted, if the last time is long enough ago."""
        if self._clock() - self._written_at >= INTERVAL:
            self.write()

    def write(self) -> None:
        """Write what was counted. What cannot be written now is kept."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(lambda: [0, 0, 0])
        self._written_at = self._clock()
        if not counts:
            return
        try:
            self._write({key: (found[0], found[1], found[2]) for key, found in counts.items()})
        except Exception:
            with self._lock:
                for key, found in counts.items():
                    for place, number in enumerate(found):
                        self._counts[key][place] += number
            raise
