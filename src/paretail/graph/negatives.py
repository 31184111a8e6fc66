"""Negatives: items that a user has not had, drawn uniformly, by popularity, within the batch, or by how hard they are.

    uniform    q(i | u) = 1 / |items that u does not know|
    popular    q(i | u) = n_i^a / Σ n_j^a over the items j that u does not know,  a = 0.75
    hard       of a uniform pool, the best scored

T. Mikolov et al., "Distributed representations of words and phrases and their compositionality", NeurIPS 2013,
arXiv:1310.4546 (the power). Deviation: an item without events counts as one with 1, so that each can be drawn.
W. Zhang et al., "Optimizing top-N collaborative filtering via dynamic negative item sampling", SIGIR 2013,
doi:10.1145/2484028.2484126 (hard). Deviation: the best few of the pool, not only the best.
The correction of a sampled softmax takes log(negs q) from a negative's score: Y. Bengio, J.-S. Senécal, "Adaptive
importance sampling to accelerate training of a neural probabilistic language model", IEEE TNN 19(4), 2008,
doi:10.1109/TNN.2007.912312; of negatives of the batch, X. Yi et al., "Sampling-bias-corrected neural modeling for
large corpus item recommendations", RecSys 2019, doi:10.1145/3298689.3346996.
Draws are independent, so a row may repeat an item. Each follows from seed, step, row and slot alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.graph.chance import AliasTables, below, by_weight, fraction, inner, key_for

Floats = NDArray[np.float32]
#: Score of items for users: `[users]` rows and `[users, negs]` rows to `[users, negs]`.
Score = Callable[[Rows, Rows], Floats]
#: After so many items that a user knows, the draw goes through all that are left.
TRIES: Final = 32


@dataclass(frozen=True, eq=False)
class Drawn:
    """Negatives `item_idx[users, negs]`, and the log of the probability with which a draw gives each."""

    item_idx: Rows
    log_q: Floats


class Negatives:
    """Draws negatives for batches of users; holds no state but tables, so any step can be drawn again.

    `popularity[items]` (events of each item) draws by its `power`, else all items are alike. `known[users, items]` has
    what must not be drawn, columns ascending without repeats; a user who knows every item (`users_without` counts them)
    gets items as if none were known. The methods run in the thread that calls; any number of threads may.
    """

    def __init__(
        self,
        items: int,
        seed: int,
        known: sparse.csr_array | None = None,
        popularity: NDArray[np.number] | None = None,
        power: float = 0.75,
    ) -> None:
        known = sparse.csr_array((0, items)) if known is None else known
        if items < 1 or known.shape[1] != items or (popularity is not None and len(popularity) != items):
            raise ValueError(f"{items} items, but known items have {known.shape[1]} columns, or popularity others")
        self.items, self._seed = items, seed
        self._indptr, self._known = known.indptr.astype(np.int64), known.indices.astype(np.int32, copy=False)
        weight = np.ones(items) if popularity is None else np.maximum(popularity, 1).astype(np.float64) ** power
        self._q = weight / weight.sum()
        self._tables = None if popularity is None else AliasTables.of(np.array([0, items]), weight)
        self._free = _free_mass(self._indptr, self._known, self._q)
        self.users_without = int((np.diff(self._indptr) >= items).sum())

    @property
    def log_q(self) -> Floats:
        """The log of each item's probability where nothing is known: of positives, and of negatives of the batch."""
        return np.asarray(np.log(self._q), np.float32)

    def draw(self, users: Rows, negs: int, step: int) -> Drawn:
        """Return `negs` items that each user of the batch does not know."""
        if len(self._free) and len(users) and not 0 <= users.min() <= users.max() < len(self._free):
            raise IndexError(f"users {users.min()} to {users.max()} of {len(self._free)} whose items are known")
        return self._draw(users.astype(np.int32), negs, step, "rows")

    def draw_shared(self, negs: int, step: int) -> Drawn:
        """Return one row of `negs` items for a whole batch, whatever its users know; `unknown` says whose they are."""
        return self._draw(np.full(1, -1, np.int32), negs, step, "shared")

    def hard(self, users: Rows, negs: int, step: int, score: Score, pool: int) -> Rows:
        """Return the `negs` best scored of `pool` draws for each user, best first; equal scores as they were drawn."""
        drawn = self._draw(users.astype(np.int32), pool, step, "rows").item_idx
        return best_of(drawn, score(users, drawn), negs)

    def unknown(self, users: Rows, items: Rows) -> NDArray[np.bool_]:
        """Return `[users, items]`: whether the user of the row does not know the item of the column.

        With the positives of a batch as `items`, each row's true cells are its negatives within the batch.
        """
        order = np.argsort(items, kind="stable")
        free = np.ones((len(users), len(items)), np.bool_)
        if len(self._free):
            _strike(users, items[order].astype(np.int32), order, self._indptr, self._known, free)
        return free

    def _draw(self, users: Rows, negs: int, step: int, purpose: str) -> Drawn:
        item_idx = np.empty((len(users), negs), np.int32)
        log_q = np.empty((len(users), negs), np.float32)
        users = users if len(self._free) else np.full(len(users), -1, np.int32)
        tables = (np.empty(0, np.float32), np.empty(0, np.int32))
        if self._tables is not None:
            tables = (self._tables.chance, self._tables.other)
        key = key_for(f"graph/negatives/{purpose}", self._seed, step)
        _draw(key, users, self._indptr, self._known, self._free, self._q, *tables, item_idx, log_q)
        return Drawn(item_idx, log_q)


