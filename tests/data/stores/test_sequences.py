"""Any sequence of calls leaves a store as it leaves the plain model."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from paretail.data.stores import compaction, index, live, merged
from paretail.data.stores.base import StoredEvent, StoreError

from .made import DAY, STORES, T0, table
from .model import Model

USERS = [f"u{n}" for n in range(5)]
users = st.sampled_from(USERS)
moments = st.integers(0, 9).map(lambda day: T0 + day * DAY)
events = st.tuples(
    users, st.sampled_from(["a", "b", "c"]), st.sampled_from(["view", "purchase", "impression"]), moments,
    st.integers(0, 40).map("e{}".format),
).map(lambda cells: StoredEvent(*cells))  # fmt: skip
batches = st.lists(events, max_size=8)
ages = st.dictionaries(st.sampled_from(["view", "purchase"]), st.sampled_from([2.0, 5.0, 30.0]))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few rows take the ways of millions."""
    monkeypatch.setattr(merged, "PIECE", 7)
    monkeypatch.setattr(compaction, "_CHUNK", 3)
    monkeypatch.setattr(compaction, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(live, "_WINDOW", 5)
    monkeypatch.setattr(index, "BLOCK", 10)


class Sequences(RuleBasedStateMachine):
    """Two open stores of one place, and the model."""

    kind: str

    @initialize()
    def begin(self) -> None:
        self.place, self.model = Path(tempfile.mkdtemp()), Model()
        self.stores = [STORES[self.kind](self.place / "store") for _ in range(2)]

    @rule(which=st.integers(0, 1), batch=batches)
    def append(self, which: int, batch: list[StoredEvent]) -> None:
        assert self.stores[which].append(batch) == self.model.append(batch)

    @rule(which=st.integers(0, 1), batch=batches)
    def bring_in(self, which: int, batch: list[StoredEvent]) -> None:
        assert self.stores[which].import_events(table(batch)) == sum(self.model.append(batch))

    @rule(which=st.integers(0, 1), visitor=users, user=users)
    def merge(self, which: int, visitor: str, user: str) -> None:
        if self.model.may_merge(visitor, user):
            self.stores[which].merge(visitor, user)
            self.model.merge(visitor, user)
        else:
            with pytest.raises(StoreError, match="STOR-06"):
                self.stores[which].merge(visitor, user)

    @rule(which=st.integers(0, 1), user=users, now_ms=moments)
    def forget(self, which: int, user: str, now_ms: int) -> None:
        self.stores[which].forget([user], now_ms)
        self.model.forget([user], now_ms)

    @rule(which=st.integers(0, 1), keep_days=ages)
    def compact(self, which: int, keep_days: dict[str, float]) -> None:
        done = self.stores[which].compact(keep_days, T0 + 10 * DAY)
        before = len(self.model.rows)
        self.model.compact(keep_days, T0 + 10 * DAY)
        assert done.history == len(self.model.rows)
        assert done.dropped >= before - len(self.model.rows), "erased rows go as well"

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = STORES[self.kind](self.place / "store")

    @rule(since=moments, until=moments, most=st.integers(1, 4))
    def look(self, since: int, until: int, most: int) -> None:
        order = ["ts_ms", "user_id", "event_id", "item_id"]
        for store in self.stores:
            assert store.events(since, until).sort(order).equals(self.model.events(since, until).sort(order))
            recent = store.recent(USERS, most)
            assert {user: _key(found) for user, found in recent.items()} == {
                user: _key(self.model.recent(user, most)) for user in USERS
            }
            for user in USERS:
                told = [ts_ms for ts_ms, _ in store.shown_to(user, most)]
                assert told == [ts_ms for ts_ms, _ in self.model.shown_to(user, most)]
            warm: dict[str, list[Any]] = {}
            for row in store.newest(len(USERS), most).iter_rows():
                warm.setdefault(row[0], []).append(row[3])
            assert warm == {user: [e.ts_ms for e in found] for user, found in recent.items() if found}

    @invariant()
    def agree(self) -> None:
        for store in self.stores:
            assert store.merges() == self.model.merged
            assert store.forgotten() == self.model.erased

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.place)


def _key(found: list[StoredEvent]) -> list[int]:
    return [event.ts_ms for event in found]


@pytest.mark.parametrize("kind", STORES)
def test_any_sequence_of_calls_leaves_the_store_as_the_model(kind: str) -> None:
    case = type("Case", (Sequences,), {"kind": kind}).TestCase
    few = {"max_examples": 20, "stateful_step_count": 25}
    case.settings = settings(**few, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    case().runTest()
