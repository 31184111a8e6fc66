"""Borrowed: an item that nobody had under the target kind takes a share of what items alike are worth to the user.

    s(u, j) = max(s(u, j), φ · mean of s(u, n) over the lenders n of j),   cos(i, j) = a_i . a_j
    a_i = (1 + log(items / carriers) of each label and word of the title that i carries), length 1

The lenders of j are the LENDERS items nearest to it, but those that this user's list leaves out: they have no score.
φ is chosen on the split that weights were learned on, where that asks all at one moment (elsewhere an item is new only
because its purchases are hidden) and holds purchases of items that were new then. Items for which nothing speaks at
all stand at the end of a list, and of those that nobody had the ones nearest to the user's items come first. Labels
and words of more than MOST_CARRIERS items say next to nothing and are left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.sparse import pruned_product, transposed
from paretail.data.features.text import words_of
from paretail.data.kinds import FRIEND
from paretail.data.splits import Split
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.content import labels_of
from paretail.retrieve.signals.attributes import MOST_CARRIERS
from paretail.retrieve.signals.ground import Ground, powered, scaled_columns, scaled_rows, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse

#: What the matrix is called among those of a blend.
NAME: Final = "borrowed"
#: Items alike that are kept of each new item, and those whose scores it borrows.
KEPT: Final = 50
LENDERS: Final = 10
FACTORS: Final = (0.25, 0.5, 1.0)
#: With fewer purchases of new items nothing is chosen.
FEWEST: Final = 30
#: So many standard errors of the paired difference the best of the factors has to gain.
SURE: Final = 2.0
#: Below any popularity: what orders items that nobody had.
LEAST: Final = np.float32(1e-30)

Dense = NDArray[np.float32]


def new_items(ground: Ground) -> NDArray[np.int32]:
    """Return the items that nobody had under the target kind."""
    return np.flatnonzero(totals(ground.targets, 0) == 0).astype(np.int32)


def alike(graph: ShopGraph, ground: Ground) -> dict[str, Sparse]:
    """Return as NAME cos(i, j) from items that somebody had to the new ones; nothing where none are like any.

    Where lists hold people nobody is new.
    """
    if ground.target == FRIEND:
        return {}
    new = new_items(ground)
    marks = [part for part in (labels_of(graph), _words(graph)) if part is not None and part.shape[1]]
    if not len(new) or len(new) == ground.items or not marks:
        return {}
    carried = sparse.csr_array(sparse.hstack(marks, format="csr"))
    carried.data = np.ones(len(carried.data), np.float32)
    carried = sparse.csr_array(carried[:, totals(carried, 0) <= MOST_CARRIERS])
    weight = 1 + np.log(ground.items / np.maximum(totals(carried, 0), 1))
    weighed = scaled_columns(carried, weight.astype(np.float32))
    unit = scaled_rows(weighed, powered(np.sqrt(totals(sparse.csr_array(weighed.multiply(weighed)), 1)), -1.0))
    old = np.setdiff1d(np.arange(ground.items), new)
    right = transposed(sparse.csr_array(unit[old]))
    near = pruned_product(
        sparse.csr_array(unit[new]), right, np.ones(len(old), np.float32), KEPT, diagonal=True
    ).tocoo()
    entries = sparse.csr_array((near.data, (old[near.col], new[near.row])), (ground.items, ground.items))
    entries.eliminate_zeros()
    return {NAME: Sparse(entries)} if entries.nnz else {}


def _words(graph: ShopGraph) -> sparse.csr_array | None:
    table = graph.tables.get("item")
    return words_of(table["title"]) if table is not None and "title" in table.columns else None


@dataclass(frozen=True, eq=False)
class Borrowing:
    """New items and who lends to them, from what `alike` returned."""

    alike: Sparse

    @classmethod
    def of(cls, matrices: Mapping[str, Matrix]) -> Self | None:
        """Return that of a blend's matrices, None where it has no new items."""
        found = matrices.get(NAME)
        return cls(found) if isinstance(found, Sparse) else None

    def lend(self, total: Dense, left_out: sparse.csr_array, factor: float) -> None:
        """Raise the scores `total[users, items]` of new items to `factor` of what lenders have, in place.

        Items `left_out[users, items]`, whose scores are 0, lend nothing: the mean is over the others.
        """
        if not factor:
            return
        new, lenders = self._lenders
        gone = sparse.csr_array((np.ones(left_out.nnz, np.float32), left_out.indices, left_out.indptr), left_out.shape)
        share = np.maximum(1 - (lenders @ gone.T).toarray().T, 0.5 / LENDERS)  # of lenders who are left, or none
        lent = np.asarray((lenders @ total.T).T, np.float32) / share * np.float32(factor)
        total[:, new] = np.maximum(total[:, new], lent)

    def ordered(self, total: Dense, profile: sparse.csr_array, enough: int) -> Dense:
        """Order scores of 0 by likeness to the items of `profile[users, items]`, in place, and return them all.

        Rows with `enough` other scores stay as they are.
        """
        short = np.flatnonzero((total > 0).sum(axis=1) < enough)
        if len(short):
            mine = profile[short]
            near = self.alike.apply(mine) / max(float(mine.data.max(initial=0)), 1e-30)
            total[short] = np.where(total[short] > 0, total[short], LEAST * near)
        return total

    @cached_property
    def _lenders(self) -> tuple[NDArray[np.int32], sparse.csr_array]:
        """The new items, and `[them, items]` with 1 / LENDERS at those whose scores they borrow."""
        by_new = transposed(self.alike.entries)
        new = np.flatnonzero(np.diff(by_new.indptr)).astype(np.int32)
        rows = sparse.csr_array(by_new[new])
        best = pruned_product(rows, sparse.eye_array(rows.shape[1], format="csr", dtype=np.float32),
                              np.ones(rows.shape[1], np.float32), LENDERS, diagonal=True)  # fmt: skip
        best.data = (1 / np.repeat(np.diff(best.indptr), np.diff(best.indptr))).astype(np.float32)
        return new, best


def weigh(split: Split, items: NDArray[np.int32], judge: Callable[[float], NDArray[np.float64]]) -> tuple[float, str]:
    """Return the factor for new `items`, and what was found, in words; 0 where none is surely better.

    `judge(factor)` is the NDCG of each user asked, always the same users: those with new items and those without.
    """
    asked = int(np.isin(split.held.item_idx, items).sum())
    if asked < FEWEST:
        few = f"{asked:,} of them were had in validation, too few to choose by"
        return 0.0, f"Items that nobody had yet are listed last, the likeliest first: {few}"
    alone, others = judge(0.0), {factor: judge(factor) for factor in FACTORS}
    best = max(others, key=lambda factor: float(others[factor].mean()))
    gain = others[best] - alone
    error = float(gain.std() / np.sqrt(len(gain)))
    kept = bool(gain.mean() > SURE * error)
    how = f"take {best:g} of the score of items alike" if kept else "are listed last, the likeliest first"
    figures = f"NDCG {others[best].mean():.4f} with {best:g}, {alone.mean():.4f} without"
    told = f"{figures} ({gain.mean():+.4f} ± {error:.4f}), {asked:,} of them had in validation"
    return best if kept else 0.0, f"Items that nobody had yet {how}: {told}"
