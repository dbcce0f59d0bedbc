"""Whether this process can do its work: one finding per component, for load balancers and people.

Each check runs on a thread of its own and has a second; a component that has not answered by then is bad, and is not asked again
before it has. A report is kept for a second, so that asking often costs nothing.
"""

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from idemix.clock import Clock

from .archive.service import Archive
from .database import Database
from .scheme_updates import SchemeUpdates
from .schemes import SchemeSource
from .services import SharedServices
from .stores.base import SessionStore

#: How long a component may take to answer, and how long a report is given again.
LIMIT_SECONDS: Final = 1.0
KEEP_SECONDS: Final = 1.0


class State(Enum):
    """How a component is. With a warning the process works, but somebody should look; with a bad one it should get no requests."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        state: how the component is.
        detail: numbers and names that tell more; no secret.
    """

    state: State
    detail: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[], Finding]


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """Where good ends.

    Attributes:
        scheme_max_age: schemes that were signed, or where they are updated were last known to be the newest, longer ago are bad; None
            where any age is fine.
        key_warning: keys that expire sooner are warned of.
        disk_min_bytes: less free space is bad.
    """

    scheme_max_age: timedelta | None = None
    key_warning: timedelta = timedelta(days=30)
    disk_min_bytes: int = 100 << 20


DEFAULT_LIMITS: Final = HealthLimits()


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one moment, by component."""

    findings: Mapping[str, Finding]

    @property
    def state(self) -> State:
        """That of the worst component."""
        found = {finding.state for finding in self.findings.values()}
        return State.BAD if State.BAD in found else State.WARNING if State.WARNING in found else State.OK

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        components = {name: {"status": finding.state.value, **finding.detail} for name, finding in self.findings.items()}
        return {"status": self.state.value, "components": components}


class Health:
    """The health of one application.

    Args:
        checks: by the name of the component.
        limit_seconds: how long a component may take.
        keep_seconds: how long a report is given again.
    """

    def __init__(self, checks: Mapping[str, Check], *, limit_seconds: float = LIMIT_SECONDS, keep_seconds: float = KEEP_SECONDS) -> None:
        self._probes = {name: _Probe(name, check) for name, check in checks.items()}
        self._limit = limit_seconds
        self._keep = keep_seconds
        self._lock = threading.Lock()
        self._last: tuple[float, Report] | None = None
        self._is_stopping = False

    def stop_soon(self) -> None:
        """Be bad from now on, so that no more requests are sent here while the process finishes those that it has."""
        self._is_stopping = True

    def report(self) -> Report:
        """The findings, at most as old as reports are kept."""
        if self._is_stopping:
            return Report({"process": Finding(State.BAD, {"reason": "is stopping"})})
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= self._keep:
                deadline = time.monotonic() + self._limit
                for probe in self._probes.values():
                    probe.begin()
                report = Report({name: probe.finding(deadline) for name, probe in self._probes.items()})
                self._last = (time.monotonic(), report)
            return self._last[1]


class _Probe:
    """Runs one check at a time."""

    def __init__(self, name: str, check: Check) -> None:
        self._name = name
        self._check = check
        self._thread: threading.Thread | None = None
        self._finding = Finding(State.BAD)

    def begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=f"health-{self._name}", daemon=True)
            self._thread.start()

    def finding(self, deadline: float) -> Finding:
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self._thread.is_alive():
                return Finding(State.BAD, {"reason": "does not answer"})
        return self._finding

    def _run(self) -> None:
        try:
            self._finding = self._check()
        except Exception as error:
            # Whatever a check meets means that the component cannot be used; texts may quote addresses and values.
            self._finding = Finding(State.BAD, {"reason": type(error).__name__})


def database_check(database: Database) -> Check:
    """Whether the database answers."""

    def check() -> Finding:
        with database.read() as session:
            session.execute(select(1))
        return Finding(State.OK)

    return check


def store_check(store: SessionStore) -> Check:
    """Whether the store of sessions can be used."""
    return lambda: Finding(State.OK if store.is_healthy() else State.BAD)


def disk_check(directory: Path, limits: HealthLimits) -> Check:
    """Whether the disk of a directory has room."""

    def check() -> Finding:
        free = shutil.disk_usage(directory).free
        return Finding(State.OK if free >= limits.disk_min_bytes else State.BAD, {"free_mib": free >> 20})

    return check


def threads_check(threads: Mapping[str, Callable[[], bool]]) -> Check:
    """Whether what runs in the background still runs."""

    def check() -> Finding:
        ended = [name for name, is_alive in threads.items() if not is_alive()]
        return Finding(State.BAD, {"ended": ended}) if ended else Finding(State.OK)

    return check


def archive_check(archive: Archive) -> Check:
    """Whether the archive is written, and keeps up."""

    def check() -> Finding:
        waiting = archive.waiting
        state = State.OK if waiting < archive.queue_size // 2 else State.WARNING
        return Finding(state if archive.is_alive else State.BAD, {"waiting": waiting, "lost": archive.lost})

    return check


def schemes_check(schemes: SchemeSource, clock: Clock, limits: HealthLimits, updates: SchemeUpdates | None = None) -> Check:
    """Whether there are schemes, and none is too old.

    Where nobody knows whether there is a newer version it is a warning, with since when: sessions go on with the version that is here.
    """

    def check() -> Finding:
        now, found = clock().timestamp(), schemes.current.configuration.schemes.values()
        days = {str(scheme.id): round((now - (scheme.timestamp or 0)) / 86400, 1) for scheme in found}
        if not days:
            return Finding(State.WARNING, {"reason": "there are no schemes"})
        looks = () if updates is None else updates.freshness()
        stale = {look.scheme: look.stale_since for look in looks if look.stale_since is not None}
        # Of schemes that are updated it counts since when nobody knows whether there is a newer version, else when they were signed.
        signed = now - max(days.values()) * 86400
        oldest = signed if updates is None else min((since.timestamp() for since in stale.values()), default=now)
        is_old = limits.scheme_max_age is not None and now - oldest > limits.scheme_max_age.total_seconds()
        detail: dict[str, Any] = {"age_days": days}
        if stale:
            detail["stale_since"] = {scheme: since.isoformat() for scheme, since in stale.items()}
        return Finding(State.BAD if is_old else State.WARNING if stale else State.OK, detail)

    return check


def issuer_keys_check(schemes: SchemeSource, clock: Clock, limits: HealthLimits) -> Check:
    """Whether every issuer whose keys are kept here has one that it can issue with, and for how long."""

    def check() -> Finding:
        now = clock()
        keys = tuple(schemes.current.issuer_keys.newest())
        missing = [str(key.issuer) for key in keys if key.expires_at is None]
        left = {f"{key.issuer}-{key.counter}": key.expires_at - now for key in keys if key.expires_at is not None}
        detail = {"days_left": {name: time.days for name, time in left.items()}} | ({"missing": missing} if missing else {})
        if missing or any(time <= timedelta(0) for time in left.values()):
            return Finding(State.BAD, detail)
        return Finding(State.WARNING if any(time <= limits.key_warning for time in left.values()) else State.OK, detail)

    return check


def installation_checks(services: SharedServices, data_directory: Path, limits: HealthLimits) -> dict[str, Check]:
    """The checks of what console and gateway of one installation share."""
    redis = services.redis
    return {
        "database": database_check(services.database),
        **({} if redis is None else {"redis": lambda: Finding(State.OK if redis.ping() else State.BAD)}),
        "disk": disk_check(data_directory, limits),
        "archive": archive_check(services.archive),
        "changes": threads_check({"changes": lambda: services.changes.is_alive}),
    }
