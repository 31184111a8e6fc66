"""Why an item is in a list: found in the data, counted exactly, told in plain words."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.types import History, Reason
from paretail.retrieve.base import Retriever

#: Of longer histories only so many newest events are tried as the cause of a recommendation.
MOST_EVENTS = 30
#: What a person did, by kind; a declared kind is told by its own word.
DID = {
    "purchase": "bought {}", "cart": "put {} in the cart", "favourite": "saved {}", "click": "looked at {}",
    "view": "looked at {}",
}  # fmt: skip


class Evidence:
    """Who had what: the users of each item and kind, to count those who did two things."""

    def __init__(self, history: History, items: int) -> None:
        self._history, self._items = history, items

    def both(self, first: int, first_kind: int, second: int, second_kind: int) -> int:
        """Return how many users did `first_kind` with the item `first` and `second_kind` with the item `second`."""
        return len(np.intersect1d(self._users(first, first_kind), self._users(second, second_kind)))

    def count(self, item: int, kind: int) -> int:
        """Return how many users did `kind` with `item`."""
        return len(self._users(item, kind))

    def _users(self, item: int, kind: int) -> Rows:
        order, bounds = self._by_item_and_kind
        at = item * len(self._history.kinds) + kind
        return np.unique(self._history.user_idx[order[bounds[at] : bounds[at + 1]]])

    @cached_property
    def _by_item_and_kind(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        key = self._history.item_idx.astype(np.int64) * len(self._history.kinds) + self._history.kind
        cells = self._items * len(self._history.kinds)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=cells))])
        return np.argsort(key, kind="stable"), bounds.astype(np.int64)


def explain(
    history: History, listed: Rows, shares: NDArray[np.float32], evidence: Evidence, target: str
) -> list[Reason]:
    """Return one reason for each item of one user's list.

    `shares[events, listed]` is the part of each item's score that follows from each event of `history` (one user),
    0 to 1. An item that the user had before is told as such; an item that no event explains is told as popular.
    """
    kind_of = history.kinds.index(target)
    return [_reason(history, int(item), shares[:, place], evidence, kind_of) for place, item in enumerate(listed)]


def shares(model: Retriever, history: History, listed: Rows, mode: Mode) -> NDArray[np.float32]:
    """Return `[events, listed]`: by how much each item's score falls when an event is taken away, as a share of it.

    Only the newest MOST_EVENTS events of the one user of `history` are tried; older ones have share 0. Every model
    can be asked this, as its scores follow from the history alone; it costs one scoring an event.
    """
    events = len(history.item_idx)
    tried = np.arange(max(0, events - MOST_EVENTS), events)
    without = np.delete(np.broadcast_to(np.arange(events), (len(tried), events)).ravel(),
                        np.arange(len(tried)) * events + tried)  # fmt: skip
    counts = np.concatenate([[events], np.full(len(tried), events - 1)])
    pick = np.concatenate([np.arange(events), without])
    scores = model.score(history.picked(pick, np.concatenate([[0], np.cumsum(counts)])), mode=mode)[:, listed]
    falls = np.zeros((events, len(listed)), np.float32)
    falls[tried] = np.maximum(scores[0] - scores[1:], 0)
    total = np.maximum(falls.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(falls / total, np.float32)


def _reason(history: History, item: int, shares: NDArray[np.float32], evidence: Evidence, target: int) -> Reason:
    had = np.flatnonzero(history.item_idx == item)
    if len(had):
        return Reason("again", item, history.kinds[history.kind[had[-1]]], len(had))
    best = int(np.argmax(shares)) if len(shares) else -1
    if best >= 0 and shares[best] > 0:
        cause, kind = int(history.item_idx[best]), int(history.kind[best])
        both = evidence.both(cause, kind, item, target)
        return Reason("because", cause, history.kinds[kind], both, float(shares[best]))
    return Reason("popular", count=evidence.count(item, target), kind=history.kinds[target])


def in_words(reason: Reason, target: str, names: Sequence[str] | pl.Series) -> str:
    """Return the reason as one sentence; `names[item_idx]` is what a person calls an item."""
    name = "" if reason.item_idx is None else f'"{names[reason.item_idx]}"'
    if reason.code == "again":
        return f"you {did(str(reason.kind))} before"
    if reason.code == "because" and reason.count:
        return f"because you {did(str(reason.kind), name)}: {_people(reason.count)} who did also {did(target)}"
    if reason.code == "because":
        return f"because you {did(str(reason.kind), name)}, which is liked by the same people"
    return f"popular: {_people(reason.count or 0)} {did(target)}"


def did(kind: str, name: str = "this") -> str:
    """Return in words what a person did with the item called `name`."""
    return DID[kind].format(name) if kind in DID else f"did {kind!r} with {name}"


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"
