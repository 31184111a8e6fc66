"""Mixing: how much each signal counts, learned from questions whose answers are held out.

Every signal proposes its best items for each user asked; the proposals together are the candidates of a listwise
regression (`listwise`). Each choice must earn its place: a stronger shape (kappa) has to beat the default by more than
the standard error of the paired difference, and a signal leaves when the mix is no worse without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from paretail.core.ids import Rows, distinct
from paretail.core.rng import rng_for
from paretail.data.held import Held
from paretail.retrieve import listwise
from paretail.retrieve.listwise import Lists, Theta
from paretail.retrieve.normalise import Dense, to_units
from paretail.retrieve.topk import top_k

#: Proposals of each signal for each user.
PROPOSED: Final = 30
#: Shapes log(1 + kappa x) that are tried, the default first.
KAPPAS: Final = (1.0, 0.0, 10.0)
L2: Final = 3e-3
#: Below this share of the strongest weight a signal leaves at once.
FAINT: Final = 0.03
#: With fewer questions that can be solved, weights are not learned.
FEWEST: Final = 50
#: Scores held at once while gathering candidates (256 MiB).
SCORES_AT_ONCE: Final = 64 << 20


@dataclass(frozen=True)
class Learned:
    """The weights, the shape, and NDCG by cross-validation with its standard error over `questions`."""

    theta: dict[str, float]
    kappa: float
    ndcg: float
    standard_error: float
    questions: int


def blocks(users: int, items: int, signals: int) -> Iterator[Rows]:
    """Yield user rows in blocks whose scores by all signals fit into memory."""
    size = max(1, SCORES_AT_ONCE // max(1, items * signals))
    for start in range(0, users, size):
        yield np.arange(start, min(start + size, users), dtype=np.int32)


def propose(scores: Mapping[str, Dense], left_out: sparse.csr_array, held: Held) -> Lists:
    """Return the candidates of one block of users: what any signal puts among its best, with all signals' scores.

    `scores[signal]` is `[users, items]` and is brought to units in place; `held` has the same users.
    """
    units = [to_units(dense, left_out) for dense in scores.values()]
    tops = np.concatenate([_best(dense, left_out) for dense in units], axis=1)
    items = units[0].shape[1]
    keys = distinct((np.arange(len(tops))[:, None] * (items + 1) + tops)[tops >= 0])
    user, item = keys // (items + 1), keys % (items + 1)
    features = np.stack([dense[user, item] for dense in units], axis=1)
    answers = held.user_idx.astype(np.int64) * (items + 1) + held.item_idx
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(tops)))])
    some = np.diff(indptr) > 0
    bounds = np.concatenate([[0], np.cumsum(np.diff(indptr)[some])])
    return Lists(features, np.isin(keys, answers), bounds, held.counts[some])


def together(parts: list[Lists]) -> Lists:
    """Return many blocks as one."""
    ends = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    indptr = np.concatenate([[0], *(part.indptr[1:] + end for part, end in zip(parts, ends, strict=False))])
    return Lists(
        np.concatenate([part.features for part in parts]), np.concatenate([part.wanted for part in parts]),
        indptr.astype(np.int64), np.concatenate([part.asked for part in parts]),
    )  # fmt: skip


def learn(lists: Lists, names: list[str], k: int, seed: int) -> Learned | None:
    """Return the weights of the signals `names` for NDCG@k.

    None where too few questions can be solved, or no signal tells wanted items from the rest.
    """
    if lists.solvable.sum() < FEWEST:
        return None
    first = listwise.fit(lists.shaped(KAPPAS[0]), L2)
    screened = np.flatnonzero(first > FAINT * first.max())
    if not len(screened):
        return None
    lists = lists.of_signals(screened)
    half = rng_for("retrieve/mixing", seed).integers(0, 2, len(lists)).astype(bool)
    kappa, halves, value = _shape(lists, half, k, first[screened])
    columns, value = _fewer(halves, value, k)
    theta = listwise.fit(lists.shaped(kappa), L2, columns)
    error = float(value.std() / np.sqrt(len(value)))
    order = [place for place in np.argsort(-theta, kind="stable") if theta[place]]
    kept = {names[screened[place]]: round(float(theta[place]), 4) for place in order}
    return Learned(kept, kappa, float(value.mean()), error, len(lists))


@dataclass(frozen=True, eq=False)
class _Halves:
    """Two halves of the questions, each judged under the weights that the other one teaches."""

    parts: tuple[Lists, Lists]
    start: Theta

    def ndcg(self, columns: np.ndarray, k: int) -> np.ndarray:
        """NDCG of each question, those of the first half first."""
        one, two = self.parts
        learned = [listwise.fit(part, L2, columns, self.start) for part in (two, one)]
        return np.concatenate([listwise.ndcg(part, theta, k) for part, theta in zip(self.parts, learned, strict=True)])


def _shape(lists: Lists, half: listwise.Bools, k: int, start: Theta) -> tuple[float, _Halves, np.ndarray]:
    """Choose kappa: the default, unless another one is better by more than its error."""
    found: tuple[float, _Halves, np.ndarray] | None = None
    for kappa in KAPPAS:
        shaped = lists.shaped(kappa)
        halves = _Halves((shaped.of(half), shaped.of(~half)), start)
        value = halves.ndcg(np.arange(len(start)), k)
        if found is None or _better(value, found[2]):
            found = kappa, halves, value
    assert found is not None
    return found


def _fewer(halves: _Halves, value: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the faintest signal while the mix is worse by less than half an error without it."""
    columns = np.arange(len(halves.start))
    while len(columns) > 1:
        theta = sum(listwise.fit(part, L2, columns, halves.start) for part in halves.parts)
        fewer = columns[columns != columns[np.argmin(np.asarray(theta)[columns])]]
        rival = halves.ndcg(fewer, k)
        change = rival - value
        if change.mean() < -0.5 * change.std() / np.sqrt(len(change)):
            break
        columns, value = fewer, rival
    return columns, value


def _better(rival: np.ndarray, value: np.ndarray) -> bool:
    """Say whether the gain is above its standard error."""
    gain = rival - value
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _best(dense: Dense, left_out: sparse.csr_array) -> Rows:
    """The best items with a score above 0, -1 past their end."""
    items, scores = top_k(dense, PROPOSED, left_out)
    return np.where(scores > 0, items, -1)


def told(learned: Learned | None, held: Held, otherwise: str, k: int) -> str:
    """Say what was learned and how good it is at length `k`; with too little to learn from, which signal serves."""
    asked = int((held.counts > 0).sum())
    if learned is None:
        fixed = f"one fixed signal, the {otherwise.partition('|')[0]}"
        return f"too few events to learn from ({asked} users could be asked); {fixed}"
    parts = ", ".join(f"{signal} {theta:.2f}" for signal, theta in learned.theta.items())
    figure = f"NDCG@{k} {learned.ndcg:.4f} ± {learned.standard_error:.4f}"
    return f"{figure} in validation on {asked:,} users, by {parts}"
