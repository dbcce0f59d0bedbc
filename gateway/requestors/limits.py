"""How much a requestor may ask, from where and when. Without limits, as by default, a requestor is treated as irma server treats it."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..inputs import Errors, Message

#: The most that a limit can be; more is none.
MOST: Final = 1_000_000
MOST_ENTRIES: Final = 200
#: The longest time for which requests are remembered, in seconds.
LONGEST_REPLAY_WINDOW: Final = 86_400

_MINUTES: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Hours:
    """A time of the day, on some days of the week.

    Attributes:
        days: `monday` to `sunday`.
        begin, end: `HH:MM`, the end excluded and at most `24:00`. An end that is not later than its beginning lies on the next day.
    """

    days: tuple[str, ...]
    begin: str = "00:00"
    end: str = "24:00"

    def check(self, errors: Errors, where: str) -> None:
        """Note what breaks a rule."""
        known = bool(self.days) and len(set(self.days)) == len(self.days) and set(self.days) <= set(_DAYS)
        errors.check(known, f"{where}.days", Message("must be days of the week, each once: %(days)s", days=", ".join(_DAYS)))
        rule = Message("must be a time of the day as HH:MM")
        errors.check(bool(_MINUTES.fullmatch(self.begin)) and self.begin != "24:00", f"{where}.begin", rule)
        errors.check(bool(_MINUTES.fullmatch(self.end)), f"{where}.end", rule)

    def hold(self, moment: datetime) -> bool:
        """Whether a local time lies within."""
        now = f"{moment:%H:%M}"
        today, yesterday = _DAYS[moment.weekday()], _DAYS[moment.weekday() - 1]
        if self.begin < self.end:
            return today in self.days and self.begin <= now < self.end
        return (today in self.days and self.begin <= now) or (yesterday in self.days and now < self.end)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one requestor.

    Attributes:
        rate_per_minute: how many sessions it may start a minute in the long run; None for no limit.
        burst: how many it may start at once after a pause; as many as `rate_per_minute` where it is None.
        concurrent_sessions: how many of its sessions may run at a time.
        sessions_per_day: how many it may start on a day of its time zone.
        addresses: the networks (CIDR) or single addresses from which its backend may call; empty for all.
        hours: when it may start sessions; empty for always.
        time_zone: of days and hours, by its name in the tz database.
        replay_window_seconds: for how long a request that started a session is refused when it comes again, known by its claim `jti`
            or, without one, by its whole body; None for irma server's behaviour, which takes it as often as it comes.
    """

    rate_per_minute: int | None = None
    burst: int | None = None
    concurrent_sessions: int | None = None
    sessions_per_day: int | None = None
    addresses: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    time_zone: str = "UTC"
    replay_window_seconds: int | None = None

    def check(self, errors: Errors) -> None:
        """Note what breaks a rule."""
        for name in ("rate_per_minute", "burst", "concurrent_sessions", "sessions_per_day"):
            value = getattr(self, name)
            errors.check(value is None or 1 <= value <= MOST, name, Message("must be from 1 to %(most)d", most=MOST))
        window = self.replay_window_seconds
        rule = Message("must be from 1 to %(most)d", most=LONGEST_REPLAY_WINDOW)
        errors.check(window is None or 1 <= window <= LONGEST_REPLAY_WINDOW, "replay_window_seconds", rule)
        errors.check(self.burst is None or self.rate_per_minute is not None, "burst", Message("has no meaning without rate_per_minute"))
        for name in ("addresses", "hours"):
            errors.check(len(getattr(self, name)) <= MOST_ENTRIES, name, Message("must have at most %(limit)d entries", limit=MOST_ENTRIES))
        for number, address in enumerate(self.addresses):
            if not _is_network(address):
                errors.add(f"addresses.{number}", Message("must be an IP address or a network such as 192.0.2.0/24"))
        for number, hours in enumerate(self.hours):
            hours.check(errors, f"hours.{number}")
        errors.check(_is_zone(self.time_zone), "time_zone", Message("must be a time zone such as Europe/Amsterdam"))

    @property
    def burst_size(self) -> int:
        """How many sessions may be started at once."""
        return self.burst or self.rate_per_minute or 0

    @property
    def are_counted(self) -> bool:
        """Whether something must be counted before a session starts; the number of running sessions is counted by the store."""
        return any(value is not None for value in (self.rate_per_minute, self.sessions_per_day, self.replay_window_seconds))

    def allowing_address(self, address: str) -> str | None:
        """The entry that allows an address, or None."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return next((entry for entry in self.addresses if found in _network(entry)), None)

    def local(self, moment: datetime) -> datetime:
        """A moment in the requestor's time zone."""
        return moment.astimezone(ZoneInfo(self.time_zone))

    def allows_moment(self, moment: datetime) -> bool:
        """Whether sessions may be started at a moment."""
        local = self.local(moment)
        return not self.hours or any(hours.hold(local) for hours in self.hours)

    def day(self, moment: datetime) -> date:
        """The day that a moment counts to."""
        return self.local(moment).date()

    def end_of_day(self, moment: datetime) -> datetime:
        """When the next day begins."""
        return datetime.combine(self.day(moment) + timedelta(days=1), time(), ZoneInfo(self.time_zone))

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Limits":
        """Read what was stored."""
        if not data:
            return NO_LIMITS
        hours = tuple(Hours(tuple(one["days"]), one["begin"], one["end"]) for one in data["hours"])
        return cls(**{**data, "addresses": tuple(data["addresses"]), "hours": hours})


NO_LIMITS: Final = Limits()


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def _is_network(text: str) -> bool:
    try:
        _network(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
