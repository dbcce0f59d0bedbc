"""An installation for a bench: the real server on loopback, with a scheme, a requestor and, where asked for, a Redis of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.actor import command_actor
from gateway.database import prepare_file, upgrade
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from gateway.scheme_files import write_tree
from idemix.errors import IdemixError
from irmahub.applications import services_of
from irmahub.bench.content import Holder, make_scheme
from irmahub.bench.machine import process_tree
from irmahub.bench.server import OPEN
from irmahub.demo.processes import Processes, answers, free_address
from irmahub.settings import Address, Settings

REQUESTOR: Final = "bench"
START_SECONDS: Final = 30

#: A process that serves has more threads than these: those of changes, archive and time-outs, which are started last.
_SERVING_THREADS: Final = 4


class BenchError(IdemixError):
    """The bench cannot run here."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A running installation.

    Attributes:
        settings: its settings.
        holder: has a credential of the scheme.
        requestor_key: signs the requests of the requestor `REQUESTOR`.
        token: the token of that requestor.
        processes: the identifiers of the processes, by `gateway`, `worker` and `redis`.
        environment: the variables that its processes run with.
        logs: where their logs are.
    """

    settings: Settings
    holder: Holder
    requestor_key: RSAPrivateKey
    token: str
    processes: Mapping[str, Sequence[int]]
    environment: Mapping[str, str]
    logs: Path


@contextmanager
def running_installation(
    *, store: str, opens: bool, environment: Mapping[str, str] | None = None, logs: Path | None = None
) -> Iterator[Installation]:
    """Run console, gateway, worker and Redis for as long as the context lasts.

    Args:
        store: `redis`, with a server process for each core, or `memory`, with one.
        opens: whether the requestor API asks for no authentication; else the requestor signs its requests.
        environment: settings that differ; with the address of a Redis among them, that one is used.
        logs: where each process writes its log, by default a folder that is removed at the end.

    Raises:
        BenchError: there is no Redis.
        ProcessFailedError: a process does not run.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="irmahub-bench-")))
        variables = {
            "IRMAHUB_DATA_DIRECTORY": str(folder),
            "IRMAHUB_CONSOLE_ADDRESS": str(free_address(0)),
            "IRMAHUB_GATEWAY_ADDRESS": str(free_address(0)),
            **(environment or {}),
        }
        groups: dict[str, Sequence[int]] = {}
        if store == "redis":
            variables.setdefault("IRMAHUB_WORKERS", str(os.cpu_count() or 1))
            if "IRMAHUB_REDIS_URL" not in variables:
                process, url = stack.enter_context(_running_redis(folder))
                groups["redis"] = (process.pid,)
                variables["IRMAHUB_REDIS_URL"] = url
        settings = Settings.from_environment(variables)
        holder, requestor_key, token = _prepare(settings)
        variables[OPEN] = "1" if opens else ""
        logs = logs or folder / "logs"
        processes = Processes(variables, logs)
        stack.callback(processes.stop)
        groups["gateway"] = _start_server(processes, settings)
        groups["worker"] = process_tree(processes.start("worker"))
        yield Installation(settings, holder, requestor_key, token, groups, variables, logs)


@contextmanager
def second_server(installation: Installation) -> Iterator[Installation]:
    """Run another server of an installation, on addresses of its own: the same sessions, tables and schemes."""
    addresses = {f"IRMAHUB_{name}_ADDRESS": str(free_address(0)) for name in ("CONSOLE", "GATEWAY")}
    variables = {**installation.environment, **addresses}
    settings = Settings.from_environment(variables)
    processes = Processes(variables, installation.logs / "second")
    try:
        yield replace(installation, settings=settings, processes={"gateway": _start_server(processes, settings)}, environment=variables)
    finally:
        processes.stop()


def _start_server(processes: Processes, settings: Settings) -> Sequence[int]:
    """Start the server, and wait until all its processes serve; gives these and the one that keeps them."""
    server = processes.start("gateway", module="irmahub.bench.server")
    processes.wait_until("gateway", lambda: answers(f"{settings.gateway_url}health"))
    processes.wait_until("gateway", lambda: len(serving_processes(server)) == settings.workers)
    return process_tree(server)


def serving_processes(server: int) -> tuple[int, ...]:
    """Those processes of a server that serve by now: the one that was started, or the several that it keeps."""
    started = [pid for pid in process_tree(server) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()] or [server]
    return tuple(pid for pid in started if len(list(Path(f"/proc/{pid}/task").iterdir())) > _SERVING_THREADS)


@contextmanager
def _running_redis(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a Redis that keeps nothing on disk; gives its process and address."""
    program = shutil.which("redis-server")
    if program is None:
        raise BenchError("redis-server is not installed; sessions in memory are measured with --store memory")
    address = free_address(0)
    options = ["--bind", address.host, "--port", str(address.port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)  # noqa: S603 - our own arguments
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("redis-server does not run")
            time.sleep(0.05)
        yield process, f"redis://{address}/0"
    finally:
        process.terminate()
        process.wait()


def _accepts(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), 1).close()
    except OSError:
        return False
    return True


def _prepare(settings: Settings) -> tuple[Holder, RSAPrivateKey, str]:
    """Make the tables, the scheme and the requestor."""
    now = int(time.time())
    if settings.database_url.startswith("sqlite"):
        prepare_file(settings.data_directory / "irmahub.db")
    upgrade(settings.database_url)
    scheme, pair = make_scheme(now=now)
    write_tree(scheme, settings.schemes_directory / scheme.name)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    services, actor = services_of(settings), command_actor("bench")
    try:
        requestors = services.requestors
        requestors.create(actor, NewRequestor(REQUESTOR))
        requestors.add_key(actor, REQUESTOR, NewKey(AuthMethod.PUBLICKEY, pem))
        token = requestors.add_key(actor, REQUESTOR, NewKey(AuthMethod.TOKEN)).secret
        requestors.set_permissions(actor, REQUESTOR, Permissions(disclose=("*",), issue=("*",)))
        requestors.activate(actor, REQUESTOR)
    finally:
        services.close()
    if token is None:
        raise BenchError("no token was made")
    return Holder.issued(pair, now=now), key, token
