"""Tests of the native kernel."""

import shutil
from pathlib import Path

import pytest

from idemix.arith import kernel

#: Whether the processor has the instructions, and there is a compiler: then the kernel must be there.
EXPECTED = shutil.which("cc") is not None and "avx512ifma" in Path("/proc/cpuinfo").read_text()

needs_kernel = pytest.mark.skipif(kernel.library is None and not EXPECTED, reason="no C compiler, or a processor without AVX-512 IFMA")
