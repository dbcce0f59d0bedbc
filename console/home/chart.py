"""Sessions of the last 24 hours as bars, an hour each: coordinates for an SVG that the server draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.archive.service import HourCount

LEFT: Final = 34
BASE: Final = 164
HEIGHT: Final = 150
STEP: Final = 27
BAR: Final = 21
HOURS: Final = 24

#: How often an hour is written below the bars.
LABEL_EVERY: Final = 4


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: `done`, `cancel` or `fail`."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class BarOfHour:
    """The bar of an hour; `label` is its time where it is written."""

    x: int
    parts: tuple[Part, ...]
    label: datetime | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole drawing, with its totals and the lines of its scale as (y, count)."""

    bars: tuple[BarOfHour, ...]
    lines: tuple[tuple[float, int], ...]
    done: int
    cancelled: int
    failed: int

    @property
    def total(self) -> int:
        """All sessions drawn."""
        return self.done + self.cancelled + self.failed


def build_chart(hours: Sequence[HourCount], now: datetime) -> Chart:
    """Lay out the last 24 hours.

    Args:
        hours: those in which something happened.
        now: the present moment, in the zone whose hours are written.
    """
    last = now.replace(minute=0, second=0, microsecond=0)
    starts = [last - timedelta(hours=HOURS - 1 - position) for position in range(HOURS)]
    by_start = {hour.start: hour for hour in hours}
    drawn = [by_start.get(start, HourCount(start, 0, 0, 0)) for start in starts]
    top = _round_up(max(hour.done + hour.cancelled + hour.failed for hour in drawn))
    bars = []
    for position, hour in enumerate(drawn):
        parts, y = [], float(BASE)
        for kind, count in (("done", hour.done), ("cancel", hour.cancelled), ("fail", hour.failed)):
            if count:
                height = HEIGHT * count / top
                y -= height
                parts.append(Part(kind, round(y, 1), round(max(height - 1, 1), 1)))
        bars.append(BarOfHour(LEFT + 3 + STEP * position, tuple(parts), hour.start if hour.start.hour % LABEL_EVERY == 0 else None))
    steps = 2 if top < 5 else 4
    lines = tuple((round(BASE - HEIGHT * share / steps, 1), top * share // steps) for share in range(steps + 1))
    return Chart(
        tuple(bars), lines, sum(hour.done for hour in drawn), sum(hour.cancelled for hour in drawn), sum(hour.failed for hour in drawn)
    )


def _round_up(number: int) -> int:
    """The next count that the lines of the scale divide: 2, 4, 8, 20, 40, 80, 200 …"""
    size = 1
    while True:
        for factor in (2, 4, 8):
            if number <= factor * size:
                return factor * size
        size *= 10
