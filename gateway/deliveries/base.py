"""What a delivery is to those who send it, and the interface of the queue that keeps it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..models.delivery import DeliveryState


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A result that is to be delivered.

    Attributes:
        token: the requestor token of the session.
        requestor_name: whose session it is.
        origin: protocol, host and port of the address.
        expires_at: when the session's result expires.
    """

    token: str = field(repr=False)
    requestor_name: str
    origin: str
    expires_at: datetime

    @property
    def token_hash(self) -> str:
        """Names the session as the archive does."""
        return hashlib.sha256(self.token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this worker, and no other, sends now.

    Attributes:
        id: its number in its queue.
        token: the requestor token of the session; None once the result expired.
        requestor_name, origin, expires_at: as in `NewDelivery`.
        attempts: how often it was sent before.
        lease: proves the claim.
    """

    id: int
    token: str | None = field(repr=False)
    requestor_name: str
    origin: str
    expires_at: datetime
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        state: of the delivery from now on.
        status: what was answered, None where nothing was.
        error: why it was not delivered; "" where it was.
        next_attempt_at: of one that stays pending.
        sent: whether anything was sent, so that the attempt counts.
    """

    state: DeliveryState
    status: int | None = None
    error: str = ""
    next_attempt_at: datetime | None = None
    sent: bool = True


class DeliveryQueue(Protocol):
    """Keeps deliveries until they are made. All methods may be called from any thread."""

    def add(self, deliveries: Sequence[NewDelivery]) -> None:
        """Keep new ones; they are due at once."""
        ...

    def claim(self, room: Mapping[str, int], default_room: int, limit: int) -> list[ClaimedDelivery]:
        """Take deliveries that are due, the oldest first; each is given to one caller only.

        Args:
            room: by origin, how many it may be given.
            default_room: the same for every other origin.
            limit: of all together.
        """
        ...

    def settle(self, claimed: ClaimedDelivery, outcome: Outcome) -> None:
        """Note how an attempt ended; without effect where the claim was lost."""
        ...

    def forget_tokens(self) -> None:
        """Forget the tokens of sessions whose result expired."""
        ...


def take(origins: Sequence[str], room: Mapping[str, int], default_room: int, limit: int) -> list[int]:
    """Choose by position which of a list of due deliveries to take, given their origins."""
    left = dict(room)
    chosen: list[int] = []
    for position, origin in enumerate(origins):
        if len(chosen) == limit:
            break
        if left.setdefault(origin, default_room) > 0:
            left[origin] -= 1
            chosen.append(position)
    return chosen


def full(room: Mapping[str, int]) -> Collection[str]:
    """The origins that may be given none."""
    return [origin for origin, free in room.items() if free <= 0]
