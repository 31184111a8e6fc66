"""Memory: the most that this process has held."""

import resource
import sys
from pathlib import Path
from typing import Final

STATUS: Final = Path("/proc/self/status")


def peak_mib() -> float:
    """Return the peak of this process's resident memory in MiB.

    Linux hands the figure of `getrusage` over to the processes that one starts, so that a child never shows less than
    its parent held; the peak that /proc tells is the process's own. Where there is none it is that of `getrusage`.
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20
