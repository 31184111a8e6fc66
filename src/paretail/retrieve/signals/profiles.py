"""Profiles: what a history says of a user's wishes, as rows to multiply a signal's matrix with.

A profile is a sparse matrix `[users, rows]`; rows are items, but for `then` (days of the shop's log), `anyone` (one
row, always 1) and `about NODES` (nodes of another type).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.ids import distinct
from paretail.data.types import History

#: Decay of a profile by recency, in events.
SHORT_EVENTS: Final = 3.0
#: Decay of a profile by age.
RECENT_DAYS: Final = 60.0
#: How far around a user's last event `then` looks.
THEN_DAYS: Final = 7.0


@dataclass(frozen=True)
class Scene:
    """What profiles are made in: the number of items, the weight of each kind, the moment, and the log's days."""

    items: int
    weights: Mapping[str, float]
    now_ms: int
    first_day: int = 0
    days: int = 1


Profile = Callable[[History, Scene], sparse.csr_array]


def union(history: History, scene: Scene) -> sparse.csr_array:
    """Each item counts the sum of the weights of the kinds that the user did with it; ten views count as one."""
    return _distinct(history, scene, kind_weights(history, scene))


def of_kind(kind: str) -> Profile:
    """Return the profile of one kind alone: 1 for each item that the user did it with."""

    def profile(history: History, scene: Scene) -> sparse.csr_array:
        number = history.kinds.index(kind) if kind in history.kinds else -1
        return _distinct(history, scene, (np.arange(len(history.kinds)) == number).astype(np.float32))

    return profile


def short(history: History, scene: Scene) -> sparse.csr_array:
    """Each event counts its kind's weight, halved and more by every three newer events: e^(-rank / 3)."""
    weight = kind_weights(history, scene)[history.kind]
    return _sum(history, scene, weight * np.exp(-recency_rank(history) / SHORT_EVENTS))


def last(history: History, scene: Scene) -> sparse.csr_array:
    """The newest event alone."""
    return _sum(history, scene, kind_weights(history, scene)[history.kind] * (recency_rank(history) == 0))


def recent(history: History, scene: Scene) -> sparse.csr_array:
    """Each event counts its kind's weight, decayed by its age."""
    return decayed(RECENT_DAYS)(history, scene)


def decayed(days: float) -> Profile:
    """Return the profile in which an event's weight falls by 1/e every `days`."""

    def profile(history: History, scene: Scene) -> sparse.csr_array:
        once = _moments(history)
        weight = kind_weights(once, scene)[once.kind]
        return _sum(once, scene, weight * np.exp(-age_days(once, scene) / days))

    return profile


def anyone(history: History, scene: Scene) -> sparse.csr_array:
    """One row, 1 for every user: multiplies popularity."""
    return sparse.csr_array(np.ones((history.users, 1), np.float32))


