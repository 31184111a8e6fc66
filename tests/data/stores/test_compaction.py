"""Compaction while the store is in use, and when it dies half-way."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from paretail.data.stores import compaction, history
from paretail.data.stores.base import StoredEvent, StoreError
from paretail.data.stores.embedded import EmbeddedStore

from .made import T0, event, shown, table


def _ids(store: EmbeddedStore) -> list[str]:
    return sorted(store.events()["event_id"], key=lambda name: int(name[1:]))


@pytest.mark.parametrize(
    ("step", "moved"),
    [
        ("paretail.data.stores.history.write_events", False),
        ("paretail.data.stores.history.write_hashes", False),
        ("paretail.data.stores.compaction._switch", False),
        ("paretail.data.stores.history.remove_others", True),
        ("paretail.data.stores.compaction._give_back", True),
    ],
)
def test_a_compaction_that_dies_loses_nothing_and_doubles_nothing(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, step: str, moved: bool
) -> None:
    embedded.append([event(n) for n in range(5)])
    embedded.compact({}, T0)
    embedded.append([event(n) for n in range(5, 9)])
    embedded.forget(["nobody"], T0)
    calls = iter([None, RuntimeError("dies")] if "remove" in step else [RuntimeError("dies")])
    true = compaction.history.remove_others

    def die(*arguments: object) -> None:
        if error := next(calls, None):
            raise error
        if "remove" in step:
            true(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(step, die)
        with pytest.raises(RuntimeError, match="dies"):
            embedded.compact({}, T0)
    with closing(EmbeddedStore.open(embedded.folder)) as other:
        for store in (embedded, other):
            assert _ids(store) == [f"e{n}" for n in range(9)]
            assert store.append([event(3), event(7)]) == [False, False]
            assert store.counts()["events_history"] == (9 if moved else 5)
        assert other.compact({}, T0).history == 9
        assert [file.name for file in sorted(embedded.folder.glob("history-*.parquet"))] == [
            f"history-{3 if moved else 2:06d}.parquet"
        ]
        assert _ids(embedded) == [f"e{n}" for n in range(9)]


def test_only_one_compacts_at_a_time(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compaction, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("paretail.data.stores.importing.PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("paretail.data.stores.backup.PATIENCE_SECONDS", 0.01)
    with closing(EmbeddedStore.open(embedded.folder)) as other, compaction.alone(embedded.folder):
        for call in (
            lambda: other.compact({}, T0), lambda: other.import_events(table([event(1)])),
            lambda: other.backup(tmp_path / "backup"),
        ):  # fmt: skip
            with pytest.raises(StoreError, match="STOR-10"):
                call()
    embedded.append([event(1)])
    assert embedded.compact({}, T0).moved == 1
    assert not (tmp_path / "backup").exists()


def _during(step: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let `act` happen just before a step of the next compaction."""
    true = getattr(history, step)
    left = [act]

    def then(*arguments: object) -> None:
        if left:
            left.pop()()
        true(*arguments)

    monkeypatch.setattr(history, step, then)


