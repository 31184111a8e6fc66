"""Questions in flight are answered together, each with its own answer, whatever becomes of the others."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from paretail.core.errors import DataError, Problem
from paretail.serve.batching import Batcher
from paretail.serve.errors import RefusedError
from paretail.serve.threads import Threads


class Doubling:
    """Doubles numbers; the first batch waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on, self.begun = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(10)
        return [self.one(number) for number in numbers]

    def one(self, number: int) -> int | Exception:
        if number == 13:
            return DataError(Problem("DATA-07", "13", "another", "take it"))
        if number == 666:
            raise RuntimeError("the whole batch")
        return 2 * number


async def gathered(work: Doubling, numbers: Sequence[int], **bounds: int) -> list[Any]:
    """Ask for 0, and while that is answered for all numbers."""
    batcher: Batcher[int, int] = Batcher(work, **bounds)
    first = batcher.ask(0)
    await asyncio.to_thread(work.begun.wait, 10)
    futures = [batcher.ask(number) for number in numbers]
    work.go_on.set()
    try:
        return await asyncio.gather(first, *futures, return_exceptions=True)
    finally:
        batcher.close()


def test_what_waits_is_answered_together() -> None:
    work = Doubling()
    assert asyncio.run(gathered(work, range(1, 9))) == [2 * number for number in range(9)]
    assert work.batches == [[0], list(range(1, 9))]


def test_a_batch_has_a_bound() -> None:
    work = Doubling()
    assert asyncio.run(gathered(work, range(1, 11), most=4))[1:] == [2 * number for number in range(1, 11)]
    assert [len(batch) for batch in work.batches] == [1, 4, 4, 2]


def test_a_failure_is_its_own() -> None:
    work = Doubling()
    answers = asyncio.run(gathered(work, [1, 13, 2]))
    assert (answers[1], answers[3]) == (2, 4)
    assert isinstance(answers[2], DataError)


def test_one_that_fails_the_batch_fails_alone() -> None:
    work = Doubling()
    answers = asyncio.run(gathered(work, [1, 666, 2]))
    assert (answers[1], answers[3]) == (2, 4)
    assert isinstance(answers[2], RuntimeError)
    assert work.batches == [[0], [1, 666, 2], [1], [666], [2]]


def test_what_nobody_waits_for_is_left_out() -> None:
    async def leave() -> list[Any]:
        work = Doubling()
        batcher: Batcher[int, int] = Batcher(work)
        first = batcher.ask(0)
        await asyncio.to_thread(work.begun.wait, 10)
        left, stayed = batcher.ask(1), batcher.ask(2)
        left.cancel()
        work.go_on.set()
        answers = [await first, await stayed, await batcher.ask(3)]
        batcher.close()
        return [answers, work.batches]

    assert asyncio.run(leave()) == [[0, 4, 6], [[0], [2], [3]]]


def test_too_many_are_refused_until_there_is_room() -> None:
    async def crowd() -> None:
        work = Doubling()
        batcher: Batcher[int, int] = Batcher(work, waiting=3)
        futures = [batcher.ask(number) for number in range(3)]
        with pytest.raises(RefusedError, match=r"3 requests wait already.*SERV-14") as error:
            batcher.ask(3)
        assert (error.value.status, list(error.value.headers)) == (503, [("retry-after", "1")])
        work.go_on.set()
        assert await asyncio.gather(*futures) == [0, 2, 4]
        assert await batcher.ask(3) == 6
        batcher.close()

    asyncio.run(crowd())


def test_closing_answers_what_waits() -> None:
    async def close() -> list[int]:
        work = Doubling()
        work.go_on.set()
        batcher: Batcher[int, int] = Batcher(work, most=2)
        futures = [batcher.ask(number) for number in range(7)]
        await asyncio.to_thread(batcher.close)
        return await asyncio.gather(*futures)

    assert asyncio.run(close()) == [0, 2, 4, 6, 8, 10, 12]


def test_sizes_are_told() -> None:
    sizes: list[int] = []

    async def ask() -> None:
        work = Doubling()
        work.go_on.set()
        batcher: Batcher[int, int] = Batcher(work, sizes.append)
        for number in range(3):
            await batcher.ask(number)
        batcher.close()

    asyncio.run(ask())
    assert sizes == [1, 1, 1]


def test_threads_have_a_bound() -> None:
    async def crowd() -> None:
        threads, go_on = Threads(threads=2, waiting=3), threading.Event()
        waiting = [threads.ask(go_on.wait, 10) for _ in range(3)]
        with pytest.raises(RefusedError, match="SERV-14"):
            threads.ask(go_on.wait, 10)
        go_on.set()
        assert await asyncio.gather(*waiting) == [True, True, True]
        assert await threads.ask(int, "7") == 7
        with pytest.raises(ValueError, match="seven"):
            await threads.ask(int, "seven")
        threads.close()

    asyncio.run(crowd())
