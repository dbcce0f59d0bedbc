"""Counting what requestors start: each limiter, the token bucket against its definition, and what Redis keeps."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limiter import MINUTE, Exceeded, Limiter, MemoryLimiter, RedisLimiter, Refusal, Ticket, full_at, limiter_beside
from gateway.requestors.limits import Limits
from gateway.stores.base import StoreError
from gateway.stores.commands import Commands
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from tests.support.clock import START, SettableClock
from tests.support.redis import RedisServer, running_redis


@pytest.fixture(params=["memory", "redis"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    """Each limiter, empty."""
    if request.param == "memory":
        return MemoryLimiter()
    server: RedisServer = request.getfixturevalue("redis_server")
    server.client().flushall()
    return RedisLimiter(Commands(server.client()), "gateway:")


def ticket(limits: Limits, after: float = 0, request: bytes | None = b"request", name: str = "shop") -> Ticket:
    return Ticket.of(name, limits, START + timedelta(seconds=after), request)


def test_the_rate_is_a_token_bucket(limiter: Limiter) -> None:
    limits = Limits(rate_per_minute=6, burst=3)
    assert [limiter.take(ticket(limits)) for _ in range(3)] == [None] * 3
    assert limiter.take(ticket(limits)) == Refusal(Exceeded.RATE, 10)
    assert limiter.take(ticket(limits, 9.5)) == Refusal(Exceeded.RATE, 1)
    assert limiter.take(ticket(limits, 10)) is None
    assert limiter.take(ticket(limits, 10)) == Refusal(Exceeded.RATE, 10)
    assert limiter.take(ticket(limits, name="other")) is None
    # After a long pause the bucket is full, and not fuller.
    assert [limiter.take(ticket(limits, 3600)) for _ in range(4)] == [None, None, None, Refusal(Exceeded.RATE, 10)]


def test_without_a_burst_a_whole_minute_may_come_at_once(limiter: Limiter) -> None:
    limits = Limits(rate_per_minute=4)
    assert [limiter.take(ticket(limits)) for _ in range(5)] == [None] * 4 + [Refusal(Exceeded.RATE, 15)]


def test_the_quota_is_of_a_day_in_the_time_zone(limiter: Limiter) -> None:
    limits = Limits(sessions_per_day=2, time_zone="Europe/Amsterdam")
    # START is noon UTC, one o'clock in Amsterdam: eleven hours are left.
    assert [limiter.take(ticket(limits)) for _ in range(3)] == [None, None, Refusal(Exceeded.DAY, 11 * 3600)]
    assert limiter.take(ticket(limits, 11 * 3600 - 1)) == Refusal(Exceeded.DAY, 1)
    assert limiter.take(ticket(limits, 11 * 3600)) is None


def test_a_request_is_taken_once_in_the_window(limiter: Limiter) -> None:
    limits = Limits(replay_window_seconds=60)
    assert limiter.take(ticket(limits)) is None
    refusal = limiter.take(ticket(limits))
    assert refusal is not None
    assert (refusal.limit, 59 <= refusal.retry_after <= 60) == (Exceeded.REPLAYED, True)
    assert limiter.take(ticket(limits, request=b"another")) is None
    assert limiter.take(ticket(limits, name="another")) is None
    assert [limiter.take(ticket(limits, request=None)) for _ in range(2)] == [None, None]
    assert [limiter.take(ticket(Limits(sessions_per_day=9))) for _ in range(2)] == [None, None]


def test_a_refused_request_uses_nothing_up(limiter: Limiter) -> None:
    limits = Limits(rate_per_minute=60, sessions_per_day=1, replay_window_seconds=60)
    assert limiter.take(ticket(limits)) is None
    for _ in range(3):
        assert limiter.take(ticket(limits, 1, b"second")) == Refusal(Exceeded.DAY, 12 * 3600 - 1)
    # Tomorrow the second request is new, and the bucket is full.
    day = 24 * 3600
    assert limiter.take(ticket(limits, day, b"second")) is None


def test_what_became_no_session_is_given_back(limiter: Limiter) -> None:
    limits = Limits(rate_per_minute=1, burst=1, sessions_per_day=1, replay_window_seconds=60)
    for _ in range(3):
        assert limiter.take(ticket(limits)) is None
        limiter.give_back(ticket(limits))
    assert limiter.take(ticket(limits)) is None
    assert limiter.take(ticket(limits)) is not None


def test_of_many_at_once_no_more_pass_than_may(limiter: Limiter) -> None:
    limits = Limits(rate_per_minute=1, burst=7, sessions_per_day=9)
    passed: list[int] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        passed.extend(1 for number in range(10) if limiter.take(ticket(limits, request=str(number).encode())) is None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 7


def test_memory_forgets_requests_that_are_over() -> None:
    limiter = MemoryLimiter()
    limits = Limits(replay_window_seconds=1)
    for number in range(2000):
        assert limiter.take(ticket(limits, number, str(number).encode())) is None
    assert len(limiter._requests) <= 2


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    return draw(st.integers(1, 120)), draw(st.integers(1, 20)), draw(st.lists(st.integers(0, 40_000_000), min_size=1, max_size=60))


@given(arrivals())
def test_one_number_keeps_the_bucket(case: tuple[int, int, list[int]]) -> None:
    """Against the definition: a bucket of `burst` places, one back each interval, in exact arithmetic."""
    rate, burst, pauses = case
    interval = MINUTE // rate
    full, now, last = 0, 1_000_000_000, 1_000_000_000
    places = Fraction(burst)
    for pause in pauses:
        now += pause
        places = min(Fraction(burst), places + Fraction(now - last, interval))
        last = now
        full, wait = full_at(full, now, interval, burst)
        assert (wait == 0) == (places >= 1)
        if wait:
            # After exactly the wait there is a place, and not a microsecond before.
            assert places + Fraction(wait, interval) >= 1 > places + Fraction(wait - 1, interval)
        else:
            places -= 1


@given(arrivals())
def test_in_any_stretch_no_more_pass_than_burst_and_rate_allow(case: tuple[int, int, list[int]]) -> None:
    rate, burst, pauses = case
    interval = MINUTE // rate
    full, now = 0, 1_000_000_000
    passed: list[int] = []
    for pause in pauses:
        now += pause
        full, wait = full_at(full, now, interval, burst)
        if not wait:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) // interval


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


def test_counts_outlive_the_worker_and_end_by_themselves(redis_server: RedisServer) -> None:
    client = redis_server.client()
    client.flushall()
    limits = Limits(rate_per_minute=1, burst=1, sessions_per_day=1, replay_window_seconds=60)
    assert RedisLimiter(Commands(redis_server.client())).take(ticket(limits)) is None
    refusal = RedisLimiter(Commands(redis_server.client())).take(ticket(limits))
    assert refusal is not None
    keys = list(client.scan_iter())
    assert len(keys) == 3
    assert all(0 < client.pttl(key) <= 36 * 3600 * 1000 + 1000 for key in keys)


def test_without_redis_nothing_passes(own_redis: RedisServer) -> None:
    limiter = RedisLimiter(Commands(own_redis.client()))
    own_redis.stop()
    with pytest.raises(StoreError):
        limiter.take(ticket(Limits(rate_per_minute=1)))
    with pytest.raises(StoreError):
        limiter.give_back(ticket(Limits(rate_per_minute=1)))


def test_the_limiter_reaches_as_far_as_the_store(redis_server: RedisServer) -> None:
    clock = SettableClock()
    store = RedisStore(redis_server.client(), clock, "p:")
    assert isinstance(limiter_beside(store), RedisLimiter)
    assert isinstance(limiter_beside(MemoryStore(clock)), MemoryLimiter)
    store.close()
