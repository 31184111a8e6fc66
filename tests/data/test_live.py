"""Live users in memory are what the store says, whatever was evicted, refilled, merged or forgotten."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.data.live import EVENT, PACK, LiveUsers
from paretail.data.stores.base import StoredEvent
from paretail.data.stores.embedded import EmbeddedStore

Told = list[tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path / "store")
    yield opened
    opened.close()


def event(user: str, item: str, ts_ms: int, kind: str = "view", name: str | None = None) -> StoredEvent:
    return StoredEvent(user, item, kind, ts_ms, name or f"{user}/{item}/{ts_ms}/{kind}")


def tell(store: EmbeddedStore, users: LiveUsers, *events: StoredEvent) -> None:
    is_new = store.append(events)
    users.add([event for event, new in zip(events, is_new, strict=True) if new])


def of(users: LiveUsers, user_id: str) -> Told:
    return [(int(row["ts_ms"]), users.items.words[row["item"]], users.kinds.words[row["kind"]])
            for row in users.of(user_id)]  # fmt: skip


def test_the_packed_form_is_the_array_form() -> None:
    row = np.frombuffer(PACK(1_700_000_000_123, 4_000_000_000, 2.5, 7), EVENT)[0]
    assert row.tolist() == (1_700_000_000_123, 4_000_000_000, 2.5, 7)


def test_events_come_oldest_first_and_without_impressions(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 10, 10)
    tell(store, users, event("u", "b", 20), event("u", "a", 10), event("u", "c", 15, "impression"))
    assert of(users, "u") == [(10, "a", "view"), (20, "b", "view")]
    assert of(users, "nobody") == []


def test_only_the_newest_count(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 10, 3)
    for ts_ms in (5, 1, 4, 2, 3, 9, 8, 7, 6):
        tell(store, users, event("u", f"i{ts_ms}", ts_ms))
    assert [told[0] for told in of(users, "u")] == [7, 8, 9]
    assert of(LiveUsers(store, 10, 3), "u") == of(users, "u")


def test_users_who_leave_memory_come_back_from_the_store(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 2, 10)
    for number in range(6):
        tell(store, users, event(f"u{number}", "a", number))
    assert len(users) == 2
    tell(store, users, event("u0", "b", 100))
    assert of(users, "u0") == [(0, "a", "view"), (100, "b", "view")]
    assert of(users, "u3") == [(3, "a", "view")]
    assert len(users) == 2


def test_an_event_that_a_refill_brought_counts_once(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 1, 10)
    tell(store, users, event("u", "a", 1), event("v", "a", 1))
    told = event("u", "b", 2)
    store.append([told])
    assert of(users, "u") == [(1, "a", "view"), (2, "b", "view")]  # read from the store, the new event with it
    users.add([told])
    assert of(users, "u") == [(1, "a", "view"), (2, "b", "view")]


def test_a_merged_visitor_is_the_user(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 10, 10)
    tell(store, users, event("v", "a", 1), event("u", "b", 2), event("w", "c", 3))
    for visitor, user in (("w", "v"), ("v", "u")):
        store.merge(visitor, user)
        users.merge(visitor, user)
    assert of(users, "u") == of(users, "v") == of(users, "w") == [(1, "a", "view"), (2, "b", "view"), (3, "c", "view")]
    assert users.ids_of("w")[0] == "u"
    assert sorted(users.ids_of("w")) == ["u", "v", "w"]
    tell(store, users, event("w", "d", 4))
    assert of(users, "u")[-1] == (4, "d", "view")
    again = LiveUsers(store, 10, 10)
    assert of(again, "u") == of(users, "u")
    assert sorted(again.ids_of("v")) == ["u", "v", "w"]


def test_forgotten_users_start_anew(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 10, 10)
    tell(store, users, event("u", "a", 1))
    store.forget(["u"], 50)
    users.forget(["u"], 50)
    assert of(users, "u") == []
    assert users.forgotten == {"u": 50}
    tell(store, users, event("u", "b", 60))
    assert of(users, "u") == of(LiveUsers(store, 10, 10), "u") == [(60, "b", "view")]


def test_what_another_process_wrote_is_seen_after_a_refresh(store: EmbeddedStore) -> None:
    users = LiveUsers(store, 10, 10)
    store.append([event("u", "a", 1)])
    assert of(users, "u") == []
    users.refresh()
    assert of(users, "u") == [(1, "a", "view")]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(0, 4), st.integers(0, 3), st.integers(0, 30)),
        st.tuples(st.just("ask"), st.integers(0, 4), st.just(0), st.just(0)),
        st.tuples(st.just("merge"), st.integers(0, 4), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("refresh"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, bound=st.integers(1, 5))
def test_any_sequence_equals_a_plain_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]], bound: int
) -> None:
    store = EmbeddedStore.open(tmp_path_factory.mktemp("live") / "store")
    users = LiveUsers(store, bound, 5)
    told: list[StoredEvent] = []
    is_user = {f"u{number}": f"u{number}" for number in range(5)}
    for what, first, second, ts_ms in steps:
        one, other = f"u{first}", f"u{second}"
        if what == "tell":
            new = event(one, f"i{second}", ts_ms)
            tell(store, users, new)
            told += [] if new in told else [new]
        elif what == "merge" and is_user[one] == one and is_user[other] != one:
            store.merge(one, other)
            users.merge(one, other)
            is_user = {visitor: is_user[other] if user == one else user for visitor, user in is_user.items()}
        elif what == "refresh":
            users.refresh()
        elif what == "reopen":
            users = LiveUsers(store, bound, 5)
        for user in is_user:
            mine = sorted({(new.ts_ms, new.item_id) for new in told if is_user[new.user_id] == is_user[user]})
            found = [(ts_ms, item) for ts_ms, item, _ in of(users, user)]
            assert len(found) == min(5, len(mine))
            assert [ts_ms for ts_ms, _ in found] == [ts_ms for ts_ms, _ in mine[-5:]]
            assert set(found) <= set(mine)
        assert len(users) <= bound
    store.close()
