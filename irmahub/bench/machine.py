"""What the benches read from the process table, and the unit that they reckon in.

Source: proc(5): `/proc/PID/stat`, `/proc/PID/smaps_rollup`, `/proc/PID/task/TID/children`.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import gmpy2
from gmpy2 import mpz

from idemix.arith.randomness import SYSTEM_RANDOM

UNIT_BITS: Final = 2048

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


class Unit:
    """One modular exponentiation with a modulus and exponent of 2048 bits by GMP, measured where and while the load runs."""

    def __init__(self) -> None:
        self._modulus = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(0).bit_set(UNIT_BITS - 1)
        self._base = SYSTEM_RANDOM.bits(UNIT_BITS - 1)
        self._exponent = SYSTEM_RANDOM.bits(UNIT_BITS).bit_set(UNIT_BITS - 1)

    def seconds(self) -> float:
        """Compute it once; gives the processor time that took."""
        start = time.thread_time()
        self._compute()
        return time.thread_time() - start

    def _compute(self) -> mpz:
        return gmpy2.powmod(self._base, self._exponent, self._modulus)


def process_tree(pid: int) -> tuple[int, ...]:
    """A process and all that it started, directly or not."""
    pids = [pid]
    for one in pids:
        pids.extend(int(child) for task in Path(f"/proc/{one}/task").glob("*/children") for child in task.read_text().split())
    return tuple(pids)


def cpu_seconds(pids: Iterable[int]) -> float:
    """The processor time that processes have used, in user and kernel mode."""
    total = 0
    for pid in pids:
        # The second field, the program's name, may hold blanks; it ends with the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS_PER_SECOND


def memory_mib(pids: Iterable[int]) -> float:
    """The memory of processes: the sum of their proportional set sizes, in MiB."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024
