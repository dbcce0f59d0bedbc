"""Where the processor time of a session goes: timers around the parts of the server, each of which counts its own time alone.

Timers are put around functions of the running server, for the bench only. A part that calls another stops counting meanwhile; what
a thread does outside all parts is its own. All is processor time, so that waiting counts nothing. The timers themselves cost a few
microseconds a session.
"""

import functools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from irmahub.server import Sites

#: The part that the engine exists for; the others are what a session costs beside it.
PROOF: Final = "proofs and signatures"

#: The parts: their names, and what is timed, as `module:class.function`. Of nested parts the inner one counts.
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "HTTP to WSGI and back (bridge)": ("irmahub.bridge:Bridge._call",),
    "Flask: contexts, routing, hooks, errors": ("flask.app:Flask.wsgi_app",),
    "views and services": ("flask.app:Flask.dispatch_request", "gateway.app:_load_client_path"),
    "authentication and reading of requests": ("gateway.runtime:authenticate",),
    "session engine": (
        "idemix.session.engine:SessionEngine.start",
        "idemix.session.engine:SessionEngine.connect",
        "idemix.session.engine:SessionEngine.receive_proofs",
        "idemix.session.engine:SessionEngine.receive_commitments",
        "idemix.session.engine:SessionEngine.remember",
        "idemix.session.engine:SessionEngine.recall",
    ),
    PROOF: ("idemix.verification:verify_proof_list", "idemix.session.issuing:sign_credential", "idemix.cl.primes:find_prime"),
    "sessions written as JSON": ("gateway.stores.redis:RedisStore._arguments",),
    "sessions read from JSON": ("gateway.stores.redis:_read",),
    "Redis client": ("gateway.stores.commands:Commands.execute", "gateway.stores.commands:Commands.run"),
    "logging": ("structlog._base:BoundLoggerBase._proxy_to_logger",),
    "answers written as JSON": ("gateway.sessions:encode_json", "gateway.runtime:encode_json"),
    "archive: noting": ("gateway.archive.service:Archive._note",),
}

#: Threads that work beside requests, by the beginnings of their names.
THREADS: Final[Mapping[str, str]] = {
    "MainThread": "HTTP server (event loop)",
    "archive": "archive: writing",
    "redis-status": "status changes from Redis",
    "prime-pool": PROOF,
}
_OTHER_THREADS: Final = "other threads"

#: Sessions that pass before counting begins: tables are built by then.
_WARM_UP: Final = 50


class Profile:
    """The timers of one process.

    Args:
        folder: where the figures are written when the process ends, in a file of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = threading.local()
        self._lock = threading.Lock()
        self._counters: list[Counter[str]] = []
        self._sessions = 0
        self._begun: dict[str, float] = {}

    def install(self) -> None:
        """Put the timers around the functions."""
        for part, names in PARTS.items():
            for name in names:
                _wrap(name, functools.partial(self._timed, part))
        for name in ("receive_proofs", "receive_commitments"):
            _wrap(f"idemix.session.engine:SessionEngine.{name}", self._counted)

    def watching(self, sites: Sites) -> Sites:
        """The sites, whose end writes the figures."""

        def close() -> None:
            self._write()
            sites.close()

        return replace(sites, close=close)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            own = self._own
            if not hasattr(own, "stack"):
                own.stack, own.counter = [], Counter()
                with self._lock:
                    self._counters.append(own.counter)
            start, stack = time.thread_time(), own.stack
            if stack:
                outer = stack[-1]
                own.counter[outer[0]] += start - outer[1]
            mine = [part, start]
            stack.append(mine)
            try:
                return function(*args, **kwargs)
            finally:
                end = time.thread_time()
                own.counter[part] += end - mine[1]
                stack.pop()
                if stack:
                    stack[-1][1] = end

        return timed

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._sessions += 1
                if self._sessions == _WARM_UP:
                    self._begun = _thread_seconds()
                    for counter in self._counters:
                        counter.clear()
            return function(*args, **kwargs)

        return counted

    def _write(self) -> None:
        if not self._begun:
            return
        total: Counter[str] = Counter()
        for counter in self._counters:
            total.update(counter)
        for thread, seconds in _thread_seconds().items():
            # Requests are timed from within.
            if not thread.startswith("request"):
                part = next((part for name, part in THREADS.items() if thread.startswith(name)), _OTHER_THREADS)
                total[part] += seconds - self._begun.get(thread, 0.0)
        figures = {"sessions": self._sessions - _WARM_UP, "seconds": dict(total)}
        (self._folder / f"{os.getpid()}.json").write_text(json.dumps(figures))


def _wrap(name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put a wrapper around a function that is named `module:class.function`."""
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner: Any = import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, last, wrapper(getattr(owner, last)))


def _thread_seconds() -> dict[str, float]:
    """The processor time of each thread of this process that runs now, by its name."""
    return {
        thread.name: time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.ident is not None
    }


def read_profile(folder: Path) -> dict[str, float]:
    """The milliseconds of processor time of a session by part, the largest first, over all processes that wrote to a folder."""
    found = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    sessions = sum(one["sessions"] for one in found)
    total: Counter[str] = Counter()
    for one in found:
        total.update(one["seconds"])
    return {part: 1000 * seconds / sessions for part, seconds in total.most_common()} if sessions else {}


def largest(parts: Mapping[str, float], count: int = 5) -> Iterable[tuple[str, float]]:
    """The parts that cost most beside the proof."""
    return [(part, milliseconds) for part, milliseconds in parts.items() if part != PROOF][:count]
