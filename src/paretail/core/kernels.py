"""Kernels on all cores: how they are compiled, and that one of them runs at a time, whoever calls.

Of numba's threading layers `workqueue` is on every machine, bears a fork, and lets its threads sleep between kernels,
where OpenMP's spin and take BLAS its cores (eigenvectors: 3 times slower). But it ends the process when a second thread
launches a kernel meanwhile. So each launch of ours holds one lock of the process. A kernel takes all cores it may
have: nobody would finish sooner without the lock.
"""

import os
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, Final

from numba import config, njit

#: Held during each launch; whoever holds it may launch too. Hold it around code of others that may launch kernels.
ONE_AT_A_TIME: Final = RLock()

if vars(config)["THREADING_LAYER"] == "default":  # whoever chose one (NUMBA_THREADING_LAYER) keeps it
    vars(config)["THREADING_LAYER"] = "workqueue"
if hasattr(os, "register_at_fork"):  # a child has none of the threads that would end a kernel and let go of the lock
    os.register_at_fork(
        before=ONE_AT_A_TIME.acquire, after_in_parent=ONE_AT_A_TIME.release, after_in_child=ONE_AT_A_TIME.release
    )


def parallel_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers whose `prange` loops run on all cores, without Python's lock.

    Any number of threads may call it; they wait for one another. Other compiled functions cannot call it (numba says
    so when they are compiled): a kernel within a kernel would end the process too.
    """
    compiled = njit(parallel=True, cache=True, nogil=True)(function)

    @wraps(function)
    def launch(*arguments: Any) -> Any:
        with ONE_AT_A_TIME:
            return compiled(*arguments)

    return launch
