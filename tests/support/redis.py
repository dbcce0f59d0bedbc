"""A Redis server of the tests' own."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tests.support.processes import free_port, wait_until


class RedisServer:
    """A running server, which can be stopped and started again on the same port.

    Args:
        directory: where it keeps its files.
        persists: whether every write is on the disk before it is answered, so that nothing is lost when it stops.
    """

    def __init__(self, directory: str, *, persists: bool = False) -> None:
        self.port = free_port()
        self._directory = directory
        self._persists = persists
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """A client of it."""
        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start it, empty where it does not persist."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._directory]
        options += ["--appendonly", "yes", "--appendfsync", "always"] if self._persists else ["--appendonly", "no"]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "Redis to start")

    def stop(self) -> None:
        """Stop it; what it held is lost where it does not persist."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Have it answer nobody, without losing what it holds."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("Redis does not run")
        self._process.send_signal(number)

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("Redis did not start")
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def running_redis(*, persists: bool = False) -> Iterator[RedisServer]:
    """Run a server for as long as the context lasts; see `RedisServer`."""
    with tempfile.TemporaryDirectory(prefix="irmahub-redis-") as directory:
        server = RedisServer(directory, persists=persists)
        server.start()
        try:
            yield server
        finally:
            server.stop()
