"""Engine: one version of a bundle, ready to answer for live users; it never changes but for the shelf's documents.

A user's history is the bundle's, that of visitors who are the user, and the live events of all of them. A live event
that the bundle has seen (same item, kind and millisecond) counts once. What they were shown is told to rankers alone.
A kind that the bundle never saw counts as the strongest that it knows and that is no stronger, or the weakest that it
knows.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import now_ms
from paretail.core.ids import Rows
from paretail.core.money import minor_per_major
from paretail.data.kinds import NOT_TARGETS, PRODUCT, TARGETS
from paretail.data.live import LiveUsers, Packed
from paretail.data.people import People
from paretail.data.stores.base import StoredEvent
from paretail.data.types import History
from paretail.graph.traits import About, row_of, together
from paretail.pipeline.live.bursts import bursts
from paretail.pipeline.live.feed import words_of
from paretail.pipeline.live.reach import Reach
from paretail.pipeline.live.refits import Requests
from paretail.pipeline.live.trends import Trends
from paretail.pipeline.live.wares import LiveWares
from paretail.pipeline.ranking import SHOWN
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.ways import Ways

#: How long bursts that were found are told.
BURSTS_SECONDS: Final = 10.0
#: No kind of the bundle.
NO_KIND: Final = 255


class Past(NamedTuple):
    """One user's events, oldest first, as rows of a bundle."""

    item_idx: Rows
    kind: NDArray[np.uint8]
    ts_ms: NDArray[np.int64]
    quantity: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, float]]) -> "Past":
        """Build from (item_idx, kind, ts_ms, quantity)."""
        items, kinds, times, quantities = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(np.array(items, np.int32), np.array(kinds, np.uint8), np.array(times, np.int64),
                   np.array(quantities, np.float32))  # fmt: skip

    def where(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> "Past":
        """Return the events where `keep`, or in that order."""
        return Past(self.item_idx[keep], self.kind[keep], self.ts_ms[keep], self.quantity[keep])

    def then(self, other: "Past") -> "Past":
        """Return both in order of time; with equal times those of `other` come after."""
        if not len(other.item_idx):
            return self
        both = Past(
            np.concatenate([self.item_idx, other.item_idx]), np.concatenate([self.kind, other.kind]),
            np.concatenate([self.ts_ms, other.ts_ms]), np.concatenate([self.quantity, other.quantity]),
        )  # fmt: skip
        if (both.ts_ms[1:] < both.ts_ms[:-1]).any():
            return both.where(np.argsort(both.ts_ms, kind="stable"))
        return both


class Engine:
    """See the module."""

    def __init__(self, recommender: Recommender, users: LiveUsers, people: People) -> None:
        self.recommender, self.users, self.people = recommender, users, people
        self._sizes = {**recommender.traits.sizes, "user": len(recommender.users)}
        if recommender.products is not None:
            self._sizes[PRODUCT] = len(recommender.products)
        self.reach = Reach(recommender)
        data = recommender.manifest.config["data"]
        self.currency: str = data["currency"]
        self.minor = minor_per_major(self.currency)
        self.shelf = recommender.shelf()
        self.wares = LiveWares.of(self.shelf)
        self.ways = Ways(recommender)
        self.requests = Requests()
        #: What was asked of goals and solved ahead, as `slates` words it.
        self.solved: set[str] = set()
        self.trends = Trends(recommender.history, self.shelf.learned, now_ms())
        self.words = words_of(recommender.words)
        kinds = recommender.history.kinds
        self.only_kind = kinds[0] if len(kinds) == 1 else None
        self._bursts = (-np.inf, np.empty(0, np.float32))
        self._kinds_of_kinds = np.zeros(0, np.uint8)
        self._variants = (-1, False)
        self._listable: dict[bool, tuple[int, NDArray[np.bool_] | None]] = {}

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.recommender.version

    def past(self, user_id: str) -> Past:
        """Return all that a user, known or new, did."""
        ids = self.users.ids_of(user_id)
        stored = self._stored(ids[0])
        for visitor_id in ids[1:]:
            stored = stored.then(self._stored(visitor_id))
        live = self._live(self.users.of(ids[0]))
        return stored.then(self._unseen(live, stored))

    def shown(self, impressions: Packed) -> Past:
        """Return impressions after the bundle's newest, where its ranker learned from such."""
        if self.newest_shown_ms is None:
            return _NOTHING
        return self._live(impressions[impressions["ts_ms"] > self.newest_shown_ms])

    def about(self, user_id: str) -> About:
        """Return what is known of a user beside events: traits as the store tells them, else the bundle; friends."""
        user_id = self.users.user_of(user_id)
        stored = self._known(user_id)
        told = self.people.attributes(user_id) if self.recommender.history.about else None
        if told is None:
            return stored
        others = {name: nodes for name, nodes in stored.items() if name not in self.recommender.traits.sizes}
        return self.recommender.traits.row(told) | others

    def products(self, user_id: str | None, told: Sequence[tuple[str, float]]) -> About:
        """Return what somebody turned to where lists hold people: stored, live, and `told` as (item, quantity)."""
        products = self.recommender.products
        if products is None:
            return {}
        taken: defaultdict[int, float] = defaultdict(float)
        for one in [] if user_id is None else self.users.ids_of(user_id):
            rows, weights = self._known(one).get(PRODUCT, _NO_PRODUCTS)
            for row, quantity in zip(rows.tolist(), (np.exp2(weights) - 1).tolist(), strict=True):
                taken[row] += quantity
        for item_id, quantity in [*([] if user_id is None else self._live_products(user_id)), *told]:
            taken[products.row(item_id)] += quantity
        rows = np.array(sorted(row for row, quantity in taken.items() if row >= 0 and quantity > 0), np.int32)
        weights = np.log2(1 + np.array([taken[row] for row in rows.tolist()], np.float64)).astype(np.float32)
        return {PRODUCT: (rows, weights)} if len(rows) else {}

    def histories(self, pasts: Sequence[Past], abouts: Sequence[About] | None = None) -> History:
        """Return many users' pasts as one history, with what is known of them beside."""
        history = self.recommender.history
        items, kinds, times, quantities = (np.concatenate(column) for column in zip(*pasts, strict=True))
        indptr = np.array([0, *accumulate(len(past.item_idx) for past in pasts)], np.int64)
        about = together(abouts, self._sizes) if abouts else {}
        return History(indptr, items, kinds, times, quantities, history.kinds, history.time, about)

    @property
    def latest_ms(self) -> int:
        """The shop's clock: its latest event, of the bundle's log or told since, and not of times to come."""
        known = self.recommender.moment_ms - 1
        if self.recommender.history.time != "clock":
            return known
        return max(known, min(self.users.latest_ms, now_ms()))

    def recount(self) -> None:
        """Count the trends anew, from the bundle and the live events in memory."""
        self.trends = Trends(self.recommender.history, self.shelf.learned, now_ms())
        self.count_live()

    def count_live(self) -> None:
        """Count the live events in memory that are newer than the bundle's into the trends."""
        events = self.users.everything()
        if self.recommender.history.time == "clock":
            events = events[events["ts_ms"] > self.newest_ms]
        rows = np.array([self.shelf.row(word) for word in self.users.items.words], np.int32)[events["item"]]
        self.trends.add(rows, self.users.kinds.words, events["kind"], events["ts_ms"])

    def count(self, events: Sequence[StoredEvent]) -> None:
        """Count live events into the trends."""
        kinds = list(dict.fromkeys(event.kind for event in events))
        number = {kind: place for place, kind in enumerate(kinds)}
        rows = np.array([self.shelf.row(event.item_id) for event in events], np.int32)
        times = np.array([event.ts_ms for event in events], np.int64)
        self.trends.add(rows, kinds, np.array([number[event.kind] for event in events], np.uint8), times)

    def bursts(self) -> NDArray[np.float32]:
        """Return the burst of each row of the shelf, -inf where there is none; at most BURSTS_SECONDS old."""
        made, scores = self._bursts
        if time.monotonic() - made > BURSTS_SECONDS or len(scores) < len(self.shelf):
            scores = self._burst_now()
            self._bursts = time.monotonic(), scores
        return scores.copy()

    def _burst_now(self) -> NDArray[np.float32]:
        history, size = self.recommender.history, len(self.shelf)
        wishes = np.array([kind not in NOT_TARGETS for kind in history.kinds] or [False])
        old = history.where(wishes[history.kind] & (history.time == "clock"))
        names, user, events = self.users.of_everybody()
        known = self.recommender.users.rows(names)
        person = np.where(known < 0, len(self.recommender.users) + np.arange(len(names)), known)[user]
        row = np.array([self.shelf.row(word) for word in self.users.items.words], np.int32)[events["item"]]
        shows = np.array([word not in NOT_TARGETS for word in self.users.kinds.words], bool)[events["kind"]]
        new = shows & (row >= 0)
        return bursts(
            np.concatenate([old.item_idx, row[new]]), np.concatenate([old.user_idx, person[new]]),
            np.concatenate([old.ts_ms, events["ts_ms"][new]]), size,
        )  # fmt: skip

    def kind(self, word: str) -> int:
        """Return the bundle's kind that one of our words counts as, NO_KIND for one that shows no wish here."""
        kinds = self.recommender.history.kinds
        if word in kinds:
            return kinds.index(word)
        if word in NOT_TARGETS or word not in TARGETS:
            return NO_KIND
        weaker = [kind for kind in TARGETS[TARGETS.index(word) :] if kind in kinds]
        return kinds.index(weaker[0] if weaker else self.recommender.weakest)

    def listable(self, out_of_stock: bool) -> NDArray[np.bool_] | None:
        """Return which rows of the shelf may be listed at all, None where all may."""
        version = self.shelf.version
        known = self._listable.get(out_of_stock)
        if known is None or known[0] != version:
            mask = self.shelf.listable(out_of_stock)
            known = self._listable[out_of_stock] = (version, None if mask.all() else mask)
        return known[1]

    def one_of_each(self, rows: Rows) -> Rows:
        """Return which places of `rows` remain where of several variants of a product the first one does."""
        version = self.shelf.version
        if self._variants[0] != version:
            parents = self.shelf.parents
            self._variants = (version, bool((parents != np.arange(len(parents))).any()))
        if not self._variants[1]:
            return np.arange(len(rows), dtype=np.int32)
        return np.sort(np.unique(self.shelf.parents[rows], return_index=True)[1]).astype(np.int32)

    @cached_property
    def newest_ms(self) -> int:
        """The newest time of the bundle's events."""
        return int(self.recommender.history.ts_ms.max(initial=0))

    @cached_property
    def newest_shown_ms(self) -> int | None:
        """The newest time of the bundle's impressions, none of times to come; None where it tells none, or no times."""
        history, made = self.recommender.history, self.recommender.manifest.created_ms
        if SHOWN not in history.kinds or history.time != "clock":
            return None
        shown = (history.kind == history.kinds.index(SHOWN)) & (history.ts_ms <= made)
        return int(history.ts_ms[shown].max(initial=0))

    def _stored(self, user_id: str) -> Past:
        recommender = self.recommender
        history, row = recommender.history, recommender.users.row(user_id)
        start, end = (history.indptr[row], history.indptr[row + 1]) if row >= 0 else (0, 0)
        past = Past(history.item_idx[start:end], history.kind[start:end], history.ts_ms[start:end],
                    history.quantity[start:end])  # fmt: skip
        forgotten = self.users.forgotten.get(user_id)
        if forgotten is None:
            return past
        later = history.time == "clock" or recommender.manifest.created_ms > forgotten
        return past.where(past.ts_ms > forgotten if history.time == "clock" else np.full(end - start, later))

    def user_row(self, user_id: str) -> int:
        """Return a user's row in the bundle, merges not followed; -1 for who is unknown there or was forgotten."""
        return -1 if user_id in self.users.forgotten else self.recommender.users.row(user_id)

    def _known(self, user_id: str) -> About:
        """Return what the bundle knows of a user beside events."""
        row = self.user_row(user_id)
        return row_of(self.recommender.history.about, row) if row >= 0 else {}

    def _live_products(self, user_id: str) -> list[tuple[str, float]]:
        events, kinds = self.users.of(self.users.user_of(user_id)), self.users.kinds.words
        return [(self.users.items.words[item], float(quantity))
                for item, kind, quantity in zip(events["item"], events["kind"], events["quantity"], strict=True)
                if kinds[kind] not in NOT_TARGETS]  # fmt: skip

    def _live(self, events: Packed) -> Past:
        """Return live events of items and kinds that the bundle knows, in its own measure of time."""
        if not len(events):
            return _NOTHING
        known, kind_of = self.users.kinds.words, self._kinds_of_kinds
        if len(kind_of) < len(known):
            self._kinds_of_kinds = kind_of = np.array([self.kind(word) for word in known], np.uint8)
        place, rows = self.reach.of(self.users.items.words, events["item"])
        kinds = kind_of[events["kind"]][place]
        past = Past(rows, kinds, self.in_time_of_bundle(events["ts_ms"])[place], events["quantity"][place])
        return past.where(kinds != NO_KIND)

    def in_time_of_bundle(self, ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return wall-clock times as the bundle counts time: as they are, after all it knows, or not at all."""
        time = self.recommender.history.time
        if time == "clock":
            return ts_ms
        return np.full(len(ts_ms), self.newest_ms if time == "order" else 0, np.int64)

    def _unseen(self, live: Past, stored: Past) -> Past:
        """Return the live events that the bundle was not trained on."""
        timed = self.recommender.history.time == "clock"
        if not timed or not len(live.ts_ms) or not len(stored.ts_ms) or live.ts_ms[0] > stored.ts_ms[-1]:
            return live
        known = set(zip(stored.ts_ms.tolist(), stored.item_idx.tolist(), stored.kind.tolist(), strict=True))
        mine = zip(live.ts_ms.tolist(), live.item_idx.tolist(), live.kind.tolist(), strict=True)
        return live.where(np.array([event not in known for event in mine], bool))


_NOTHING = Past.of([])
_NO_PRODUCTS = (np.empty(0, np.int32), np.empty(0, np.float32))
