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
from types import FunctionType
from typing import Any, Final

from numba import config, njit, set_num_threads

#: Held during each launch; whoever holds it may launch too. Hold it around code of others that may launch kernels.
ONE_AT_A_TIME: Final = RLock()

if vars(config)["THREADING_LAYER"] == "default":  # whoever chose one (NUMBA_THREADING_LAYER) keeps it
    vars(config)["THREADING_LAYER"] = "workqueue"
if hasattr(os, "register_at_fork"):  # a child has none of the threads that would end a kernel and let go of the lock
    os.register_at_fork(
        before=ONE_AT_A_TIME.acquire, after_in_parent=ONE_AT_A_TIME.release, after_in_child=ONE_AT_A_TIME.release
    )


class _Cores:
    """How many cores kernels use, all threads of the process alike."""

    there: Final = int(vars(config)["NUMBA_NUM_THREADS"])
    used: int = there


def use_cores(cores: int) -> int:
    """Let kernels use so many cores from now on, whoever calls (all, where there are fewer); return how many it was."""
    before, _Cores.used = _Cores.used, max(1, min(cores, _Cores.there))
    return before


def parallel_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers whose `prange` loops run on all cores, without Python's lock.

    Any number of threads may call it; they wait for one another. With one core to use nothing is launched and nobody
    waits: waking the pool takes some 50 us, all else of a small kernel 1. Other compiled functions cannot call it
    (numba says so when they are compiled): a kernel within a kernel would end the process too.
    """
    on_all, on_one = (njit(cache=True, nogil=True, parallel=cores)(_named(function, cores)) for cores in (True, False))

    @wraps(function)
    def launch(*arguments: Any) -> Any:
        if _Cores.used == 1:
            return on_one(*arguments)
        with ONE_AT_A_TIME:
            set_num_threads(_Cores.used)  # numba's own number is the thread's
            return on_all(*arguments)

    return launch


def _named(function: Callable[..., Any], on_all_cores: bool) -> Callable[..., Any]:
    """Return the function, or its twin under a name of its own: numba's cache tells compilations by the name alone."""
    if on_all_cores:
        return function
    twin = FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    twin.__qualname__ = f"{function.__qualname__}_on_one_core"
    return twin
