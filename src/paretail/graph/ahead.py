"""Work ahead: batches made by threads while the one before is trained on; numba's kernels let go of Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(prepare: Callable[[int], T], steps: Iterable[int], threads: int = 2) -> Iterator[T]:
    """Yield `prepare(step)` for each step, in order, made by `threads` threads up to two steps a thread ahead.

    With 0 threads each is made when it is asked for. What `prepare` raises is raised here, at its step.
    """
    if not threads:
        yield from map(prepare, steps)
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for step in steps:
            waiting.append(pool.submit(prepare, step))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
