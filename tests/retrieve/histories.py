"""Histories of a few users, written down event by event."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.data.types import History, Time
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.profiles import wished

#: What one user did: (kind, item, time), the oldest first; times are days unless `unit_ms` says otherwise.
Did = Sequence[tuple[str, int, float]]
WEIGHTS = {"purchase": 1.0, "cart": 0.5, "view": 0.25}
KINDS = ("cart", "impression", "purchase", "view")
START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS


def history_of(
    users: Sequence[Did], time: Time = "clock", unit_ms: int = DAY_MS, kinds: Sequence[str] = KINDS
) -> History:
    """Index what users did; with `clock`, time 0 is midnight of a day in 2023."""
    events = [(tuple(kinds).index(kind), item, ts) for did in users for kind, item, ts in did]
    kind, item, ts = np.array(events, float).reshape(-1, 3).T
    ts_ms = {"clock": START_MS + ts * unit_ms, "order": ts, "none": 0 * ts}[time]
    return History(
        np.concatenate([[0], np.cumsum([len(did) for did in users])]).astype(np.int64),
        item.astype(np.int32), kind.astype(np.uint8), ts_ms.astype(np.int64), np.ones(len(item), np.float32),
        tuple(kinds), time,
    )  # fmt: skip


def ground_of(
    history: History, items: int, target: str = "purchase", weights: Mapping[str, float] = WEIGHTS,
    attributes: np.ndarray | None = None,
) -> Ground:  # fmt: skip
    """Return the ground of a history, its wishes alone."""
    marks = None if attributes is None else sparse.csr_array(attributes.astype(np.float32))
    return Ground(wished(history, weights), items, target, weights, marks)


def copy_of(history: History) -> tuple[bytes, ...]:
    """Return the bytes of a history's arrays, to see whether they change."""
    arrays = (history.indptr, history.item_idx, history.kind, history.ts_ms, history.quantity)
    return tuple(array.tobytes() for array in arrays)


def random_history(
    rng: np.random.Generator, users: int, items: int, events: int, time: Time = "clock", kinds: Sequence[str] = KINDS
) -> History:
    """Draw up to `events` events of each user, several of them at equal times."""
    did = [
        [(kinds[rng.integers(len(kinds))], int(rng.integers(items)), float(ts))
         for ts in np.sort(rng.integers(0, 40, rng.integers(0, events + 1)))]
        for _ in range(users)
    ]  # fmt: skip
    return history_of(did, time, kinds=kinds)


def dense_of(history: History, items: int, weights: Mapping[str, float] = WEIGHTS) -> np.ndarray:
    """Return `[users, items]`: the weights of the kinds that each user did with each item, summed."""
    out = np.zeros((history.users, items))
    for user, item, kind in {*zip(history.user_idx, history.item_idx, history.kind, strict=True)}:
        out[user, item] += weights.get(history.kinds[kind], 0.0)
    return out


def power_of(values: np.ndarray, exponent: float) -> np.ndarray:
    """Return the powers, 0 of 0."""
    return np.array([float(value) ** exponent if value > 0 else 0.0 for value in values.ravel()])
