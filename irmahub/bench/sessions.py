"""Measures whole sessions: create, connect, prove or commit, result, in units of one modular exponentiation of 2048 bits."""

import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import jwt

from irmahub.bench.content import PREPARATIONS
from irmahub.bench.generator import Load, Measured, drive
from irmahub.bench.http import LoadError
from irmahub.bench.installation import REQUESTOR, Installation, running_installation
from irmahub.bench.profile import largest, read_profile
from irmahub.bench.server import PROFILE

KINDS: Final = tuple(PREPARATIONS)
STORES: Final = ("redis", "memory")
AUTHENTICATIONS: Final = ("open", "rs256")

#: How many requests are signed beforehand; they take turns.
_SIGNED: Final = 16

#: The subject of a signed request, and the claim that holds it.
_JWT_SHAPES: Final = {"disclosure": ("verification_request", "sprequest"), "issuance": ("issue_request", "iprequest")}


@dataclass(frozen=True, slots=True)
class SessionsRow:
    """The figures of one kind of session; each the median of its runs.

    Attributes:
        type: `disclosure` or `issuance`.
        store: `redis` or `memory`.
        auth: `open` or `rs256`.
        clients: sessions at a time.
        runs: how many runs the figures are the medians of.
        sessions_per_second: as time passes, with the generator on the same cores.
        sessions_per_server_core_unit: sessions in one core's time for one exponentiation, of the processor time of gateway, worker
            and Redis.
        p50_ms, p95_ms, p99_ms: of whole sessions.
        unit_ms: processor time of one exponentiation during the run.
        cpu_ms_per_session: of the server.
        redis_cpu_ms_per_session: of Redis alone; 0 where there is none.
        generator_share: of all processor time.
    """

    type: str
    store: str
    auth: str
    clients: int
    runs: int
    sessions_per_second: float
    sessions_per_server_core_unit: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    unit_ms: float
    cpu_ms_per_session: float
    redis_cpu_ms_per_session: float
    generator_share: float

    def to_json(self) -> dict[str, str | int | float]:
        """The figures as data."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class SessionsProfile:
    """What a session costs part by part.

    Attributes:
        type, store, auth: as of `SessionsRow`.
        milliseconds: processor time of one session by part, the largest first; see `irmahub.bench.profile`.
    """

    type: str
    store: str
    auth: str
    milliseconds: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The figures as data."""
        rounded = {part: round(value, 3) for part, value in self.milliseconds.items()}
        names = [part for part, _ in largest(self.milliseconds)]
        return {"type": self.type, "store": self.store, "auth": self.auth, "largest_beside_proof": names, "cpu_ms_per_session": rounded}


