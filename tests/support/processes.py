"""Servers that tests start: on free ports of the loopback, and ended with the tests."""

import os
import pwd
import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged_user() -> str | None:
    """Whom to run a server as that refuses root; None where we are not root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("there is no user to run PostgreSQL as: it refuses root")


def wait_until(holds: Callable[[], bool], what: str, *, seconds: float = 30.0) -> None:
    """Wait for something that another thread or process does; the bound only keeps a broken test from hanging."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.01)
