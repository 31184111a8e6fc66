"""How tests ask whether a result depends on the number of threads."""

from collections.abc import Callable

import numba


def with_threads(work: Callable[[], bytes]) -> list[bytes]:
    """Return what `work` returns with one thread, and with two where the machine has two."""
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            found.append(work())
    finally:
        numba.set_num_threads(before)
    return found