def run(
    *,
    kinds: Sequence[str] = KINDS,
    stores: Sequence[str] = STORES,
    authentications: Sequence[str] = AUTHENTICATIONS,
    clients: int = 16,
    seconds: float = 20.0,
    runs: int = 1,
    max_sessions: int = 1_000_000,
    environment: Mapping[str, str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[SessionsRow]:
    """Measure sessions. One installation is started for each store and kind of authentication, and stopped again.

    Args:
        kinds, stores, authentications: what is measured; every combination.
        clients: sessions at a time.
        seconds, max_sessions: the end of a run, whichever comes first.
        runs: of every combination.
        environment: settings of the installation that differ from the default.
        report: told what is measured next.

    Raises:
        BenchError: something that it takes is not installed.
        LoadError: a session did not end as it should, or a process of the server died.
    """
    rows = []
    for store, auth in product(stores, authentications):
        with running_installation(store=store, opens=auth == "open", environment=environment) as installation:
            for kind in kinds:
                report(f"{kind}, sessions in {store}, {auth} authentication")
                figures = []
                for _ in range(runs):
                    load = make_load(installation, kind, auth, clients=clients, seconds=seconds, max_sessions=max_sessions)
                    figures.append(_figures(drive_apart(load)))
                medians = {name: statistics.median(one[name] for one in figures) for name in figures[0]}
                rows.append(SessionsRow(kind, store, auth, clients, runs, **medians))
    return rows


def profile(
    *,
    kinds: Sequence[str],
    stores: Sequence[str],
    authentications: Sequence[str],
    clients: int = 16,
    seconds: float = 20.0,
    runs: int = 1,
    max_sessions: int = 1_000_000,
    environment: Mapping[str, str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[SessionsProfile]:
    """Find what sessions cost part by part, on an installation for each kind of session; arguments and errors as of `run`."""
    found = []
    for store, auth, kind in product(stores, authentications, kinds):
        report(f"{kind}, sessions in {store}, {auth} authentication")
        with tempfile.TemporaryDirectory(prefix="irmahub-profile-") as folder:
            variables = {**(environment or {}), PROFILE: folder}
            with running_installation(store=store, opens=auth == "open", environment=variables) as installation:
                for _ in range(runs):
                    drive_apart(make_load(installation, kind, auth, clients=clients, seconds=seconds, max_sessions=max_sessions))
            # The processes have written their figures when they ended.
            found.append(SessionsProfile(kind, store, auth, read_profile(Path(folder))))
    return found


def drive_apart(load: Load) -> Measured:
    """Drive a load from a process of its own.

    Raises:
        LoadError: as `drive`; or a process of the server died.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(drive, load).result()
        except FileNotFoundError as error:
            raise LoadError("a process of the server died during the run") from error


def make_load(installation: Installation, kind: str, auth: str, *, clients: int, seconds: float, max_sessions: int) -> Load:
    """Describe the load for one kind of session."""
    request = PREPARATIONS[kind].request
    if auth == "open":
        bodies, headers = [json.dumps(request).encode()], "Content-Type: application/json\r\n"
    else:
        bodies, headers = [_signed(installation, kind, request, number) for number in range(_SIGNED)], "Content-Type: text/plain\r\n"
    return Load(
        address=installation.settings.gateway_address,
        kind=kind,
        holder=installation.holder,
        bodies=bodies,
        headers=headers,
        clients=clients,
        seconds=seconds,
        max_sessions=max_sessions,
        processes=installation.processes,
    )


def _signed(installation: Installation, kind: str, request: Mapping[str, Any], number: int) -> bytes:
    subject, claim = _JWT_SHAPES[kind]
    claims = {"iss": REQUESTOR, "sub": subject, "iat": int(time.time()), "jti": str(number), claim: {"request": request}}
    return jwt.encode(claims, installation.requestor_key, algorithm="RS256", headers={"kid": REQUESTOR}).encode()


def _figures(measured: Measured) -> dict[str, float]:
    if len(measured.latencies) < 2:
        raise LoadError("the run was too short: fewer than two sessions ended")
    count, used = len(measured.latencies), measured.cpu_seconds
    server = sum(seconds for group, seconds in used.items() if group != "generator")
    cuts = statistics.quantiles(measured.latencies, n=100)
    return {
        "sessions_per_second": count / measured.seconds,
        "sessions_per_server_core_unit": count / (server / measured.unit_seconds),
        "p50_ms": 1000 * cuts[49],
        "p95_ms": 1000 * cuts[94],
        "p99_ms": 1000 * cuts[98],
        "unit_ms": 1000 * measured.unit_seconds,
        "cpu_ms_per_session": 1000 * server / count,
        "redis_cpu_ms_per_session": 1000 * used.get("redis", 0.0) / count,
        "generator_share": used["generator"] / (server + used["generator"]),
    }


def table(rows: Sequence[SessionsRow]) -> str:
    """Return the figures as text for people."""
    heads = ("type", "store", "auth", "per s", "per unit", "p50 ms", "p95 ms", "p99 ms", "unit ms", "CPU ms", "Redis ms", "generator")
    lines = ["".join(f"{head:>12}" for head in heads)]
    for row in rows:
        numbers = (row.sessions_per_second, row.sessions_per_server_core_unit, row.p50_ms, row.p95_ms, row.p99_ms, row.unit_ms)
        numbers += (row.cpu_ms_per_session, row.redis_cpu_ms_per_session)
        texts = [row.type, row.store, row.auth, *(f"{number:.2f}" for number in numbers), f"{row.generator_share:.0%}"]
        lines.append("".join(f"{text:>12}" for text in texts))
    lines.append("\nper unit: sessions in the time that one core takes for one modular exponentiation of 2048 bits, counting gateway,")
    lines.append("worker and Redis. CPU ms and Redis ms: processor time of all of the server, and of Redis, for one session.")
    return "\n".join(lines)


def profile_table(found: SessionsProfile) -> str:
    """Return a profile as text for people."""
    lines = [f"{found.type}, sessions in {found.store}, {found.auth} authentication: processor time of one session, in ms"]
    lines += [f"{value:8.3f}  {part}" for part, value in found.milliseconds.items()]
    lines.append("The largest beside the proof: " + "; ".join(part for part, _ in largest(found.milliseconds)))
    return "\n".join(lines)