def best_of(pool: Rows, scores: Floats, negs: int) -> Rows:
    """Return the `negs` best scored of each row of `pool[users, cands]`, best first."""
    if scores.shape != pool.shape or not 1 <= negs <= pool.shape[1]:
        raise ValueError(f"{negs} negatives of a pool {pool.shape} with scores {scores.shape}")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :negs]
    return np.take_along_axis(pool, best, axis=1)


def dot_scores(user_vectors: Floats, item_vectors: Floats) -> Score:
    """Return the score of items by vectors `[users, dim]` and `[items, dim]`."""
    return lambda users, items: _dots(user_vectors, item_vectors, users, items)


@njit(cache=True, nogil=True)
def _free_mass(indptr, known, q):  # type: ignore[no-untyped-def]
    """Return the probability of all items that each user does not know; all where the user knows every item."""
    free = np.ones(len(indptr) - 1)
    for user in range(len(free)):
        if indptr[user + 1] - indptr[user] < len(q):
            for at in range(indptr[user], indptr[user + 1]):
                free[user] -= q[known[at]]
            if free[user] < 1e-6:  # little is left of the difference but rounding
                free[user], at = 0.0, indptr[user]
                for item in range(len(q)):
                    if at < indptr[user + 1] and known[at] == item:
                        at += 1
                    else:
                        free[user] += q[item]
    return free


@njit(cache=True, nogil=True)
def _draw(key, users, indptr, known, free, q, chance, other, out, log_q):  # type: ignore[no-untyped-def]
    items, nothing = len(q), known[:0]
    for row in range(len(users)):
        user, stream = users[row], inner(key, row)
        had = nothing if user < 0 else known[indptr[user] : indptr[user + 1]]
        if len(had) >= items:
            had = nothing
        mass = 1.0 if len(had) == 0 else free[user]
        for slot in range(out.shape[1]):
            if len(chance) == 0:
                item = _free_item(had, below(stream, slot, items - len(had)))
                log_q[row, slot] = -np.log(items - len(had))
            else:
                item = _popular(inner(stream, slot), had, q, mass, chance, other)
                log_q[row, slot] = np.log(q[item] / mass)
            out[row, slot] = item


@njit(cache=True, nogil=True)
def _free_item(had, rank):  # type: ignore[no-untyped-def]
    """Return item number `rank` of those that are not among the ascending `had`: no draw is in vain."""
    low, high = 0, len(had)
    while low < high:
        middle = (low + high) // 2
        if had[middle] - middle > rank:
            high = middle
        else:
            low = middle + 1
    return rank + low


@njit(cache=True, nogil=True)
def _popular(stream, had, q, mass, chance, other):  # type: ignore[no-untyped-def]
    for attempt in range(TRIES):
        item = by_weight(chance, other, 0, len(q), fraction(stream, attempt))
        at = np.searchsorted(had, item)
        if at == len(had) or had[at] != item:
            return item
    left, at, last = fraction(stream, TRIES) * mass, 0, -1
    for item in range(len(q)):
        if at < len(had) and had[at] == item:
            at += 1
            continue
        left, last = left - q[item], item
        if left < 0:
            break
    return last


@njit(cache=True, nogil=True)
def _strike(users, items, place, indptr, known, free):  # type: ignore[no-untyped-def]
    """Clear the cells of known items; `items` ascend, `place` says which column each was."""
    for row in range(len(users)):
        for at in range(indptr[users[row]], indptr[users[row] + 1]):
            found = np.searchsorted(items, known[at])
            while found < len(items) and items[found] == known[at]:
                free[row, place[found]] = False
                found += 1


@njit(cache=True, nogil=True)
def _dots(left, right, users, items):  # type: ignore[no-untyped-def]
    out = np.zeros(items.shape, np.float32)
    for row in range(items.shape[0]):
        for slot in range(items.shape[1]):
            for axis in range(left.shape[1]):
                out[row, slot] += left[users[row], axis] * right[items[row, slot], axis]
    return out
