"""Held: for each user the distinct items that a recommender must find, kept apart from what it may learn from."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem, nearest
from paretail.core.ids import Rows
from paretail.data.types import History

#: Which earlier events count as "the user had this item": none, those of the target kind, those of any kind.
Mode = Literal["none", "target", "all"]
Pairs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out pairs, distinct, user by user, items ascending (CSR by user, like History).

    `repeat[pairs]` tells which of them the user already had, with the target kind, in the training events before
    anything was forgotten. Users may have no pair: they are not part of the question.
    """

    indptr: NDArray[np.int64]
    item_idx: Rows
    repeat: Mask

    @classmethod
    def of(cls, user_idx: Rows, item_idx: Rows, users: int, repeat: Mask | None = None) -> Self:
        """Build from pairs in any order; a pair that occurs more than once is kept once, a repeat if any copy is."""
        width = _width(item_idx)
        keys, first = np.unique(user_idx.astype(np.int64) * width + item_idx, return_inverse=True)
        again = np.zeros(len(keys), dtype=bool)
        if repeat is not None:
            again[first[repeat]] = True
        counts = np.bincount(keys // width, minlength=users)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(indptr, (keys % width).astype(np.int32), again)

    @property
    def users(self) -> int:
        """How many users there are, with or without held-out pairs."""
        return len(self.indptr) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of held-out items of each user."""
        return np.diff(self.indptr)

    @property
    def user_idx(self) -> Rows:
        """The user of each held-out pair."""
        return np.repeat(np.arange(self.users, dtype=np.int32), self.counts)

    def where(self, keep: Mask) -> Self:
        """Return the same users with only the pairs where `keep[pairs]`."""
        kept = np.concatenate([[0], np.cumsum(keep)])
        return replace(
            self, indptr=kept[self.indptr].astype(np.int64), item_idx=self.item_idx[keep], repeat=self.repeat[keep]
        )

    def of_users(self, rows: NDArray[np.integer]) -> Self:
        """Return the pairs of the users `rows` alone, in their order."""
        counts = self.counts[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        pick = np.repeat(self.indptr[rows] - indptr[:-1], counts) + np.arange(indptr[-1])
        return replace(self, indptr=indptr, item_idx=self.item_idx[pick], repeat=self.repeat[pick])


def held_from(later: History, before: History, target: str, drop: Mode = "none") -> Held:
    """Return the target pairs of `later` as a question to one who knows `before` (both on the same row numbers).

    Pairs that the user had in `before` under `drop` leave the question; a user or item outside the vocabulary of
    the two histories cannot be held out, so build that vocabulary over both.
    """
    asked = later.kind == kind_row(later, target)
    user, item = later.user_idx[asked], later.item_idx[asked]
    keep = ~_occurs(user, item, before, target, drop)
    user, item = user[keep], item[keep]
    return Held.of(user, item, later.users, _occurs(user, item, before, target, "target"))


def kind_row(history: History, kind: str) -> int:
    """Return the number of `kind` in `history.kinds`, or raise DataError (EVAL-02)."""
    if kind not in history.kinds:
        raise DataError(
            Problem(
                "EVAL-02", f"the history has no event of the kind {kind!r}",
                f"Expected {nearest(kind, history.kinds)}", "Set [goal] target to a kind that occurs",
            )
        )  # fmt: skip
    return history.kinds.index(kind)


def had(history: History, target: str, mode: Mode) -> Mask:
    """Return for each event whether it says under `mode` that the user had the item."""
    if mode == "all":
        return np.ones(len(history.item_idx), dtype=bool)
    if mode == "none" or target not in history.kinds:
        return np.zeros(len(history.item_idx), dtype=bool)
    mask: Mask = history.kind == history.kinds.index(target)
    return mask


def pair_keys(user_idx: Rows, item_idx: Rows, width: int) -> Pairs:
    """Number the pairs so that equal pairs are equal numbers; `width` exceeds every item row."""
    return user_idx.astype(np.int64) * width + item_idx


def among(keys: Pairs, known: Pairs) -> Mask:
    """Say of each key whether it is one of `known`; ten times as fast as np.isin on pairs in user order."""
    if not len(known):
        return np.zeros(keys.shape, dtype=bool)
    known = np.sort(known)
    found: Mask = known.take(np.searchsorted(known, keys), mode="clip") == keys
    return found


def _occurs(user: Rows, item: Rows, history: History, target: str, mode: Mode) -> Mask:
    """Say for each pair whether the user had it in `history` under `mode`."""
    width = max(_width(item), _width(history.item_idx))
    known = pair_keys(history.user_idx, history.item_idx, width)[had(history, target, mode)]
    return among(pair_keys(user, item, width), known)


def _width(item_idx: Rows) -> int:
    return int(item_idx.max(initial=-1)) + 1 or 1
