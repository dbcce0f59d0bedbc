"""Health: every component has its finding, and one that hangs keeps nobody waiting."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.archive.service import Archive
from gateway.database import Database
from gateway.health import (
    Check,
    Finding,
    Health,
    HealthLimits,
    State,
    archive_check,
    database_check,
    disk_check,
    issuer_keys_check,
    schemes_check,
    store_check,
    threads_check,
)
from gateway.scheme_updates import SchemeFreshness
from gateway.schemes import FixedSchemes, SchemeDirectories
from gateway.stores.redis import RedisStore
from idemix.keys.private import PrivateKey
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import IssuerId
from tests.support.clock import START, SettableClock
from tests.support.gateways import TestGateway, irma_demo
from tests.support.processes import free_port

RU = IssuerId("irma-demo.RU")


def bad() -> Finding:
    return Finding(State.BAD, {"reason": "broken"})


def ring_of_ru() -> FixedSchemes:
    """The scheme irma-demo, with the newest key of RU in the key folder."""
    configuration = irma_demo()
    counter = configuration.latest_public_key(RU).counter
    return FixedSchemes(configuration, {RU: {counter: configuration.private_key(RU, counter)}})


@pytest.mark.feature("F1.1")
def test_live_and_ready_stand_beside_the_references_health(gateway: TestGateway) -> None:
    assert gateway.client.get("/health").text == "OK"
    live = gateway.client.get("/health/live")
    assert (live.status_code, live.get_json()) == (200, {"status": "ok"})
    ready = gateway.client.get("/health/ready")
    assert (ready.status_code, ready.headers["Cache-Control"]) == (200, "no-store")
    assert ready.get_json()["components"]["sessions"] == {"status": "ok"}
    assert "irma-demo" in ready.get_json()["components"]["schemes"]["age_days"]


def test_paths_beside_them_are_unknown_as_in_the_reference(gateway: TestGateway) -> None:
    for path in ("/health/", "/health/x", "/health/ready/", "/metrics"):
        answer = gateway.client.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert gateway.client.post("/health/ready").status_code == 405


@pytest.mark.feature("F1.2")
@pytest.mark.parametrize("component", ["database", "redis", "disk", "archive"])
def test_one_bad_component_is_told_with_503(make_gateway: Callable[..., TestGateway], component: str) -> None:
    gateway = make_gateway({"checks": {component: bad, "other": lambda: Finding(State.OK)}})
    answer = gateway.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "bad"
    assert answer.get_json()["components"][component] == {"status": "bad", "reason": "broken"}
    assert answer.get_json()["components"]["other"] == {"status": "ok"}
    assert gateway.client.get("/health/live").status_code == 200


def test_process_that_stops_is_bad_before_it_stops(gateway: TestGateway) -> None:
    gateway.gateway.health.stop_soon()
    answer = gateway.client.get("/health/ready")
    assert (answer.status_code, answer.get_json()["components"]) == (503, {"process": {"status": "bad", "reason": "is stopping"}})
    assert gateway.client.get("/health/live").status_code == 200


def test_component_that_hangs_is_bad_and_not_asked_again() -> None:
    release, asked = threading.Event(), []

    def hang() -> Finding:
        asked.append(1)
        release.wait()
        return Finding(State.OK)

    health = Health({"slow": hang, "quick": lambda: Finding(State.OK)}, limit_seconds=0.05, keep_seconds=0)
    for _ in range(3):
        began = time.monotonic()
        report = health.report()
        assert time.monotonic() - began < 5
        assert report.findings == {"slow": Finding(State.BAD, {"reason": "does not answer"}), "quick": Finding(State.OK)}
    assert asked == [1]
    release.set()


def test_report_is_kept_for_a_while() -> None:
    asked = []

    def count() -> Finding:
        asked.append(1)
        return Finding(State.OK)

    health = Health({"it": count}, keep_seconds=60)
    assert [health.report().state for _ in range(5)] == [State.OK] * 5
    assert asked == [1]


def test_words_of_an_error_are_not_told() -> None:
    def fail() -> Finding:
        raise ValueError("postgresql://user:canary@host")

    assert Health({"it": fail}).report().to_json() == {"status": "bad", "components": {"it": {"status": "bad", "reason": "ValueError"}}}


def test_database(database: Database) -> None:
    assert database_check(database)().state is State.OK


def test_database_that_is_away(tmp_path: Path) -> None:
    database = Database(f"postgresql://127.0.0.1:{free_port()}/nowhere")
    assert Health({"database": database_check(database)}, limit_seconds=30).report().state is State.BAD
    database.close()


def test_redis_that_is_away(clock: SettableClock) -> None:
    import redis

    store = RedisStore(redis.Redis(port=free_port()), clock)
    assert store_check(store)().state is State.BAD
    store.close()


def test_disk(tmp_path: Path) -> None:
    assert disk_check(tmp_path, HealthLimits(disk_min_bytes=1))().state is State.OK
    full = disk_check(tmp_path, HealthLimits(disk_min_bytes=1 << 60))()
    assert full.state is State.BAD
    assert full.detail["free_mib"] > 0


@pytest.mark.parametrize(("most", "state"), [(None, State.OK), (timedelta(days=36500), State.OK), (timedelta(minutes=1), State.BAD)])
def test_age_of_schemes(most: timedelta | None, state: State) -> None:
    finding = schemes_check(FixedSchemes(irma_demo()), SettableClock(), HealthLimits(scheme_max_age=most))()
    assert finding.state is state
    assert finding.detail["age_days"]["irma-demo"] > 0


class _Updates:
    """Tells that nobody knows since ten days whether there is a newer irma-demo."""

    def freshness(self) -> tuple[SchemeFreshness, ...]:
        own = SchemeFreshness("own", START - timedelta(days=900), is_own=True)
        return (own, SchemeFreshness("irma-demo", START, stale_since=START - timedelta(days=10)))


@pytest.mark.feature("F1.2")
@pytest.mark.parametrize(("days", "state"), [(None, State.WARNING), (11, State.WARNING), (9, State.BAD)])
def test_scheme_that_may_be_behind_is_told_with_since_when(days: int | None, state: State) -> None:
    limits = HealthLimits(scheme_max_age=None if days is None else timedelta(days=days))
    finding = schemes_check(FixedSchemes(irma_demo()), SettableClock(), limits, _Updates())()  # type: ignore[arg-type]
    assert finding.state is state
    assert finding.detail["stale_since"] == {"irma-demo": (START - timedelta(days=10)).isoformat()}


def test_no_schemes_are_warned_of() -> None:
    assert schemes_check(FixedSchemes(Configuration()), SettableClock(), HealthLimits())().state is State.WARNING


def test_issuer_keys() -> None:
    schemes = ring_of_ru()
    key = irma_demo().latest_public_key(RU)
    for days, state in ((100, State.OK), (20, State.WARNING), (0, State.BAD)):
        clock = SettableClock(START)
        clock.now = clock.now.fromtimestamp(key.expires_at, START.tzinfo) - timedelta(days=days)
        finding = issuer_keys_check(schemes, clock, HealthLimits())()
        assert (finding.state, finding.detail) == (state, {"days_left": {f"irma-demo.RU-{key.counter}": days}})


class _Custody:
    """Says that an issuer has an activated key, which is published nowhere."""

    def active(self) -> dict[str, dict[int, str]]:
        return {"irma-demo.Nobody": {0: "fingerprint"}}

    def private_key(self, issuer_id: str, counter: int) -> PrivateKey:
        raise AssertionError("it is published nowhere, so it is never opened")


def test_issuer_without_a_key_that_can_be_used_is_bad(tmp_path: Path, clock: SettableClock) -> None:
    finding = issuer_keys_check(SchemeDirectories(tmp_path, None, _Custody(), clock), clock, HealthLimits())()
    assert finding == Finding(State.BAD, {"days_left": {}, "missing": ["irma-demo.Nobody"]})


@pytest.mark.parametrize(("alive", "state"), [(True, State.OK), (False, State.BAD)])
def test_threads(alive: bool, state: State) -> None:
    check: Check = threads_check({"changes": lambda: alive})
    assert check() == Finding(state, {} if alive else {"ended": ["changes"]})


def test_archive(database: Database) -> None:
    archive = Archive(database, queue_size=2)
    assert archive_check(archive)() == Finding(State.BAD, {"waiting": 0, "lost": 0})
    archive.start()
    assert archive_check(archive)().state is State.OK
    archive.stop()
