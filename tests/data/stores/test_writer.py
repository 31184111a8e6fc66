"""Writing in groups: who waits is written together, and each gets what is its own."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paretail.data.stores.base import StoreError
from paretail.data.stores.writer import Writer


@pytest.fixture
def begun() -> list[int]:
    """How many tasks each transaction wrote."""
    return []


@pytest.fixture
def writer(tmp_path: Path, begun: list[int]) -> Iterator[Writer]:
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    writer = Writer(connection, tmp_path, lambda _: begun.append(0), lambda: None)
    yield writer
    writer.close()


def _insert(number: int, begun: list[int]) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        begun[-1] += 1
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        return number * 10

    return work


def _rows(writer: Writer) -> list[int]:
    return writer.do(lambda c: [row[0] for row in c.execute("SELECT a FROM t ORDER BY a")], apart=True)


def _together(writer: Writer, works: list[Callable[[sqlite3.Connection], object]]) -> list[object]:
    """Let works wait for a slow one, so that they are written in one group."""
    entered, go = threading.Event(), threading.Event()
    results: list[object] = [None] * len(works)

    def slow(_: sqlite3.Connection) -> None:
        entered.set()
        go.wait(5)

    def call(place: int) -> None:
        try:
            results[place] = writer.do(works[place])
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=writer.do, args=(slow,))]
    threads[0].start()
    entered.wait(5)
    for place in range(len(works)):
        threads.append(threading.Thread(target=call, args=(place,)))
        threads[-1].start()
        while len(writer._waiting) <= place:
            time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join(5)
    return results


def test_those_who_wait_are_written_in_one_transaction(writer: Writer, begun: list[int]) -> None:
    assert _together(writer, [_insert(n, begun) for n in range(8)]) == [n * 10 for n in range(8)]
    assert begun == [0, 8]
    assert _rows(writer) == list(range(8))


def test_a_failure_reaches_its_own_caller_and_the_others_are_written(writer: Writer, begun: list[int]) -> None:
    works = [_insert(1, begun), _insert(2, begun), _insert(1, begun), _insert(3, begun)]
    results = _together(writer, works)
    assert [r for r in results if not isinstance(r, Exception)] == [10, 20, 30]
    assert isinstance(results[2], StoreError)
    assert begun == [0, 3, 1, 1, 1, 1], "the group, then one by one"
    assert _rows(writer) == [1, 2, 3]


def test_a_failed_transaction_is_rolled_back_and_told(tmp_path: Path, begun: list[int]) -> None:
    undone: list[bool] = []
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    writer = Writer(connection, tmp_path, lambda _: begun.append(0), lambda: undone.append(True))

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        writer.do(half)
    assert undone == [True]
    assert _rows(writer) == []
    writer.close()


def test_who_comes_after_the_closing_is_refused_and_who_came_before_is_written(
    writer: Writer, begun: list[int], tmp_path: Path
) -> None:
    def close(_: sqlite3.Connection) -> None:
        threading.Thread(target=writer.close).start()
        while not writer._waiting:
            time.sleep(0.001)

    results = _together(writer, [_insert(1, begun), _insert(2, begun), close])
    assert results[:2] == [10, 20]
    while not writer._closed:
        time.sleep(0.001)
    with pytest.raises(StoreError, match="STOR-09"):
        writer.do(lambda _: None)
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)
    connection.close()


def test_many_threads_lose_nothing(writer: Writer, begun: list[int]) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 100):
            assert writer.do(_insert(number, begun)) == number * 10

    threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _rows(writer) == list(range(600))
    assert sum(begun) == 600
    assert len(begun) < 600, "some were written together"
