"""Why this item: the ways through the graph that lead from a user to it, each with its exact count.

    user -> an item they had -> the others who had both -> the item        `count` of all others who had it
    user -> items they had -> a category, brand or other label -> the item `count` of all the items they had
    user -> friends who had it -> the item                                 `count` of all their friends

Ways are ordered by how far the count is above chance, z = (count - e) / sqrt(e + 1), e = out_of x (share of all users
who had the item, or of all items that carry the label); the 1 keeps a single coincidence of rare nodes from leading.
The counts are intersections of sorted rows, exact to the last event; no model is asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.data.kinds import NOT_TARGETS, TARGETS
from paretail.data.types import History
from paretail.graph.adjacency import Adjacency
from paretail.graph.edges import EdgeSet, Relation
from paretail.graph.shopgraph import ShopGraph

#: Of longer histories only so many newest items are tried as the way; labels are counted over all.
MOST_ITEMS: Final = 200
#: From so many times the length on, an array is searched and not read through.
SEARCHED: Final = 16
FRIENDS: Final[Relation] = ("user", "friend", "user")


#: Bounds of each item and kind, and who did it; see `by_item_and_kind`.
Index = tuple[NDArray[np.int64], Rows]


@dataclass(frozen=True)
class Path:
    """One way from the user to the item: over node `row` of `node_type` by `relation`, `count` of `out_of`.

    `did` is what the user did with the item on the way, None on other ways. Of several friends, `row` is the one who
    has most items in common with the user. `above_chance` is z above.
    """

    kind: Literal["item", "label", "friend"]
    node_type: str
    row: int
    relation: str
    did: str | None
    count: int
    out_of: int
    above_chance: float


@dataclass(frozen=True, eq=False)
class Paths:
    """Finds paths in one graph to items had under the `target` kind; any number of threads may ask.

    Memory beside the graph: 4 bytes an event, 8 an item and kind, 8 a label of an item.
    """

    graph: ShopGraph
    target: str
    bounds: NDArray[np.int64]  # of item * kinds + kind
    users: Rows  # who did it, ascending in each cell
    labels: Adjacency
    carriers: NDArray[np.int64]  # of each node of `labels`

    @classmethod
    def of(cls, graph: ShopGraph, target: str, index: Index | None = None) -> Self:
        """Index the events of `graph` by item and kind, if `index` is not that, and the labels of its items."""
        bounds, users = index or by_item_and_kind(graph.history, graph.items)
        none = EdgeSet.of(np.empty(0, np.int32), np.empty(0, np.int32), (graph.items, 0))
        told = {
            name: those for name, those in graph.edges.items() if name[0] == "item" and name[2] not in ("item", "user")
        }
        labels = Adjacency.of(told or {("item", "has", "nothing"): none}, both_ways=False)
        return cls(graph, target, bounds, users, labels, np.bincount(labels.indices, minlength=labels.nodes))

    def to(self, item_idx: int, user_events: History, most: int = 5, user_idx: int | None = None) -> list[Path]:
        """Return the paths from the one user of `user_events` to an item: the best of each kind, then the others.

        `user_idx` is the user's row in the graph, if they have one: they are not counted among the others, and have
        friends. Only paths above chance are told; items and kinds that the graph does not know lead nowhere. An item
        that the user had is no way to itself.
        """
        if not 0 <= item_idx < self.graph.items:
            raise IndexError(f"item {item_idx} of {self.graph.items}")
        had = _had(user_events, self.graph.items, item_idx, self.target)
        found = [*self._over_items(item_idx, had, user_idx), *self._over_labels(item_idx, had)]
        if user_idx is not None and FRIENDS in self.graph.edges:
            found.extend(self._over_friends(item_idx, had, user_idx))
        ordered = sorted((path for path in found if path.above_chance > 0), key=lambda path: -path.above_chance)
        first = {path.kind: path for path in reversed(ordered)}
        return [*sorted(first.values(), key=ordered.index), *(p for p in ordered if first[p.kind] is not p)][:most]

    def _over_items(self, item_idx: int, had: dict[int, str], user_idx: int | None) -> Iterable[Path]:
        kinds = self.graph.history.kinds
        ways = [(item, kind) for item, kind in had.items() if kind in kinds][:MOST_ITEMS]
        if self.target not in kinds or not ways:
            return
        cells = np.array([item * len(kinds) + kinds.index(kind) for item, kind in ways], np.int64)
        goal = item_idx * len(kinds) + kinds.index(self.target)
        counts, others = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
        alone = -1 if user_idx is None else user_idx
        _count_others(self.users, self.bounds, cells, goal, alone, self.graph.users, counts, others)
        share = (self.bounds[goal + 1] - self.bounds[goal]) / self.graph.users
        for (item, kind), count, out_of in zip(ways, counts.tolist(), others.tolist(), strict=True):
            yield Path("item", "item", item, "had", kind, count, out_of, _above(count, out_of, share))

    def _over_labels(self, item_idx: int, had: dict[int, str]) -> Iterable[Path]:
        labels = self.labels
        mine = np.sort(labels.row_of(int(labels.numbers("item", np.array([item_idx]))[0])))
        items = labels.numbers("item", np.fromiter(had, np.int64, len(had)))
        counts = np.zeros(len(mine), np.int64)
        _count_labels(mine, items, labels.bounds, labels.indices, counts)
        of_type, rows = labels.types_of(mine)
        verbs = {target: verb for _, verb, target in labels.relations}
        for label, at, row, count in zip(mine.tolist(), of_type.tolist(), rows.tolist(), counts.tolist(), strict=True):
            name, share = labels.node_types[at], self.carriers[label] / self.graph.items
            yield Path("label", name, row, verbs[name], None, count, len(had), _above(count, len(had), share))

    def _over_friends(self, item_idx: int, had: dict[int, str], user_idx: int) -> Iterable[Path]:
        kinds, friends = self.graph.history.kinds, self.graph.edges[FRIENDS].of_row(user_idx)
        if self.target not in kinds:
            return
        goal = item_idx * len(kinds) + kinds.index(self.target)
        users = self.users[self.bounds[goal] : self.bounds[goal + 1]]
        those = np.intersect1d(friends, users, assume_unique=True)
        if len(those):
            theirs = self.graph.history.of_users(those)
            alike = np.bincount(theirs.user_idx, np.isin(theirs.item_idx, list(had)), minlength=len(those))
            share, best = len(users) / self.graph.users, int(those[alike.argmax()])
            above = _above(len(those), len(friends), share)
            yield Path("friend", "user", best, "friend", None, len(those), len(friends), above)


def _above(count: int, out_of: int, share: float) -> float:
    return float((count - out_of * share) / np.sqrt(out_of * share + 1))


def _had(events: History, items: int, but: int, target: str) -> dict[int, str]:
    """Return the items that one user had, the newest first, each with the kind that says most."""
    order = (target, *(kind for kind in TARGETS if kind != target))
    rank = {
        kind: order.index(kind) if kind in order else len(order) for kind in events.kinds if kind not in NOT_TARGETS
    }
    had: dict[int, str] = {}
    for item, number in zip(events.item_idx[::-1].tolist(), events.kind[::-1].tolist(), strict=True):
        kind = events.kinds[number]
        if (
            kind in rank
            and 0 <= item < items
            and item != but
            and rank[kind] < rank.get(had.get(item, ""), len(order) + 1)
        ):
            had[item] = kind
    return had


def by_item_and_kind(history: History, items: int) -> Index:
    """Return the bounds of each item * kinds + kind, and the distinct users there, ascending."""
    cells = items * len(history.kinds)
    key = history.item_idx.astype(np.int64) * len(history.kinds) + history.kind
    ones = np.ones(len(key), np.int8)
    done = sparse.csr_array(
        (ones, key, history.indptr), shape=(history.users, cells)
    ).tocsc()  # rows ascend in a column
    cell = np.repeat(np.arange(cells), np.diff(done.indptr))
    new = np.ones(len(cell), bool)
    new[1:] = (cell[1:] != cell[:-1]) | (done.indices[1:] != done.indices[:-1])
    bounds = np.concatenate([[0], np.cumsum(np.bincount(cell[new], minlength=cells))]).astype(np.int64)
    return bounds, done.indices[new].astype(np.int32)


@njit(cache=True, nogil=True)
def _count_others(users, bounds, cells, goal, alone, total, counts, others):  # type: ignore[no-untyped-def]
    """Count the users of each cell but `alone`, and those of them who are in the cell `goal`."""
    reached, marked = users[bounds[goal] : bounds[goal + 1]], np.zeros(total, np.bool_)
    for user in reached:
        marked[user] = user != alone
    for way in range(len(cells)):
        these = users[bounds[cells[way]] : bounds[cells[way] + 1]]
        others[way] = len(these) - _within(these, alone)
        if SEARCHED * len(reached) < len(these):
            for user in reached:
                counts[way] += marked[user] and _within(these, user)
        else:
            for user in these:
                counts[way] += marked[user]


@njit(cache=True, nogil=True)
def _within(ascending, value):  # type: ignore[no-untyped-def]
    at = np.searchsorted(ascending, value)
    return at < len(ascending) and ascending[at] == value


@njit(cache=True, nogil=True)
def _count_labels(labels, items, bounds, indices, counts):  # type: ignore[no-untyped-def]
    """Count the items that carry each of the ascending `labels`, each once however often it says so."""
    last = np.full(len(labels), -1)
    for place in range(len(items)):
        for edge in range(bounds[items[place]], bounds[items[place] + 1]):
            at = np.searchsorted(labels, indices[edge])
            if at < len(labels) and labels[at] == indices[edge] and last[at] != place:
                counts[at] += 1
                last[at] = place
