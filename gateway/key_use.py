"""When each key of a requestor was last used: noted per request, written in batches beside them."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from idemix.clock import Clock

#: How often the times are written.
INTERVAL: Final = timedelta(seconds=10)


class KeyUse:
    """Collects the uses of keys.

    Args:
        clock: tells when.
        write: writes the times by key id.
    """

    def __init__(self, clock: Clock, write: Callable[[Mapping[int, datetime]], None]) -> None:
        self._clock = clock
        self._write = write
        self._lock = threading.Lock()
        self._used: dict[int, datetime] = {}
        self._written_at = clock()

    def note(self, key_id: int) -> None:
        """Note that a key is used now; those of the configuration, which have the id 0, are not counted."""
        if key_id:
            with self._lock:
                self._used[key_id] = self._clock()

    def write_if_due(self) -> None:
        """Write what was noted, if the last time is long enough ago."""
        if self._clock() - self._written_at >= INTERVAL:
            self.write()

    def write(self) -> None:
        """Write what was noted. What cannot be written now is kept, unless the key was used again meanwhile."""
        with self._lock:
            used, self._used = self._used, {}
        self._written_at = self._clock()
        if not used:
            return
        try:
            self._write(used)
        except Exception:
            with self._lock:
                self._used = used | self._used
            raise
