"""Counting what requestors start: the rate, the daily quota, and requests that came before. In memory or in Redis.

All limits of a request are asked and taken in one step, so that two workers never both take the last place, and a request that one
limit refuses uses up none of the others. The rate is a token bucket, kept as one number: the moment at which the bucket will be full
again (the generic cell rate algorithm, ITU-T I.371 annex A). Moments are whole microseconds since 1970, which Lua's numbers hold.

Keys in Redis, each with the prefix of the configuration: `limit:rate:<requestor>` and `limit:day:<requestor>:<date>` hold numbers,
`limit:request:<requestor>:<SHA-256>` marks a request. Every key ends by itself, and outlives the workers.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol

from .requestors.limits import Limits
from .stores.base import SessionStore
from .stores.commands import Commands, Script
from .stores.redis import RedisStore

MINUTE: Final = 60_000_000
SECOND: Final = 1_000_000
#: The day's counter outlives the day by this, in seconds.
_DAY_KEPT: Final = 86_400
#: How many requests of memory are looked through for those that are over, at each one that is taken.
_FORGOTTEN_AT_ONCE: Final = 4


class Exceeded(Enum):
    """Which limit refuses."""

    REPLAYED = "replay_window_seconds"
    RATE = "rate_per_minute"
    DAY = "sessions_per_day"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit refuses a request.

    Attributes:
        limit: which.
        retry_after: seconds after which it would no longer refuse.
    """

    limit: Exceeded
    retry_after: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request takes of its requestor's limits.

    Attributes:
        requestor: its name.
        now: the moment, in microseconds.
        interval: microseconds in which one place of the bucket fills; 0 for no rate.
        burst: places of the bucket.
        day: the day that it counts to.
        quota: sessions a day; 0 for no quota.
        day_ends: when the next day begins, in microseconds.
        request: the SHA-256 of what must not come again, "" where it may.
        window: for how long it must not, in microseconds.
    """

    requestor: str
    now: int
    interval: int
    burst: int
    day: str
    quota: int
    day_ends: int
    request: str
    window: int

    @classmethod
    def of(cls, requestor: str, limits: Limits, now: datetime, request: bytes | None) -> "Ticket":
        """The ticket of a request.

        Args:
            requestor: its name.
            limits: its limits.
            now: the moment.
            request: what tells the request from others, e.g. its body; None for one that may come again.
        """
        quota = limits.sessions_per_day or 0
        return cls(
            requestor=requestor,
            now=microseconds(now),
            interval=MINUTE // limits.rate_per_minute if limits.rate_per_minute else 0,
            burst=limits.burst_size,
            day=limits.day(now).isoformat() if quota else "",
            quota=quota,
            day_ends=microseconds(limits.end_of_day(now)) if quota else 0,
            request="" if limits.replay_window_seconds is None or request is None else hashlib.sha256(request).hexdigest(),
            window=(limits.replay_window_seconds or 0) * SECOND,
        )


class Limiter(Protocol):
    """Counts what requestors start. All methods may be called from any thread."""

    def take(self, ticket: Ticket) -> Refusal | None:
        """Take what a request needs of all limits, or nothing and say which limit refuses.

        Raises:
            StoreError: the counters cannot be reached; nothing may be started then.
        """
        ...

    def give_back(self, ticket: Ticket) -> None:
        """Undo `take` for a request that did not become a session.

        Raises:
            StoreError: the counters cannot be reached.
        """
        ...


def microseconds(moment: datetime) -> int:
    """A moment as whole microseconds since 1970."""
    return round(moment.timestamp() * SECOND)


def full_at(full: int, now: int, interval: int, burst: int) -> tuple[int, int]:
    """Take one place of a token bucket.

    A bucket of `burst` places gets one back every `interval`. It is full from `full` on, so that at `now` the places missing are
    (full − now) / interval, rounded up; one can be taken while full + interval ≤ now + burst · interval.

    Args:
        full: when the bucket is full; a moment in the past for a full one.
        now: the moment.
        interval: until a place is back.
        burst: the places.

    Returns:
        When the bucket is full after it, and how long to wait; where that is above 0, nothing was taken.
    """
    taken = max(full, now) + interval
    wait = taken - now - burst * interval
    return (full, wait) if wait > 0 else (taken, 0)


def seconds(wait: int) -> int:
    """Microseconds as whole seconds for `Retry-After`, at least one."""
    return max(1, -(-wait // SECOND))


class MemoryLimiter:
    """A `Limiter` of one process, which forgets everything with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full: dict[str, int] = {}
        self._days: dict[str, tuple[str, int]] = {}
        self._requests: dict[tuple[str, str], int] = {}

    def take(self, ticket: Ticket) -> Refusal | None:
        with self._lock:
            self._forget(ticket.now)
            key = (ticket.requestor, ticket.request)
            if ticket.request and self._requests.get(key, 0) > ticket.now:
                return Refusal(Exceeded.REPLAYED, seconds(self._requests[key] - ticket.now))
            full, wait = self._full.get(ticket.requestor, 0), 0
            if ticket.interval:
                full, wait = full_at(full, ticket.now, ticket.interval, ticket.burst)
            if wait:
                return Refusal(Exceeded.RATE, seconds(wait))
            started = self._started(ticket)
            if ticket.quota and started >= ticket.quota:
                return Refusal(Exceeded.DAY, seconds(ticket.day_ends - ticket.now))
            if ticket.interval:
                self._full[ticket.requestor] = full
            if ticket.quota:
                self._days[ticket.requestor] = (ticket.day, started + 1)
            if ticket.request:
                self._requests[key] = ticket.now + ticket.window
        return None

    def give_back(self, ticket: Ticket) -> None:
        with self._lock:
            if ticket.interval and ticket.requestor in self._full:
                self._full[ticket.requestor] -= ticket.interval
            if ticket.quota and self._started(ticket):
                self._days[ticket.requestor] = (ticket.day, self._started(ticket) - 1)
            self._requests.pop((ticket.requestor, ticket.request), None)

    def _started(self, ticket: Ticket) -> int:
        day, started = self._days.get(ticket.requestor, ("", 0))
        return started if day == ticket.day else 0

    def _forget(self, now: int) -> None:
        """Look through a few requests, the oldest first, and keep those that must still not come again, as the newest."""
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(self._requests))):
            key = next(iter(self._requests))
            until = self._requests.pop(key)
            if until > now:
                self._requests[key] = until


