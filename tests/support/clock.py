"""A clock that tests set."""

from datetime import UTC, datetime, timedelta

#: When the recorded vectors and warnings are from.
START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class SettableClock:
    """Tells the time it was set to; it does not run by itself."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        """Go on, by the arguments of `timedelta`."""
        self.now += timedelta(**amount)
