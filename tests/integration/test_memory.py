"""The real C library gives memory back."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

SCATTERED = """
import ctypes, sys
if not hasattr(ctypes.CDLL(None), "malloc_trim"):
    sys.exit(77)
from streams.memory import trimmer
def resident_kib():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
blocks = [bytes(2_000) for _ in range(40_000)]
kept = blocks[::100]
del blocks
before = resident_kib()
trimmer()()
assert resident_kib() < before - 40_000, (before, resident_kib())
"""
"""80 MB of blocks, all freed but every hundredth, which holds its neighbours' pages."""
NO_GLIBC = 77


def test_memory_that_is_free_between_used_blocks_goes_back() -> None:
    run = subprocess.run([sys.executable, "-c", SCATTERED], capture_output=True, text=True, check=False)  # noqa: S603 - our own text

    if run.returncode == NO_GLIBC:
        pytest.skip("the C library has no malloc_trim")
    assert run.returncode == 0, run.stderr
