"""What every store does."""

import threading
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from paretail.data.stores.base import ANSWER_COLUMNS, Entry, Key, Store, StoredEvent, StoreError
from paretail.data.types import EVENT_COLUMNS

from .made import DAY, STORES, T0, event, shown, table

Open = Callable[[], Store]

FULL = StoredEvent('u\n"1"\0é😀', "i1", "purchase", T0, "e1", "o1", 0.1 + 0.2, -(2**62), "r1", 7, 1e-300, 2**40)


def test_events_come_back_as_they_were_told_live_and_from_history(store: Store) -> None:
    bare = event(5)
    numbers = [event(10 + n)._replace(quantity=q) for n, q in enumerate((0.0, 1.0, 1e15 + 0.5, 2.0**70, 5e-324))]
    told = [FULL, bare, *numbers]
    assert store.append(told) == [True] * 7
    for _ in range(2):
        assert store.recent([FULL.user_id], 9) == {FULL.user_id: [FULL]}
        assert store.recent(["u1"], 9) == {"u1": [bare, *numbers]}
        found = store.events()
        assert found.schema == EVENT_COLUMNS
        assert [StoredEvent._make(row) for row in found.iter_rows()] == told
        store.compact({}, T0)


def test_an_event_is_kept_once_within_a_batch_across_batches_and_after_compaction(store: Store) -> None:
    again = event(1)._replace(user_id="u2", ts_ms=T0 + 9)
    assert store.append([event(1), again, event(1)._replace(item_id="i2"), event(2)]) == [True, False, True, True]
    assert store.append([event(2), event(3)]) == [False, True]
    store.compact({}, T0)
    assert store.append([event(3), event(4), event(4)]) == [False, True, False]
    assert store.events()["event_id"].to_list() == ["e1", "e1", "e2", "e3", "e4"]
    assert store.append([]) == []


