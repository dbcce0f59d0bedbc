"""The key timeline of the next twelve months: coordinates for an SVG that the server draws. The register is its table twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console.issuer_keys.models import IssuerKeyInfo, KeyState

#: Coordinates of the drawing, in units of its view box.
LEFT: Final = 196
WIDTH: Final = 900
TOP: Final = 48
ROW: Final = 34
MONTHS: Final = 12

#: A key that expires within this time is late.
LATE: Final = timedelta(days=30)

#: What a bar needs to hold the shorter and the longer label.
SHORT_LABEL: Final = 60
LONG_LABEL: Final = 330


@dataclass(frozen=True, slots=True)
class Month:
    """The beginning of a month."""

    x: float
    start: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in which a key has one state.

    Attributes:
        kind: `issue`, `late`, `wait`, `verify` or `gap`.
        x, width: where it is.
        until: when it ends.
        size: 0 where no label fits, 1 for the short one, 2 for the long one.
    """

    kind: str
    x: float
    width: float
    until: datetime | None
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """A key. `is_first` tells whether its issuer's name stands before it; `mark` is the place of its expiry date."""

    key: IssuerKeyInfo
    is_first: bool
    y: int
    bars: tuple[Bar, ...]
    mark: float | None
    mark_kind: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing."""

    months: tuple[Month, ...]
    rows: tuple[Row, ...]
    now: float
    height: int
    left: int = LEFT
    right: int = LEFT + WIDTH


def build_timeline(keys: Sequence[IssuerKeyInfo], now: datetime, most_rows: int | None = None) -> Timeline:
    """Lay out the keys that say something about the coming year.

    Args:
        keys: of any issuers.
        now: the present moment, in the zone whose months are drawn.
        most_rows: how many rows there may be; those of the most urgent issuers stay.
    """
    months = _months(now)
    end = _next_month(months[-1])
    scale = _Scale(months[0], end)
    rows: list[Row] = []
    for issuer_keys in _by_urgency(keys, now):
        if most_rows is not None and rows and len(rows) + len(issuer_keys) > most_rows:
            break
        for position, key in enumerate(issuer_keys):
            y = TOP + ROW * len(rows)
            rows.append(_row(key, issuer_keys, is_first=position == 0, y=y, now=now, scale=scale))
    return Timeline(
        tuple(Month(round(scale(month), 1), month) for month in months),
        tuple(rows),
        round(scale(now), 1),
        TOP + ROW * max(len(rows), 1) + 6,
    )


def is_urgent(key: IssuerKeyInfo, keys: Sequence[IssuerKeyInfo], now: datetime) -> bool:
    """Tell whether the key issues, ends within `LATE`, and none of `keys` follows it."""
    if key.state is not KeyState.ACTIVE or key.expires_at is None or key.expires_at - now > LATE:
        return False
    return not any(
        other.issuer_id == key.issuer_id and other.counter > key.counter and other.state is not KeyState.FAILED for other in keys
    )


class _Scale:
    """Moment -> x, kept within the drawing."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start, self._length = start, (end - start).total_seconds()

    def __call__(self, moment: datetime) -> float:
        share = (moment - self._start).total_seconds() / self._length
        return LEFT + WIDTH * min(max(share, 0.0), 1.0)


def _months(now: datetime) -> list[datetime]:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [first]
    while len(months) < MONTHS:
        months.append(_next_month(months[-1]))
    return months


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _by_urgency(keys: Sequence[IssuerKeyInfo], now: datetime) -> list[list[IssuerKeyInfo]]:
    """The keys that are drawn, per issuer in the order of their counters; the issuer whose issuing ends first comes first."""
    drawn: dict[str, list[IssuerKeyInfo]] = {}
    for key in sorted(keys, key=lambda key: key.counter):
        if key.expires_at is None or key.state in (KeyState.FAILED, KeyState.GENERATING):
            continue
        if key.state is KeyState.RETIRED and key.expires_at < now:
            continue
        drawn.setdefault(key.issuer_id, []).append(key)
    return sorted(drawn.values(), key=lambda own: (_calm(own, now), own[-1].expires_at, own[0].issuer_id))


def _calm(own: list[IssuerKeyInfo], now: datetime) -> int:
    """0 where a key ends soon or is on its way, 1 where one issues, 2 where none does."""
    ends_soon = any(key.state is KeyState.ACTIVE and key.expires_at is not None and key.expires_at - now <= LATE for key in own)
    if ends_soon or any(key.state not in (KeyState.ACTIVE, KeyState.RETIRED) for key in own):
        return 0
    return 1 if any(key.state is KeyState.ACTIVE for key in own) else 2


def _row(key: IssuerKeyInfo, own: list[IssuerKeyInfo], *, is_first: bool, y: int, now: datetime, scale: _Scale) -> Row:
    expires = key.expires_at
    assert expires is not None  # noqa: S101 - _by_urgency keeps no key without
    begin = key.activated_at or key.published_at or key.created_at or now
    late = expires - now <= LATE
    is_last = key is own[-1]
    if key.state is KeyState.ACTIVE:
        first, then = ("late" if late else "issue"), ("gap" if is_last else "verify")
    elif key.state is KeyState.RETIRED:
        first, then = "verify", "verify"
    else:
        first, then, begin = "wait", "verify", key.published_at or key.created_at or now
    bars = []
    start, middle, end = scale(min(begin, expires)), scale(expires), float(LEFT + WIDTH)
    if middle - start > 2:
        bars.append(_bar(first, start, middle, expires))
    if end - middle > 2 and key.state is KeyState.ACTIVE:
        bars.append(_bar(then, middle, end, None))
    mark = round(middle, 1) if LEFT < middle < end else None
    return Row(key, is_first, y, tuple(bars), mark, "bad" if then == "gap" and late else ("warn" if late else "plain"))


def _bar(kind: str, start: float, end: float, until: datetime | None) -> Bar:
    width = end - start - 2
    return Bar(kind, round(start + 1, 1), round(width, 1), until, 2 if width > LONG_LABEL else 1 if width > SHORT_LABEL else 0)
