"""A few threads for what is neither batched nor instant, with a bound on what waits for them."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from paretail.serve.batching import overloaded

#: Writing waits for the disk, not for Python; more threads than these only compete.
THREADS, WAITING = 4, 256


class Threads:
    """Work done beside the event loop; `ask` is called by the event loop alone."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, "shop")
        self._bound, self._waiting = waiting, 0
        self._loop = asyncio.get_running_loop()

    def ask(self, work: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """Return what will hold the result; raises RefusedError (SERV-14) where too many wait already."""
        if self._waiting >= self._bound:
            raise overloaded(self._waiting)
        self._waiting += 1
        done = self._pool.submit(work, *arguments)
        done.add_done_callback(self._on_done)
        return asyncio.wrap_future(done, loop=self._loop)

    def begin(self, work: Callable[[], object]) -> None:
        """Have work done that nobody waits for; none of it where too much waits already."""
        if self._waiting < self._bound:
            self.ask(work)

    def close(self) -> None:
        """Finish what was begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _on_done(self, done: "Future[Any]") -> None:
        self._loop.call_soon_threadsafe(self._one_less)

    def _one_less(self) -> None:
        self._waiting -= 1