def test_a_batch_is_kept_whole_or_not_at_all(store: Store) -> None:
    for bad in (
        event(2)._replace(user_id="\ud800"), event(2)._replace(order_id="\ud800"), event(2)._replace(ts_ms=2**63),
        event(2)._replace(price_minor=1.5), event(2)._replace(position=2**31), event(2)._replace(kind=None),
        event(2)._replace(quantity="two"), event(2)._replace(order_id=b"o"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match="STOR-08"):
            store.append([event(1), bad, event(3)])
    assert store.events().is_empty()
    assert store.append([event(1)]) == [True]


def test_events_are_read_by_time_from_a_moment_until_before_another(store: Store) -> None:
    store.append([event(n) for n in (3, 1, 2)])
    store.compact({}, T0)
    store.append([event(n) for n in (5, 4, 0)])
    assert store.events()["ts_ms"].to_list() == [T0 + n for n in range(6)]
    assert store.events(T0 + 1, T0 + 5)["event_id"].to_list() == ["e1", "e2", "e3", "e4"]
    assert store.events(T0 + 6).is_empty()
    assert store.events(T0 + 6).schema == EVENT_COLUMNS


def test_equal_times_keep_the_order_in_which_they_came(store: Store) -> None:
    numbers = [7, 3, 9, 1, 5, 2]
    store.append([event(n, ts_ms=T0) for n in numbers[:3]])
    store.compact({}, T0)
    store.append([event(n, ts_ms=T0) for n in numbers[3:]])
    for _ in range(2):
        assert store.events()["event_id"].to_list() == [f"e{n}" for n in numbers]
        assert [e.event_id for e in store.recent(["u1"], 4)["u1"]] == ["e9", "e1", "e5", "e2"]
        assert store.newest(1, 4)["item_id"].len() == 4
        store.compact({}, T0)


def test_recent_gives_the_newest_of_each_user_oldest_first_without_impressions(store: Store) -> None:
    store.append([event(n, user=f"u{n % 2}", item=f"i{n}") for n in range(6)] + [event(9, "u1", kind="impression")])
    store.compact({}, T0)
    store.append([event(6, "u1"), event(-1, "u1"), event(7, "u1", kind="impression")])
    recent = store.recent(["u1", "nobody", "u1"], 3)
    assert {user: [e.ts_ms - T0 for e in events] for user, events in recent.items()} == {"u1": [3, 5, 6], "nobody": []}
    assert store.recent(["u0"], 0) == {"u0": []}
    assert [e.ts_ms - T0 for e in store.recent(["u1"], 99)["u1"]] == [-1, 1, 3, 5, 6]


def test_newest_gives_the_users_seen_last_one_after_the_other(store: Store) -> None:
    store.append([event(1, "a"), event(2, "b"), event(3, "a"), event(4, "c"), event(5, "d", kind="impression")])
    store.compact({}, T0)
    store.append([event(6, "b"), event(0, "e"), event(7, "b")])
    found = store.newest(3, 2)
    assert found.columns == ["user_id", "item_id", "kind", "ts_ms", "quantity"]
    rows = list(zip(found["user_id"], found["ts_ms"] - T0, strict=True))
    assert rows == [("a", 1), ("a", 3), ("c", 4), ("b", 6), ("b", 7)]
    assert store.newest(9, 9).height == 7
    assert store.newest(9, 0).is_empty()


def test_an_empty_store_answers_everything_with_nothing(store: Store) -> None:
    assert store.events().schema == EVENT_COLUMNS
    assert store.events(impressions=True).schema == EVENT_COLUMNS
    assert store.answers().schema == ANSWER_COLUMNS
    assert store.newest(5, 5).is_empty()
    assert store.recent(["u"], 5) == {"u": []}
    assert list(store.documents("items")) == []
    assert (store.merges(), store.forgotten(), store.keys(), store.shown_to_session("s")) == ({}, {}, [], [])
    assert store.shown_to("u", 5) == []
    assert set(store.counts().values()) == {0}
    assert store.compact({"view": 1}, T0).history == 0


def test_lists_that_were_shown_come_back_once(store: Store) -> None:
    first, anonymous = shown(1, ["a", "b"]), shown(2, ["b", "c"], user=None)._replace(propensities=[0.1, 1 / 3])
    store.shown([first, anonymous, first._replace(item_ids=["x"]), first._replace(placement="page", ts_ms=T0 + 9)])
    store.shown([first, shown(3, [], session=None)])
    found = store.answers()
    assert found.schema == ANSWER_COLUMNS
    assert found["request_id"].to_list() == ["r1", "r2", "r3", "r1"]
    assert found["item_ids"].to_list() == [["a", "b"], ["b", "c"], [], ["a", "b"]]
    assert found["propensities"].to_list() == [None, [0.1, 1 / 3], None, None]
    assert found["user_id"].to_list() == ["u1", None, "u1", "u1"]
    assert store.answers(T0 + 2, T0 + 3)["request_id"].to_list() == ["r2"]
    assert store.shown_to_session("s1") == ["a", "b", "c"]
    assert store.counts()["lists"] == 4


def test_lists_are_told_as_impressions_when_asked(store: Store) -> None:
    store.append([event(5)])
    store.shown([shown(1, ["a", "b"])._replace(propensities=[0.25, 0.5]), shown(9, ["c"], user=None)])
    store.shown([shown(3, ["d"], user=None, session=None)])
    assert store.events()["kind"].to_list() == ["view"]
    found = store.events(impressions=True)
    assert found.schema == EVENT_COLUMNS
    assert found["kind"].to_list() == ["impression", "impression", "view", "impression"]
    rows = found.filter(kind="impression").select("user_id", "item_id", "request_id", "position", "propensity").rows()
    assert rows == [("u1", "a", "r1", 1, 0.25), ("u1", "b", "r1", 2, 0.5), ("s1", "c", "r9", 1, 1.0)]
    assert found["event_id"].n_unique() == 4


def test_a_user_was_shown_what_lists_and_events_tell(store: Store) -> None:
    store.append([event(2, item="x", kind="impression"), event(3), event(4, "u2", "y", "impression")])
    store.shown([shown(1, ["a", "b"]), shown(9, ["c"], user=None), shown(5, ["d"], session="u1")])
    store.merge("s1", "u1")
    for _ in range(2):
        assert store.shown_to("u1", 9) == [(T0 + 1, "a"), (T0 + 1, "b"), (T0 + 2, "x"), (T0 + 5, "d")]
        assert store.shown_to("u1", 2) == [(T0 + 2, "x"), (T0 + 5, "d")]
        assert store.shown_to("s1", 9) == [(T0 + 9, "c")], "merges are not followed"
        assert (store.shown_to("u2", 1), store.shown_to("u1", 0)) == ([(T0 + 4, "y")], [])
        store.compact({}, T0)
    store.forget(["u1"], T0 + 20)
    assert store.shown_to("u1", 9) == store.shown_to("s1", 9) == [], "the session was a visitor who is the user"


def test_documents_are_replaced_and_deleted_and_stay_deleted(store: Store) -> None:
    store.put("items", {"b": b'{"n": 1}', "a": b"{}"})
    store.put("items", {"b": b'{"n": 2}', "c": None})
    store.put("users", {"a": b"user"})
    assert list(store.documents("items")) == [("a", b"{}"), ("b", b'{"n": 2}'), ("c", None)]
    assert list(store.documents("users")) == [("a", b"user")]
    assert [store.document("items", name) for name in "abcd"] == [b"{}", b'{"n": 2}', None, None]
    assert (store.counts()["items"], store.counts()["users"]) == (2, 1)
    with pytest.raises(StoreError, match="STOR-08"):
        store.put("items", {"d": b"{}", "\ud800": b"{}"})
    assert [name for name, _ in store.documents("items")] == ["a", "b", "c"]


def test_what_a_visitor_did_counts_as_the_users_wherever_it_is_read_whole(store: Store) -> None:
    store.append([event(1, "v"), event(2, "w"), event(3, "u"), event(4, "x")])
    store.shown([shown(1, ["a"], user="v")])
    store.merge("v", "w")
    store.merge("w", "u")
    store.merge("w", "u")
    assert store.merges() == {"v": "w", "w": "u"}
    for _ in range(2):
        assert store.events()["user_id"].to_list() == ["u", "u", "u", "x"]
        assert [len(found) for found in store.recent(["v", "w", "u"], 9).values()] == [1, 1, 1]
        store.compact({}, T0)
    assert store.answers()["user_id"].to_list() == ["u"]
    assert store.events(impressions=True)["user_id"].to_list() == ["u", "u", "u", "u", "x"]
    store.merge("w", "x")
    assert store.events()["user_id"].to_list() == ["x", "x", "u", "x"]


@pytest.mark.parametrize(("visitor", "user"), [("u", "u"), ("u", "v"), ("w", "v"), ("u", "w")])
def test_a_circle_of_merges_is_refused(store: Store, visitor: str, user: str) -> None:
    store.merge("v", "w")
    store.merge("w", "u")
    with pytest.raises(StoreError, match="STOR-06"):
        store.merge(visitor, user)
    assert store.merges() == {"v": "w", "w": "u"}


def test_forgotten_users_are_gone_at_once_and_what_they_do_next_is_kept(store: Store) -> None:
    store.append([event(1, "u"), event(2, "v"), event(3, "other")])
    store.compact({}, T0)
    store.append([event(4, "u"), event(5, "v"), event(6, "other")])
    store.shown([shown(1, ["a"], user="u"), shown(2, ["a"], user="other")])
    store.put("users", {"u": b"{}", "other": b"{}"})
    store.merge("v", "u")
    store.forget(["u"], T0 + 10)
    for _ in range(2):
        assert store.events()["user_id"].to_list() == ["other", "other"]
        assert store.recent(["u", "v"], 9) == {"u": [], "v": []}
        assert set(store.newest(9, 9)["user_id"]) == {"other"}
        assert store.answers()["user_id"].to_list() == ["other"]
        assert [name for name, _ in store.documents("users")] == ["other"]
        assert store.forgotten() == {"u": T0 + 10, "v": T0 + 10}
        assert store.merges() == {}
        assert store.compact({}, T0).history == 2
    assert store.append([event(8, "u"), event(11, "u"), event(12, "v")]) == [False, True, True]
    assert store.import_events(table([event(9, "u"), event(13, "u")])) == 1
    assert store.events()["user_id"].to_list() == ["other", "other", "u", "v", "u"]
    store.forget(["u"], T0 + 5)
    assert store.forgotten()["u"] == T0 + 10, "the later moment counts"


def test_an_event_of_a_forgotten_user_may_come_again_under_the_same_id(store: Store) -> None:
    store.append([event(1), event(2)])
    store.compact({}, T0)
    store.append([event(3)])
    store.forget(["u1"], T0 - 1)
    assert store.append([event(1), event(3)]) == [True, True]
    assert store.import_events(table([event(1), event(2)])) == 1
    store.compact({}, T0)
    assert store.append([event(1), event(2), event(3)]) == [False] * 3
    assert store.events()["event_id"].to_list() == ["e1", "e2", "e3"]


def test_compaction_moves_all_and_drops_what_is_too_old_for_its_kind(store: Store) -> None:
    kinds = ["view", "purchase", "declared"]
    told = [event(10 * d + n, kind=kind, ts_ms=T0 - d * DAY) for d in range(5) for n, kind in enumerate(kinds)]
    store.append([*told, event(99, kind="view", ts_ms=4711)])
    store.shown([shown(-d * DAY, [f"i{d}"]) for d in range(5)])
    done = store.compact({"view": 2, "purchase": 3.5, "impression": 1}, T0)
    assert (done.moved, done.dropped, done.history) == (13, 3, 13)
    left = store.events()
    ages = {kind: ((T0 - left.filter(kind=kind)["ts_ms"]) // DAY).sort().to_list() for kind in kinds}
    assert ages["view"][:3] == [0, 1, 2]
    assert ages["view"][3] > 10_000, "a time that is only an order has no age"
    assert ages["purchase"] == [0, 1, 2, 3]
    assert ages["declared"] == [0, 1, 2, 3, 4]
    assert store.answers()["item_ids"].to_list() == [["i1"], ["i0"]]
    done = store.compact({"view": 1.0}, T0 + DAY)
    assert (done.moved, done.dropped, done.history) == (0, 2, 11)
    assert store.counts() | {"events_live": 0, "events_history": 11} == store.counts()


def test_the_same_file_twice_adds_nothing(store: Store) -> None:
    store.append([event(1)])
    nameless = [event(n, user=f"u{n % 3}", ts_ms=T0 + n // 4)._replace(event_id=None) for n in range(20)]
    file = table([*nameless, event(1), event(2), event(2)])
    assert store.import_events(file) == 21
    assert store.import_events(file) == 0
    assert store.import_events(file.reverse()) == 0
    assert store.counts() | {"events_live": 1, "events_history": 21} == store.counts()
    store.compact({}, T0)
    assert store.import_events(file) == 0
    assert nameless[0] == nameless[3]
    assert store.import_events(table([nameless[0]] * 3)) == 1, "a third equal row is a third event"
    assert store.events()["event_id"].null_count() == 0
    assert store.import_events(table([])) == 0


def test_an_import_may_lack_columns_but_not_who_what_and_when(store: Store) -> None:
    least = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "kind": ["view"], "ts_ms": [T0]})
    assert store.import_events(least) == 1
    for name in least.columns:
        with pytest.raises(StoreError, match=f"1 without {name}.*STOR-11"):
            store.import_events(least.with_columns(pl.lit(None).alias(name)))
    with pytest.raises(StoreError, match=r"STOR-11"):
        store.import_events(least.with_columns(pl.lit("yesterday").alias("ts_ms")))
    assert store.counts()["events_history"] == 1


def test_keys_are_kept_in_the_order_in_which_they_were_made(store: Store) -> None:
    old = Key("k2", "shop", "ab" * 32, ("events", "recommend"), None, 5)
    new = Key("k1", "console", "cd" * 32, ("admin",), 2.5, 9)
    store.put_key(new)
    store.put_key(old)
    store.put_key(replace(old, revoked_ms=12))
    assert store.keys() == [replace(old, revoked_ms=12), new]


def test_what_was_told_is_there_after_closing(opened: Open) -> None:
    store = opened()
    store.append([event(1)])
    store.shown([shown(1, ["a"])])
    store.put("items", {"a": b"{}"})
    store.merge("v", "u")
    store.close()
    again = opened()
    assert again.counts() | {"events_live": 1, "lists": 1, "items": 1, "merges": 1} == again.counts()
    assert again.append([event(1), event(2)]) == [False, True]


def test_two_open_stores_see_what_each_other_writes(opened: Open) -> None:
    one, two = opened(), opened()
    before = two.version()
    assert one.append([event(1)]) == [True]
    assert two.append([event(1), event(2)]) == [False, True]
    assert [e.event_id for e in one.recent(["u1"], 9)["u1"]] == ["e1", "e2"]
    assert two.version() != before
    one.compact({}, T0)
    assert two.append([event(2), event(3)]) == [False, True]
    assert one.append([event(3)]) == [False]
    two.forget(["u1"], T0 + 50)
    assert one.append([event(4)]) == [False]
    assert one.append([event(51)]) == [True]
    assert one.events().equals(two.events())


def test_the_version_changes_with_what_others_write_and_not_with_our_own(opened: Open) -> None:
    one, two = opened(), opened()
    seen = one.version()
    one.append([event(1)])
    one.put("items", {"a": b"{}"})
    one.compact({}, T0)
    assert one.version() == seen
    two.put("items", {"a": None})
    after = one.version()
    assert after != seen
    one.append([event(2)])
    assert one.version() == after == one.version()


def test_impressions_that_were_promised_and_never_written_are_counted_as_lost(opened: Open) -> None:
    store = opened()
    store.promise(5)
    store.shown([shown(1, ["a", "b", "c"])])
    other = opened()
    assert other.counts()["impressions_lost"] == 0, "they are under way while the store is open elsewhere"
    other.close()
    store.close()
    store = opened()
    assert store.counts()["impressions_lost"] == 2
    store.shown([shown(2, ["a"])])  # told without a promise
    store.close()
    store = opened()
    store.promise(1)
    store.close()
    assert opened().counts()["impressions_lost"] == 3


def test_threads_append_at_once_and_each_gets_its_own_verdicts(store: Store) -> None:
    verdicts: dict[int, list[bool]] = {}

    def work(thread: int) -> None:
        verdicts[thread] = [
            kept for start in range(0, 400, 20)
            for kept in store.append([*(event(thread * 1000 + n) for n in range(start, start + 20)), event(start)])
        ]  # fmt: skip

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared = [kept for found in verdicts.values() for kept in found[20::21]]
    assert [sum(found) for found in verdicts.values()] != [420] * 4
    assert len(shared) == 80
    assert sum(shared) == 20, "an event of several threads is kept once"
    assert all(all(found[place] for place in range(420) if place % 21 != 20) for found in verdicts.values())
    assert store.counts()["events_live"] == 1620


def test_every_kind_of_store_is_tested() -> None:
    assert list(STORES) == ["embedded"]


def test_somebody_is_in_an_experiment_as_of_the_first_list_that_they_or_their_visitors_saw(store: Store) -> None:
    assert store.entry("u", "spring") == Entry("u")
    store.merge("v2", "v1")
    assert store.entry("v2", "spring") == Entry("v1")  # before any list by the id as which they count
    spring = {"experiment": "spring", "arm": "bold"}
    store.shown([shown(1, ["a"], "v1"), shown(2, ["a"], "v1")._replace(**spring)])
    store.shown([shown(3, ["a"], "u")._replace(experiment="spring", arm="live")])
    assert store.entry("u", "spring") == Entry("u", "live")
    store.merge("v1", "u")
    assert {store.entry(name, "spring") for name in ("u", "v1", "v2")} == {Entry("v1", "bold")}
    assert store.entry("u", "autumn") == Entry("u")
    store.shown([shown(4, ["a"], "u")._replace(**spring, drawn_by="v1")])
    assert store.answers().select("user_id", "drawn_by").rows() == [("u", None), ("u", "v1"), ("u", "u"), ("u", "v1")]


def test_a_forgotten_visitor_is_named_in_no_list(store: Store) -> None:
    store.shown([shown(4, ["a"], "u")._replace(experiment="spring", arm="bold", drawn_by="v")])
    store.forget(["v"], T0 + 9)
    assert store.answers()["drawn_by"].to_list() == ["u"]
    assert store.entry("u", "spring") == Entry("u", "bold")