@pytest.mark.parametrize("step", ["write_events", "write_hashes"])
def test_what_comes_while_history_is_written_is_kept(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    embedded.append([event(n) for n in range(4)])

    def act() -> None:
        assert embedded.append([event(3), event(4)]) == [False, True]
        assert embedded.append([event(-1)]) == [True]

    _during(step, monkeypatch, act)
    assert embedded.compact({}, T0).moved == 4
    assert embedded.counts() | {"events_live": 2, "events_history": 4} == embedded.counts()
    assert [e.ts_ms - T0 for e in embedded.recent(["u1"], 9)["u1"]] == [-1, 0, 1, 2, 3, 4]
    assert embedded.append([event(n) for n in range(-1, 6)]) == [False] * 6 + [True]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("step", ["write_events", "write_hashes"])
def test_who_is_forgotten_while_history_is_written_stays_forgotten(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, step: str, first: bool
) -> None:
    if not first:
        embedded.append([event(1, "a"), event(2, "b"), event(3, "c")])
        embedded.forget(["c"], T0)
        embedded.compact({}, T0)
    embedded.append([event(4, "a"), event(5, "b"), event(6, "c")])
    embedded.forget(["b"], T0)

    def act() -> None:
        embedded.forget(["a"], T0 + 10)
        assert embedded.append([event(11, "a"), event(12, "b")]) == [True, True]

    _during(step, monkeypatch, act)
    embedded.compact({}, T0)
    for _ in range(2):
        assert [(row["user_id"], row["event_id"]) for row in embedded.events().to_dicts()] == [
            ("c", "e6"), ("a", "e11"), ("b", "e12"),
        ]  # fmt: skip
        assert [e.event_id for e in embedded.recent(["a"], 9)["a"]] == ["e11"]
        embedded.compact({}, T0)
    assert embedded.append([event(4, "a", ts_ms=T0 + 50)]) == [True], "its id is free again"


def test_an_event_that_comes_while_the_same_is_imported_is_there_once(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act() -> None:
        assert embedded.append([event(2), event(3)]) == [True, True]

    _during("write_hashes", monkeypatch, act)
    assert embedded.import_events(table([event(1), event(2)])) == 2
    assert _ids(embedded) == ["e1", "e2", "e3"]
    assert embedded.append([event(2)]) == [False]
    embedded.compact({}, T0)
    assert _ids(embedded) == ["e1", "e2", "e3"]


def test_readers_see_every_event_once_while_others_write_and_compact(embedded: EmbeddedStore) -> None:
    done, errors = threading.Event(), []
    told = [0]

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not done.is_set():
                    work()
            except BaseException as error:
                errors.append(error)
                done.set()

        return run

    def write() -> None:
        start = told[0]
        assert embedded.append([event(n, f"u{n % 7}") for n in range(start, start + 30)]) == [True] * 30
        told[0] = start + 30

    def read() -> None:
        least = told[0]
        numbers = sorted(int(name[1:]) for name in embedded.events()["event_id"])
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= least
        of_user = [int(e.event_id[1:]) for e in embedded.recent(["u3"], 10**9)["u3"]]
        assert of_user == list(range(3, of_user[-1] + 1, 7)) if of_user else least < 4
        assert embedded.newest(99, 10**9).height >= least

    work = (write, read, read, lambda: embedded.compact({}, T0) and None)
    threads = [threading.Thread(target=guarded(each)) for each in work]
    for thread in threads:
        thread.start()
    done.wait(1.5)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    assert _ids(embedded) == [f"e{n}" for n in range(told[0])]


def test_what_was_forgotten_is_in_no_file_after_a_compaction(embedded: EmbeddedStore) -> None:
    secret = "secret-" + "x" * 40
    of_secret = [event(n, user=f"{secret}-user", item=f"{secret}-item") for n in range(300)]
    embedded.append([*of_secret[:150], *(event(n) for n in range(1000, 1300))])
    embedded.compact({}, T0)
    embedded.append(of_secret[150:])
    embedded.put("users", {f"{secret}-user": f"{secret}-document".encode() * 500})
    embedded.shown([shown(n, [f"{secret}-item"] * 20, user=f"{secret}-user") for n in range(50)])
    assert _files_with(embedded.folder, b"secret-x")
    embedded.forget([f"{secret}-user"], T0)
    embedded.compact({}, T0)
    told = _files_with(embedded.folder, b"secret-x")
    assert told == {"live.sqlite"}, "the list of who was forgotten"
    assert (embedded.folder / "live.sqlite").read_bytes().count(b"secret-x") <= 2, "its row and its index entry"
    assert (embedded.folder / "live.sqlite-wal").stat().st_size == 0
    assert embedded.counts()["events_history"] == 300


def _files_with(folder: Path, word: bytes) -> set[str]:
    return {file.name for file in folder.iterdir() if word in file.read_bytes()}


def test_history_is_read_where_it_has_the_user_and_nowhere_else(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [StoredEvent(f"u{n:05d}", "i", "view", T0 + n, f"e{n}") for n in range(20_000)]
    assert embedded.import_events(table(told)) == 20_000
    assert embedded.recent(["u00017"], 5) == {"u00017": [told[17]]}
    reads: list[object] = []
    monkeypatch.setattr(history.History, "read", lambda self, *rest: reads.append(rest))
    assert embedded.recent(["stranger"], 5) == {"stranger": []}
    assert not reads
