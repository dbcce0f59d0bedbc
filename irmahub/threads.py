"""Threads for requests, which mostly compute and sometimes wait.

Python runs one thread at a time, so that threads which all compute only take the interpreter from each other: with sixteen at work, a
session costs half as much again as with two. But a request may also wait, for a database or another server, and must then keep nobody
else waiting. So few threads work at a time; whoever is at a piece of work for longer than computing takes is held to be waiting, and
another thread works in its place until it is done.
"""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Threads that work at a time: one that computes, and one for the while that the first waits for Redis, or computes natively.
AT_ONCE: Final = 2

#: Threads in all, with those that wait.
MOST: Final = 16

#: How long a thread may be at its work before it is held to be waiting, in seconds.
PATIENCE_SECONDS: Final = 0.05


class Threads(Generic[T]):
    """Does pieces of work in the order of their coming, a few at a time.

    Args:
        work: does one.
        at_once: threads that work at a time.
        most: threads in all, with those that wait.
        patience: the time after which a thread is held to be waiting, in seconds.
    """

    def __init__(
        self, work: Callable[[T], object], *, at_once: int = AT_ONCE, most: int = MOST, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._most = most
        self._patience = patience
        # Nobody asks what became of a piece of work, or takes it back, so that a queue does what futures and their locks would.
        self._waiting: SimpleQueue[tuple[T] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        #: When each thread that is at work began with what it is at.
        self._began: dict[threading.Thread, float] = {}
        #: Set while work waits and no thread is free.
        self._is_late = threading.Event()
        self._is_closing = threading.Event()
        for _ in range(at_once):
            self._start()
        self._watcher = threading.Thread(target=self._watch, name="request-watcher", daemon=True)
        self._watcher.start()

    def put(self, piece: T) -> None:
        """Have a piece of work done."""
        self._waiting.put((piece,))
        self._look_if_late()

    def close(self) -> None:
        """Wait for the work that came."""
        self._is_closing.set()
        self._is_late.set()
        self._watcher.join()
        with self._lock:
            threads = tuple(self._threads)
        for _ in threads:
            self._waiting.put(None)
        for thread in threads:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="request", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while (taken := self._waiting.get()) is not None:
            self._began[me] = time.monotonic()
            self._look_if_late()
            try:
                self._work(*taken)
            except Exception:
                log.exception("a piece of work failed")
            del taken, self._began[me]  # A thread that waits keeps nothing of what somebody sent.
            if len(self._threads) > self._at_once and self._may_end(me):
                return

    def _look_if_late(self) -> None:
        """Have the watcher look, where work waits and no thread is free. Whoever puts and whoever takes asks, so that none is missed."""
        if len(self._began) >= len(self._threads) and not self._waiting.empty():
            self._is_late.set()

    def _working(self) -> int:
        """The threads that are not held to be waiting, free ones too."""
        since = time.monotonic() - self._patience
        return len(self._threads) - sum(began < since for began in tuple(self._began.values()))

    def _may_end(self, thread: threading.Thread) -> bool:
        """Let a thread go that took the place of one which waited, where that one is back."""
        with self._lock:
            if self._working() <= self._at_once:
                return False
            self._threads.discard(thread)
            return True

    def _watch(self) -> None:
        """While work waits, start a thread for each that is held to be waiting."""
        while self._is_late.wait() and not self._is_closing.wait(self._patience):
            self._is_late.clear()
            with self._lock:
                missing = min(self._at_once - self._working(), self._most - len(self._threads), self._waiting.qsize())
                for _ in range(missing):
                    self._start()
            self._look_if_late()
