"""Impressions in memory: within bounds, whole whatever comes while the store is read, gone with who is forgotten."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from paretail.data.live import PACK, LiveUsers
from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.live import impressions
from paretail.pipeline.live.impressions import SIZE, Impressions
from paretail.pipeline.live.shown import ShownLists

T0 = 1_700_000_000_000


def rows(first: int, count: int) -> bytes:
    return b"".join(PACK(first + number, 1, 1.0, 0) for number in range(count))


def remembered(kept: Impressions, *names: str) -> None:
    for name in names:
        kept.keep(name, b"", kept.begin(name, b""))


def a_list(ts_ms: int, *items: str, user: str | None = "u", session: str | None = None) -> Shown:
    return Shown(f"r{ts_ms}", ts_ms, user, session, "home", "v", "model", list(items))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def shown(store: EmbeddedStore) -> Iterator[ShownLists]:
    lists = ShownLists(store, LiveUsers(store, 10, 10))
    yield lists
    lists.close()


def times(shown: ShownLists, user_id: str = "u") -> list[int]:
    return (shown.impressions(user_id)["ts_ms"] - T0).tolist()


def test_memory_is_bounded_of_each_and_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impressions, "MOST_EACH", 3)
    monkeypatch.setattr(impressions, "MOST_IN_ALL", 10)
    kept = Impressions()
    remembered(kept, "a", "b", "c")
    for number in range(20):
        kept.add("a", rows(number, 1))
        assert len(kept._known["a"]) <= 6 * SIZE
    assert kept.of("a") == rows(17, 3)
    kept.add("b", rows(0, 5))
    kept.add("c", rows(0, 5))
    assert [name in kept for name in "abc"] == [True, False, True], "the one used longest ago makes room"
    kept.drop("c")
    assert kept._bytes == sum(map(len, kept._known.values())) <= 10 * SIZE


def test_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impressions, "MOST_IDS", 2)
    kept = Impressions()
    remembered(kept, "a", "b", "c")
    assert [name in kept for name in "abc"] == [False, True, True]


def test_what_comes_while_the_store_is_read_is_there_once(
    store: EmbeddedStore, shown: ShownLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.shown([a_list(T0 + 1, "a")])
    reading, go_on, whole = Event(), Event(), store.shown_to

    def slow(user_id: str, most: int) -> list[tuple[int, str]]:
        found = whole(user_id, most)
        reading.set()
        assert go_on.wait(10)
        return found

    monkeypatch.setattr(store, "shown_to", slow)
    shown.add([a_list(T0 + 2, "b")])  # waits, or is written before the store is read
    found = list[int]()
    reader = Thread(target=lambda: found.extend(times(shown)))
    reader.start()
    assert reading.wait(10)
    answering = Thread(target=shown.add, args=([a_list(T0 + 3, "c")],))
    answering.start()
    answering.join(5)
    blocked = answering.is_alive()
    shown_meanwhile = [StoredEvent("u", "d", "impression", T0 + 4, "e4")]
    if not blocked:
        shown.told(shown_meanwhile)
        shown.flush()
    go_on.set()
    reader.join(10)
    assert not blocked, "answers wait for no reading of the store"
    assert found == times(shown) == [1, 2, 3, 4]


def test_a_reading_that_fails_leaves_nothing(
    store: EmbeddedStore, shown: ShownLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(user_id: str, most: int) -> list[tuple[int, str]]:
        raise OSError("disk")

    with monkeypatch.context() as patched:
        patched.setattr(store, "shown_to", fails)
        with pytest.raises(OSError, match="disk"):
            shown.impressions("u")
    assert "u" not in shown._impressions
    shown.add([a_list(T0 + 1, "a")])
    assert times(shown) == [1]


def test_nothing_that_was_read_before_another_process_wrote_is_kept(
    store: EmbeddedStore, shown: ShownLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store.shown_to

    def written_meanwhile(user_id: str, most: int) -> list[tuple[int, str]]:
        found = whole(user_id, most)
        store.shown([a_list(T0 + 1, "a")])
        shown.reload()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(store, "shown_to", written_meanwhile)
        times(shown)
    assert times(shown) == [1]


def test_what_a_forgotten_visitor_was_shown_leaves_memory(store: EmbeddedStore, shown: ShownLists) -> None:
    shown.add([a_list(T0 + 1, "a", user=None, session="visitor")])
    shown.flush()
    assert (shown.of_session("visitor"), times(shown, "visitor")) == (["a"], [1])
    shown.forget(["visitor"])
    store.forget(["visitor"], T0 + 2)
    assert shown.of_session("visitor") == []


def test_bytes_across_two_impressions_are_no_third() -> None:
    kept, two = Impressions(), rows(T0, 2)
    remembered(kept, "u")
    kept.add("u", two)
    kept.add("u", two[SIZE:], once=True)
    assert kept.of("u") == two
    kept.add("u", two[5 : 5 + SIZE], once=True)
    assert kept.of("u") == two + two[5 : 5 + SIZE]
