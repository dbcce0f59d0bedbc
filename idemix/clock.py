"""The clock is a parameter everywhere: a function that tells the time, so that tests and replays can set it."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the present moment as an aware datetime in UTC."""

    def __call__(self) -> datetime: ...


def system_clock() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
