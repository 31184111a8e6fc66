"""Nearness: what people did shortly before or after, in time or in the order of their events.

With one weight e^(-distance / tau) for each pair of events of one user,

    W[i, j] = (sum of weights of pairs (i, j)) / (|i|^b |j|^c), to the power s, diagonal 0

where |i| and |j| are the sums of W's rows and columns before that. `after` counts only j after i (directed
transitions), `around` both directions, `basket` the events of one moment alone.
Source: B. Sarwar et al., "Item-based collaborative filtering", 2001, doi:10.1145/371920.372071, on pairs of events
instead of pairs of histories; A. He, J. McAuley, "Fusing similarity models with Markov chains", 2016,
arXiv:1609.09152 (transitions joined to symmetric similarity). Deviation: closed-form counts, nothing is fitted.
"""

from typing import Final

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.kernels import parallel_kernel
from paretail.core.sparse import pruned_product, transposed
from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, powered, scaled_rows, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.signals.profiles import kind_weights

#: Pairs further apart than this many events are not looked at.
REACH: Final = 30
#: Pairs whose weight is below this are not counted.
FAINT: Final = 1e-3
MINUTE_MS: Final = 60_000


def after(ground: Ground, tau_events: float) -> Matrix:
    """From an item to what came after it, weighted by how many events later."""
    position = np.arange(len(ground.history.item_idx), dtype=np.float64)
    return _matrix(ground, position, tau_events, before=False, b=0.3, c=0.3, s=0.7)


def around(ground: Ground, tau_minutes: float) -> Matrix:
    """From an item to what was done shortly before or after it."""
    return _matrix(ground, ground.history.ts_ms.astype(np.float64), tau_minutes * MINUTE_MS, b=0.5, c=0.3)


def before(ground: Ground, tau_days: float) -> Matrix:
    """From an item to what was done before it."""
    moment = ground.history.ts_ms.astype(np.float64)
    return _matrix(ground, moment, tau_days * DAY_MS, after=False, b=0.5, c=0.3)


def basket(ground: Ground) -> Matrix:
    """From an item to what the same user bought in the same moment (the lines of one order)."""
    target = ground.history.where(ground.history.kind == ground.history.kinds.index(ground.target))
    user, ts_ms = target.user_idx, target.ts_ms  # a user's events are in order of time
    new = np.ones(len(user), np.int64)
    new[1:] = (user[1:] != user[:-1]) | (ts_ms[1:] != ts_ms[:-1])
    cells = (np.ones(len(user), np.float32), (np.cumsum(new) - 1, target.item_idx))
    lines = sparse.csr_array(cells, (int(new.sum()), ground.items))
    lines.data[:] = 1.0
    size, of_item = totals(lines, 1), totals(lines, 0)
    left = scaled_rows(transposed(lines), powered(of_item, -0.5))
    return Sparse(pruned_product(left, scaled_rows(lines, powered(size, -1.0)), powered(of_item, -0.3), MOST))


def _matrix(
    ground: Ground, at: NDArray[np.float64], tau: float, *, before: bool = True, after: bool = True,
    b: float, c: float, s: float = 1.0,
) -> Matrix:  # fmt: skip
    history = ground.history
    counted = np.flatnonzero(kind_weights(history, ground.scene)[history.kind] > 0)
    user, item = history.user_idx[counted], history.item_idx[counted]
    counts = _neighbours(user, item, at[counted], tau, before, after, None, None, None)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    columns, weights = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    _neighbours(user, item, at[counted], tau, before, after, indptr, columns, weights)
    near = sparse.csr_array((weights, columns, indptr), (len(counted), ground.items))
    events = np.arange(len(counted) + 1)
    of_event = sparse.csr_array((np.ones(len(counted), np.float32), item, events), (len(counted), ground.items))
    of_item = np.bincount(item, totals(near, 1), ground.items).astype(np.float32)
    left = scaled_rows(transposed(of_event), powered(of_item, -b))
    return Sparse(pruned_product(left, near, powered(totals(near, 0), -c), MOST, s))


@parallel_kernel
def _neighbours(user, item, at, tau, before, after, indptr, columns, weights):  # type: ignore[no-untyped-def]
    """Count each event's neighbours; with `indptr`, write them down too."""
    events = len(user)
    counts = np.zeros(events, np.int64)
    for event in prange(events):
        for direction in (-1, 1):
            if (direction < 0 and not before) or (direction > 0 and not after):
                continue
            for step in range(1, REACH + 1):
                other = event + direction * step
                if other < 0 or other >= events or user[other] != user[event]:
                    break
                weight = np.exp(-abs(at[other] - at[event]) / tau)
                if weight < FAINT:
                    break
                if item[other] == item[event]:
                    continue
                if indptr is not None:
                    columns[indptr[event] + counts[event]] = item[other]
                    weights[indptr[event] + counts[event]] = weight
                counts[event] += 1
    return counts