def then(history: History, scene: Scene) -> sparse.csr_array:
    """The days around each user's last event (of the moment, without one), weighted by e^(-distance / 7 days)."""
    has = np.diff(history.indptr) > 0
    at = np.full(history.users, scene.now_ms, np.int64)
    at[has] = history.ts_ms[history.indptr[1:][has] - 1]
    day = np.clip(at // DAY_MS - scene.first_day, 0, scene.days - 1)
    reach = int(3 * THEN_DAYS)
    near = day[:, None] + np.arange(-reach, reach + 1)
    weight = np.exp(-np.abs(np.arange(-reach, reach + 1)) / THEN_DAYS) * ((near >= 0) & (near < scene.days))
    user = np.repeat(np.arange(history.users), near.shape[1])
    cells = (weight.ravel().astype(np.float32), (user, np.clip(near, 0, scene.days - 1).ravel()))
    return sparse.csr_array(cells, (history.users, scene.days))


def times(history: History, scene: Scene) -> sparse.csr_array:
    """Each item counts log(1 + the number of moments at which the user did something with it)."""
    once = _moments(history)
    counts = _sum(once, scene, (kind_weights(once, scene)[once.kind] > 0).astype(np.float32))
    counts.data = np.log1p(counts.data)
    return counts


def fading(history: History, scene: Scene) -> sparse.csr_array:
    """Each moment counts 1 / (age + 60 days): old habits fade slowly."""
    once = _moments(history)
    return _sum(once, scene, kind_weights(once, scene)[once.kind] / (age_days(once, scene) + RECENT_DAYS))


def about(name: str) -> Profile:
    """Return the profile of what is known apart from events: the nodes of that type, as in `History.about`.

    Without columns where nothing is known of anybody.
    """

    def profile(history: History, scene: Scene) -> sparse.csr_array:
        known = history.about.get(name)
        return sparse.csr_array(np.zeros((history.users, 0), np.float32)) if known is None else known

    return profile


#: The profiles by name; `kind NAME` is made by `of_kind`, `age DAYS` by `decayed`, `about NODES` by `about`.
PROFILES: Final[dict[str, Profile]] = {
    "all": union, "short": short, "last": last, "recent": recent, "anyone": anyone, "then": then,
    "times": times, "fading": fading,
}  # fmt: skip


def profile(name: str) -> Profile:
    """Return the profile of that name."""
    if name.startswith("kind "):
        return of_kind(name.removeprefix("kind "))
    if name.startswith("about "):
        return about(name.removeprefix("about "))
    return decayed(float(name.removeprefix("age "))) if name.startswith("age ") else PROFILES[name]


@dataclass(frozen=True, eq=False)
class Profiles:
    """The profiles of one history, each made once; read them and leave them as they are."""

    history: History
    scene: Scene
    _made: dict[str, sparse.csr_array] = field(default_factory=dict)

    def of(self, name: str) -> sparse.csr_array:
        """Return the profile of that name."""
        if name not in self._made:
            self._made[name] = profile(name)(self.history, self.scene)
        return self._made[name]


def wished(history: History, weights: Mapping[str, float]) -> History:
    """Return the history without the events of kinds of weight 0: what was shown, what was taken back.

    They are no wishes, and must not make the events before them look older either.
    """
    shows = np.array([weights.get(kind, 0.0) > 0 for kind in history.kinds], bool)
    return history if shows.all() else history.where(shows[history.kind])


def kind_weights(history: History, scene: Scene) -> NDArray[np.float32]:
    """Return the weight of each of the history's kinds, 0 for kinds that show no wish."""
    return np.array([scene.weights.get(kind, 0.0) for kind in history.kinds], np.float32)


def recency_rank(history: History) -> NDArray[np.int64]:
    """Return for each event how many newer ones its user has."""
    return np.repeat(history.indptr[1:], np.diff(history.indptr)) - 1 - np.arange(len(history.item_idx))


def age_days(history: History, scene: Scene) -> NDArray[np.float64]:
    """Return the age of each event in days, 0 for events after the moment."""
    return np.maximum(scene.now_ms - history.ts_ms, 0) / DAY_MS


def _sum(history: History, scene: Scene, weight: NDArray[np.floating]) -> sparse.csr_array:
    cells = (weight.astype(np.float32), history.item_idx, history.indptr)
    matrix = sparse.csr_array(cells, (history.users, scene.items), copy=True)  # summing sorts in place
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _moments(history: History) -> History:
    """Return the history with one event for each (user, item, kind, moment): equal lines of one order count once."""
    if history.time == "none" or not len(history.item_idx):
        return history
    user, kinds = history.user_idx, max(len(history.kinds), 1)
    begins = np.ones(len(user), bool)  # of a moment: a user's events are in the order of time
    begins[1:] = (user[1:] != user[:-1]) | (history.ts_ms[1:] != history.ts_ms[:-1])
    things = history.item_idx.astype(np.int64) * kinds + history.kind
    key = np.cumsum(begins) * (int(things.max()) + 1) + things
    order = np.argsort(key)
    new = np.ones(len(order), bool)
    new[1:] = np.diff(key[order]) != 0
    keep = np.zeros(len(order), bool)
    keep[np.minimum.reduceat(order, np.flatnonzero(new))] = True
    return history.where(keep)


def _distinct(history: History, scene: Scene, weight_of: NDArray[np.float32]) -> sparse.csr_array:
    """Sum `weight_of[kinds]` over the distinct (user, item, kind)."""
    counted = np.flatnonzero(weight_of[history.kind] > 0)
    user, item, kind = history.user_idx[counted], history.item_idx[counted], history.kind[counted]
    key = (user.astype(np.int64) * scene.items + item) * len(history.kinds) + kind
    once = distinct(key)
    pair, did = once // len(history.kinds), once % len(history.kinds)
    indptr = np.searchsorted(pair, np.arange(history.users + 1) * scene.items)
    summed = sparse.csr_array((weight_of[did], pair % scene.items, indptr), (history.users, scene.items))
    summed.sum_duplicates()
    return summed
