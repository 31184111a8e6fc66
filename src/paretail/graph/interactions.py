"""User-item events as one weighted matrix.

    w(event) = weight[kind] * 2^(-age_days / half_life_days)    R[u, i] = max or sum of w over their events

The exponential forgetting factor is that of Y. Ding, X. Li, "Time weight collaborative filtering", CIKM 2005,
doi:10.1145/1099554.1099689. Deviations: weights by kind; the maximum over a pair's events as the default.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.errors import ConfigError, DataError, Problem, nearest
from paretail.data.kinds import FRIEND, NOT_TARGETS, SELF
from paretail.data.types import History

#: How strong a wish a kind shows, where nothing better is known; a declared kind counts 1.
STRENGTH: Final[Mapping[str, float]] = {
    "purchase": 1.0, "cart": 0.6, "favourite": 0.6, "click": 0.3, "view": 0.3, "impression": 0.0, "refund": 0.0,
    SELF: 0.0,
}  # fmt: skip


def kind_weights(kinds: Iterable[str], given: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return `given`, or the STRENGTH of each kind where nothing is given."""
    return dict(given) if given is not None else {kind: STRENGTH.get(kind, 1.0) for kind in kinds}


#: A greater weight is a slip, and would leave nothing of the others in single precision.
MOST_WEIGHT: Final = 1e6


def check_kinds(kinds: Sequence[str], weights: Mapping[str, float], where: str, declared: Iterable[str] = ()) -> None:
    """Raise ConfigError (GRAPH-03) for a weight out of bounds or of a kind that is none, or if no weight is above 0.

    `kinds` are those of the log. One that did not occur yet may have a weight too, if it is a kind that we know or that
    the shop `declared`.
    """
    known = dict.fromkeys([*kinds, *declared, *STRENGTH])
    offered = [kind for kind in known if kind != SELF]
    do = "Correct the name, or tell the shop's word in [data.kinds]"
    problems = [
        Problem("GRAPH-03", f"{where} weighs {kind!r}, no kind of this log", f"Expected {nearest(kind, offered)}", do)
        for kind in weights if kind not in known
    ] + [
        Problem("GRAPH-03", f"{where} weighs {kind!r} {weight:g}", f"0 to {MOST_WEIGHT:,.0f}", "Correct the weight")
        for kind, weight in weights.items() if not 0 <= weight <= MOST_WEIGHT
    ]  # fmt: skip
    wishes = [kind for kind in kinds if kind not in NOT_TARGETS]
    if not problems and wishes and not any(weights.get(kind, 0.0) for kind in kinds):
        found = f"{where} weighs none of the kinds of this log above 0: {', '.join(wishes)}"
        do = f"Give one a weight (lists of people learn from {FRIEND!r}), or leave the setting out"
        problems = [Problem("GRAPH-03", found, "A kind to learn from", do)]
    if problems:
        raise ConfigError(problems)


def interactions(
    history: History,
    items: int,
    weights: Mapping[str, float],
    half_life_days: float | None = None,
    now_ms: int | None = None,
    distinct: bool = True,
) -> sparse.csr_array:
    """Return the weights of `history` as float32 [users, items], columns ascending, zeros left out.

    `distinct` takes the greatest weight of a pair's events, so that ten views are worth one; otherwise they
    add up. Kinds that `weights` does not name count nothing; weights are 0 or more. Ages count from `now_ms`,
    by default the newest event; later events have age 0.

    Raises DataError (GRAPH-02) where a half-life is asked of a history without clock time.
    """
    weight = event_weights(history, weights, half_life_days, now_ms)
    kept = weight > 0
    if not kept.all():
        history, weight = history.where(kept), weight[kept]
    indptr = history.indptr
    if len(weight) < 2**31:
        indptr = indptr.astype(np.int32)  # halves the memory of scipy's indices
    pairs = sparse.csr_array((weight, history.item_idx.copy(), indptr), shape=(history.users, items))  # sorts in place
    pairs.sort_indices()
    return _merged(pairs, distinct)


def event_weights(
    history: History, weights: Mapping[str, float], half_life_days: float | None, now_ms: int | None
) -> NDArray[np.float32]:
    """Return the weight of each event by its kind and its age."""
    if any(weight < 0 for weight in weights.values()):
        raise ValueError(f"weights of kinds must be 0 or more: {dict(weights)}")
    by_kind = np.array([weights.get(kind, 0.0) for kind in history.kinds] or [0.0], np.float32)
    weight = by_kind[history.kind]
    if half_life_days is None or not len(weight):
        return weight
    return weight * decay(history, half_life_days, now_ms)


def decay(history: History, half_life_days: float, now_ms: int | None = None) -> NDArray[np.float32]:
    """Return 2^(-age / half-life) of each event, in (0, 1]."""
    needs_clock(history, f"a half-life of {half_life_days} days")
    if not len(history.ts_ms):
        return np.ones(0, np.float32)
    newest = int(history.ts_ms.max()) if now_ms is None else now_ms
    age_days = np.maximum(newest - history.ts_ms, 0) / DAY_MS
    return np.exp2(-age_days / half_life_days).astype(np.float32)


def needs_clock(history: History, what: str) -> None:
    """Raise DataError (GRAPH-02) where `what` needs clock time and the events have none."""
    if history.time == "clock":
        return
    have = "only an order" if history.time == "order" else "no time"
    found = f"{what} was asked for, but the events have {have}"
    do = 'Map a time column ([data] time = "seconds" or "milliseconds"), or leave the setting out'
    raise DataError(Problem("GRAPH-02", found, "Age needs clock time", do))


def _merged(pairs: sparse.csr_array, distinct: bool) -> sparse.csr_array:
    """Fold equal columns of each row into one; `pairs` has sorted columns."""
    row = np.repeat(np.arange(pairs.shape[0], dtype=np.int32), np.diff(pairs.indptr))
    new = np.ones(pairs.nnz, bool)
    new[1:] = (row[1:] != row[:-1]) | (pairs.indices[1:] != pairs.indices[:-1])
    if new.all():
        return pairs
    starts = np.flatnonzero(new)
    fold = np.maximum if distinct else np.add
    indptr = np.concatenate([[0], np.cumsum(new)]).astype(pairs.indptr.dtype)[pairs.indptr]
    return sparse.csr_array((fold.reduceat(pairs.data, starts), pairs.indices[starts], indptr), shape=pairs.shape)