#: KEYS: bucket, day, request; ARGV: now, interval, burst, quota, milliseconds to live of the day, whether requests are remembered,
#: milliseconds of that. Gives which limit refuses (0 for none) and the microseconds to wait.
_TAKE: Final = Script("""
local now, interval, burst, quota = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if ARGV[6] == '1' then
  local left = redis.call('PTTL', KEYS[3])
  if left > 0 then return {1, string.format('%.0f', left * 1000)} end
end
local taken = 0
if interval > 0 then
  taken = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval
  local wait = taken - now - burst * interval
  if wait > 0 then return {2, string.format('%.0f', wait)} end
end
if quota > 0 and tonumber(redis.call('GET', KEYS[2]) or '0') >= quota then return {3, '0'} end
if interval > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000) + 1000)
end
if quota > 0 then
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if ARGV[6] == '1' then redis.call('SET', KEYS[3], '1', 'PX', ARGV[7]) end
return {0, '0'}
""")

_GIVE_BACK: Final = Script("""
local interval = tonumber(ARGV[2])
local full = redis.call('GET', KEYS[1])
if interval > 0 and full then redis.call('SET', KEYS[1], string.format('%.0f', tonumber(full) - interval), 'KEEPTTL') end
if tonumber(ARGV[4]) > 0 and tonumber(redis.call('GET', KEYS[2]) or '0') > 0 then redis.call('DECR', KEYS[2]) end
if ARGV[6] == '1' then redis.call('DEL', KEYS[3]) end
return 0
""")

_LIMITS: Final = (None, Exceeded.REPLAYED, Exceeded.RATE, Exceeded.DAY)


class RedisLimiter:
    """A `Limiter` that all workers share, and that outlives them.

    Args:
        commands: sends them.
        prefix: goes before every key, for servers whose access lists ask it.
    """

    def __init__(self, commands: Commands, prefix: str = "") -> None:
        self._prefix = prefix
        self._commands = commands

    def take(self, ticket: Ticket) -> Refusal | None:
        number, wait = self._commands.run(_TAKE, self._keys(ticket), _arguments(ticket))
        limit = _LIMITS[number]
        if limit is None:
            return None
        return Refusal(limit, seconds(ticket.day_ends - ticket.now if limit is Exceeded.DAY else int(wait)))

    def give_back(self, ticket: Ticket) -> None:
        self._commands.run(_GIVE_BACK, self._keys(ticket), _arguments(ticket))

    def _keys(self, ticket: Ticket) -> list[str]:
        prefix = f"{self._prefix}limit"
        name = ticket.requestor
        return [f"{prefix}:rate:{name}", f"{prefix}:day:{name}:{ticket.day}", f"{prefix}:request:{name}:{ticket.request}"]


def _arguments(ticket: Ticket) -> list[int]:
    kept = timedelta(microseconds=max(ticket.day_ends - ticket.now, 0)) + timedelta(seconds=_DAY_KEPT)
    return [
        ticket.now,
        ticket.interval,
        ticket.burst,
        ticket.quota,
        int(kept.total_seconds() * 1000),
        int(bool(ticket.request)),
        ticket.window // 1000,
    ]


def limiter_beside(store: SessionStore) -> Limiter:
    """The limiter that reaches as far as a store of sessions does: over all workers in Redis, or within one process."""
    return RedisLimiter(store.commands, store.prefix) if isinstance(store, RedisStore) else MemoryLimiter()
