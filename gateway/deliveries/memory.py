"""Deliveries in memory, for a gateway without database, and while the database is away."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from idemix.clock import Clock

from ..models.delivery import DeliveryState
from .base import ClaimedDelivery, NewDelivery, Outcome, take


@dataclass(slots=True)
class _Waiting:
    new: NewDelivery
    due_at: datetime
    attempts: int = 0
    is_claimed: bool = False


class MemoryDeliveries:
    """A queue that ends with the process.

    Args:
        clock: tells what is due.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._waiting: dict[int, _Waiting] = {}

    def __len__(self) -> int:
        """How many are not at their end."""
        return len(self._waiting)

    def add(self, deliveries: Sequence[NewDelivery]) -> None:
        """Keep new ones; they are due at once."""
        now = self._clock()
        with self._lock:
            self._waiting |= {next(self._numbers): _Waiting(new, now) for new in deliveries}

    def claim(self, room: Mapping[str, int], default_room: int, limit: int) -> list[ClaimedDelivery]:
        """Take deliveries that are due, the oldest first; each is given to one caller only."""
        now = self._clock()
        with self._lock:
            due = [(number, one) for number, one in self._waiting.items() if not one.is_claimed and one.due_at <= now]
            due.sort(key=lambda entry: entry[1].due_at)
            claimed = []
            for position in take([one.new.origin for _, one in due], room, default_room, limit):
                number, one = due[position]
                one.is_claimed = True
                new = one.new
                claimed.append(ClaimedDelivery(number, new.token, new.requestor_name, new.origin, new.expires_at, one.attempts, ""))
            return claimed

    def forget_tokens(self) -> None:
        """Nothing here outlives its delivery."""

    def settle(self, claimed: ClaimedDelivery, outcome: Outcome) -> None:
        """Note how an attempt ended."""
        with self._lock:
            if outcome.state is not DeliveryState.PENDING or outcome.next_attempt_at is None:
                self._waiting.pop(claimed.id, None)
                return
            one = self._waiting[claimed.id]
            one.attempts += outcome.sent
            one.due_at = outcome.next_attempt_at
            one.is_claimed = False
