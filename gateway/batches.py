"""Values that requests leave behind, written in batches beside them."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Generic, TypeVar

from idemix.clock import Clock

K = TypeVar("K")
V = TypeVar("V")

#: How often what was noted is written.
INTERVAL: Final = timedelta(seconds=10)


class Batches(Generic[K, V]):
    """Collects values by key until they are written together.

    Args:
        clock: tells when.
        write: writes the values.
        join: makes one value of an older and a newer one of the same key.
    """

    def __init__(self, clock: Clock, write: Callable[[Mapping[K, V]], None], join: Callable[[V, V], V]) -> None:
        self._clock = clock
        self._write = write
        self._join = join
        self._lock = threading.Lock()
        self._values: dict[K, V] = {}
        self._written_at = clock()

    def add(self, key: K, value: V) -> None:
        """Note a value."""
        with self._lock:
            self._values[key] = self._join(self._values[key], value) if key in self._values else value

    def write_if_due(self) -> None:
        """Write what was noted, if the last time is long enough ago."""
        if self._clock() - self._written_at >= INTERVAL:
            self.write()

    def write(self) -> None:
        """Write what was noted. What cannot be written now is kept, and joined with what was noted meanwhile."""
        with self._lock:
            values, self._values = self._values, {}
        self._written_at = self._clock()
        if not values:
            return
        try:
            self._write(values)
        except Exception:
            with self._lock:
                later, self._values = self._values, values
            for key, value in later.items():
                self.add(key, value)
            raise
