"""The primes e of signatures: found when they are needed, or ahead of time by a pool."""

import os
import threading
import weakref
from typing import Final

from gmpy2 import mpz

from ..arith.primes import random_prime_in_range
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..params import SystemParameters

#: Primes that a pool holds for each set of parameters.
DEFAULT_POOL_SIZE: Final = 64

#: Seconds without a signature after which a pool takes it that there is time to fill itself.
_IDLE_SECONDS: Final = 0.02


def find_prime(params: SystemParameters, random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a random prime in [2^(l_e-1), 2^(l_e-1) + 2^(l_e'-1)]."""
    return random_prime_in_range(params.l_e - 1, params.l_e_prime - 1, random)


class PrimePool:
    """Primes found while nobody signs, by a thread of its own; each is handed out once.

    A pool that was not started finds every prime when it is asked for. It fills itself for the parameters that it was asked for
    before. A process made by fork starts with an empty pool, so that no prime is handed out by both.

    Args:
        size: how many primes are held for each set of parameters.
    """

    def __init__(self, size: int = DEFAULT_POOL_SIZE) -> None:
        self._size = size
        self._running = False
        self._empty()
        _POOLS.add(self)

    def _empty(self) -> None:
        """Hold no primes, no lock and no thread: a new pool, and that of a process made by fork."""
        self._primes: dict[SystemParameters, list[mpz]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._was_used = False
        self._is_full = False

    def start(self) -> None:
        """Begin to fill. After a fork, the first prime that is taken begins anew."""
        with self._changed:
            self._running = True
            self._run()

    def stop(self) -> None:
        """End the thread and drop the primes."""
        with self._changed:
            self._running = False
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        self._empty()

    def take(self, params: SystemParameters, random: RandomSource = SYSTEM_RANDOM) -> mpz:
        """Return a prime that was never returned before: one of the pool, or one that is found now with `random`."""
        with self._changed:
            primes = self._primes.setdefault(params, [])
            if self._running:
                self._run()
            self._was_used = True
            if self._is_full:
                # Otherwise the thread looks by itself: being woken for every signature would only take time from it.
                self._changed.notify_all()
            if primes:
                return primes.pop()
        return find_prime(params, random)

    def held(self, params: SystemParameters) -> int:
        """How many primes there are for some parameters."""
        with self._changed:
            return len(self._primes.get(params, ()))

    def _run(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fill, name="prime-pool", daemon=True)
            self._thread.start()

    def _fill(self) -> None:
        while True:
            with self._changed:
                if not self._running:
                    return
                missing = next((params for params, primes in self._primes.items() if len(primes) < self._size), None)
                if missing is None:
                    self._is_full = True
                    self._changed.wait()
                    self._is_full = False
                    continue
                if self._was_used:
                    self._was_used = False
                    self._changed.wait(_IDLE_SECONDS)
                    continue
            prime = find_prime(missing)
            with self._changed:
                self._primes[missing].append(prime)


_POOLS: Final[weakref.WeakSet[PrimePool]] = weakref.WeakSet()


def _empty_pools() -> None:
    for pool in _POOLS:
        pool._empty()


os.register_at_fork(after_in_child=_empty_pools)
