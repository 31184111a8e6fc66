"""Popularity: what many people want, at all times, of late, or around a day.

pop(i) = sum over events of i of weight(kind) e^(-age / tau); without tau each user counts once.

Among the users with a trait t (a country, an age band), drawn towards what everybody wants:

    among(t, i) = (c_ti + k q_i) / (n_t + k),   k = PULL n / users

with c_ti the target events of t's users with i (n_t in all), q_i the share of i among the n target events of everybody,
decayed by age where time is known: a trait counts as much as everybody once it has PULL users. Source: the Dirichlet
prior of C. Zhai, J. Lafferty, "A study of smoothing methods for language models applied to information retrieval",
2004, doi:10.1145/984321.984322. Deviations: rows pruned to the MOST largest.
"""

from typing import Final

import numpy as np
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse
from paretail.retrieve.signals.profiles import age_days, decayed, kind_weights

#: In users: a trait of so many counts as much as everybody.
PULL: Final = 20.0
#: How long somebody is a newcomer.
FIRST_DAYS: Final = 7.0
#: Decay of what users with a trait want.
AMONG_DAYS: Final = 30.0


def of_target(ground: Ground) -> Matrix:
    """Users who did the target kind with the item."""
    return _row(totals(ground.targets, 0))


def of_all(ground: Ground) -> Matrix:
    """The weights of all that users did with the item."""
    return _row(totals(ground.union, 0))


def lately(ground: Ground, tau_days: float) -> Matrix:
    """All that was done with the item, decayed by age."""
    return _row(totals(decayed(tau_days)(ground.history, ground.scene), 0))


def people_lately(ground: Ground, tau_days: float) -> Matrix:
    """The people who did the target kind with the item, each once, by the age of their newest time."""
    history, user = _of_target(ground)
    return _row(_people(user, history.item_idx, np.exp(-age_days(history, ground.scene) / tau_days), ground.items))


def at_first(ground: Ground, tau_days: float) -> Matrix:
    """The same of what people did in the first FIRST_DAYS after their first event of any kind: what newcomers want."""
    history, user = _of_target(ground)
    began = np.full(ground.history.users, np.iinfo(np.int64).max)
    some = np.diff(ground.history.indptr) > 0
    began[some] = ground.history.ts_ms[ground.history.indptr[:-1][some]]
    early = history.ts_ms - began[user] <= FIRST_DAYS * DAY_MS
    weight = np.exp(-age_days(history, ground.scene) / tau_days)
    return _row(_people(user[early], history.item_idx[early], weight[early], ground.items))


def by_day(ground: Ground) -> Matrix:
    """[days, items]: all that was done with the item on each day of the log; for the profile `then`."""
    history, scene = ground.history, ground.scene
    weight = kind_weights(history, scene)[history.kind]
    day = history.ts_ms // DAY_MS - scene.first_day
    entries = sparse.csr_array((weight, (day, history.item_idx)), (scene.days, ground.items))
    entries.eliminate_zeros()
    return Sparse(entries)


def among(ground: Ground, name: str) -> Matrix:
    """[nodes, items]: what the users with each trait of the type `name` want; for the profile `about NAME`."""
    wanted = ground.targets
    if ground.timed:
        history = ground.history
        wanted = decayed(AMONG_DAYS)(history.where(history.kind == history.kinds.index(ground.target)), ground.scene)
    known = ground.known[name]
    counts = (known.T @ wanted).tocsr()
    mass, shares = totals(sparse.csr_array(counts), 1), totals(wanted, 0)
    pull = PULL * max(float(shares.sum()), 1e-30) / max(known.shape[0], 1)
    shares = shares / max(float(shares.sum()), 1e-30)
    rows = []
    for node in range(counts.shape[0]):
        row = pull * shares
        row[counts.indices[counts.indptr[node] : counts.indptr[node + 1]]] += counts.data[
            counts.indptr[node] : counts.indptr[node + 1]
        ]
        best = np.sort(np.argsort(-row, kind="stable")[:MOST])
        rows.append((best, row[best] / (mass[node] + pull)))
    indptr = np.concatenate([[0], np.cumsum([len(best) for best, _ in rows])]).astype(np.int64)
    items, values = (np.concatenate([part[place] for part in rows] or [np.zeros(0)]) for place in (0, 1))
    return Sparse(sparse.csr_array((values.astype(np.float32), items.astype(np.int32), indptr), counts.shape))


def momentum(ground: Ground, tau_days: float) -> np.ndarray:
    """Return the decayed popularity of each item under the target kind, to weigh what a user already had."""
    history = ground.history
    chosen = history.kind == history.kinds.index(ground.target)
    age = age_days(history, ground.scene)[chosen]
    return np.bincount(history.item_idx[chosen], np.exp(-age / tau_days), ground.items)


def _of_target(ground: Ground) -> tuple[History, Rows]:
    """Return the events of the target kind, and their users."""
    history = ground.history.where(ground.history.kind == ground.history.kinds.index(ground.target))
    return history, history.user_idx


def _people(user: Rows, item: Rows, weight: np.ndarray, items: int) -> np.ndarray:
    """Return for each item the sum over its users of their greatest weight."""
    order = np.lexsort((-weight, item, user))
    user, item, weight = user[order], item[order], weight[order]
    new = np.ones(len(user), bool)
    new[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    return np.bincount(item[new], weight[new], items)


def _row(scores: np.ndarray) -> Matrix:
    return Sparse(sparse.csr_array(scores[None].astype(np.float32)))
