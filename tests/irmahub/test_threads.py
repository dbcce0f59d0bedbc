"""Threads for requests."""

import threading
import time
from collections.abc import Callable

from irmahub.threads import Threads

PATIENCE = 0.02


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Work:
    """Pieces of work that wait until they are let go, or end at once; remembers how many were at it at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.running = self.most_running = self.done = 0
        self.order: list[int] = []

    def __call__(self, piece: int) -> None:
        with self.lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.order.append(piece)
        try:
            if piece < 0:
                assert self.gate.wait(20)
            elif piece == 13:
                raise RuntimeError("as it happens")
            else:
                # Shorter than anybody's patience.
                time.sleep(0.001)
        finally:
            with self.lock:
                self.running -= 1
                self.done += 1


def request_threads() -> int:
    return sum(thread.name == "request" for thread in threading.enumerate())


def test_short_work_is_done_in_its_order_by_few_threads() -> None:
    work = Work()
    threads = Threads(work, at_once=2, patience=5)
    for piece in range(100):
        threads.put(piece)
    threads.close()
    assert work.done == 100
    assert work.most_running == 2
    # Of two that begin at the same time, the second may note it first.
    assert all(abs(piece - place) <= 1 for place, piece in enumerate(work.order))


def test_who_waits_keeps_nobody_waiting() -> None:
    work, before = Work(), request_threads()
    threads = Threads(work, at_once=2, most=16, patience=PATIENCE)
    for _ in range(10):
        threads.put(-1)
    for piece in range(20):
        threads.put(piece)
    # All that wait have begun, and the short ones are done beside them.
    until(lambda: work.done == 20 and work.running == 10)
    work.gate.set()
    until(lambda: work.done == 30)
    # Work that comes later lets those go that are not needed any more.
    for piece in range(20):
        threads.put(piece)
    until(lambda: work.done == 50 and request_threads() - before == 2)
    threads.close()
    assert request_threads() == before


def test_one_piece_that_comes_while_all_wait_is_not_missed() -> None:
    work = Work()
    threads = Threads(work, at_once=2, patience=PATIENCE)
    threads.put(-1)
    threads.put(-1)
    until(lambda: work.running == 2)
    time.sleep(3 * PATIENCE)
    threads.put(1)
    until(lambda: work.done == 1)
    work.gate.set()
    threads.close()


def test_never_more_threads_than_allowed() -> None:
    work = Work()
    threads = Threads(work, at_once=2, most=4, patience=PATIENCE)
    for _ in range(8):
        threads.put(-1)
    until(lambda: work.running == 4)
    time.sleep(5 * PATIENCE)
    assert work.running == 4
    work.gate.set()
    threads.close()
    assert work.done == 8
    assert work.most_running == 4


def test_work_that_fails_ends_no_thread() -> None:
    work = Work()
    threads = Threads(work, at_once=1)
    for piece in (13, 13, 13, 1):
        threads.put(piece)
    threads.close()
    assert work.done == 4
