"""The peak of a process is its own, whatever its parent held."""

import subprocess
import sys

from paretail.core.memory import peak_mib

PARENT = """
import subprocess, sys
held = bytearray(b"x") * (300 << 20)
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""
CHILD = "from paretail.core.memory import peak_mib; print(peak_mib())"


def test_a_process_that_a_larger_one_started_tells_its_own_peak() -> None:
    told = subprocess.run([sys.executable, "-c", PARENT, CHILD], capture_output=True, text=True, check=True)
    assert 5 < float(told.stdout) < 150


def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = peak_mib()
    held = bytearray(b"x") * (64 << 20)
    most = peak_mib()
    del held
    assert most >= max(before, 64)
    assert peak_mib() > most - 1  # Linux counts to within some pages
