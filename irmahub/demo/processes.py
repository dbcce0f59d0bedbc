"""The processes of the demo: the server and the worker, each the real command."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from idemix.errors import IdemixError
from irmahub.settings import Address

#: How long a process may take to answer for the first time, and to stop.
START_SECONDS = 60
STOP_SECONDS = 20


class ProcessFailedError(IdemixError):
    """A process of the demo ended, or does not answer; `log` is where it wrote what it did."""

    def __init__(self, name: str, log: Path) -> None:
        super().__init__(f"irmahub {name} does not run; its log is {log}:\n{_last_lines(log)}")
        self.log = log


class Processes:
    """Commands of irmahub that run beside this one until they are stopped.

    Args:
        environment: the settings that they run with.
        logs: the folder where each writes its log.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *, module: str = "") -> int:
        """Start `irmahub NAME`, or a module as a program under that name; gives its process identifier."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("wb") as log:
            # A session of its own: Ctrl-C is for the demo, which stops its processes in order.
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own command, and a name of ours
                [sys.executable, "-m", *((module,) if module else ("irmahub", name))],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._running[name].pid

    def wait_until(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until a process does what it should.

        Raises:
            ProcessFailedError: it ended, or took too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            self.check(name)
            if time.monotonic() > deadline:
                raise ProcessFailedError(name, self._log(name))
            time.sleep(0.05)

    def check(self, name: str) -> None:
        """Demand that a process still runs.

        Raises:
            ProcessFailedError: it ended.
        """
        if self._running[name].poll() is not None:
            raise ProcessFailedError(name, self._log(name))

    def check_all(self) -> None:
        """Demand that all processes still run; errors as `check`."""
        for name in self._running:
            self.check(name)

    def stop(self) -> None:
        """Stop all processes, the last one started first."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in reversed(self._running.values()):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def answers(url: str) -> bool:
    """Whether a web address answers with success."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def free_address(preferred: int) -> Address:
    """An address on this machine's loopback: the preferred port, or a free one where that is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return Address("127.0.0.1", probe.getsockname()[1])
    raise ProcessFailedError("serve", Path(os.devnull))


def _last_lines(log: Path, count: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""
