"""How often each requestor asks for sessions: counted per request, written in batches beside them, as the uses of keys are."""

from collections.abc import Callable, Mapping
from datetime import UTC, date
from enum import Enum

from idemix.clock import Clock

from .batches import Batches

Key = tuple[date, str, str]
Count = tuple[int, int, int]


class Outcome(Enum):
    """What became of a request; the value is what it adds to the counts."""

    STARTED = (1, 0, 0)
    REFUSED = (0, 1, 0)
    LIMITED = (0, 0, 1)


class Usage(Batches[Key, Count]):
    """Counts requests by day (UTC), requestor and type of session.

    Args:
        clock: tells when.
        write: adds counts to those that were written before.
    """

    def __init__(self, clock: Clock, write: Callable[[Mapping[Key, Count]], None]) -> None:
        super().__init__(clock, write, join=_sum)

    def note(self, requestor: str, action: str, outcome: Outcome) -> None:
        """Count a request; those of nobody, on a server without authentication, are not counted."""
        if requestor:
            day = self._clock().astimezone(UTC).date()
            self.add((day, requestor, action), outcome.value)


def _sum(one: Count, other: Count) -> Count:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
