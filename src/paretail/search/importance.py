"""What matters in a space: functional analysis of variance of a random forest over what was tried.

    V_f = Var_x [ E[ y | x_f = x ] ] / Var[y]

the share of the forest's variance over the whole space that one field explains alone (its main effect). Each tree is
a partition of the space into boxes, so that its marginals are exact sums over leaves; a field's options count alike.
Options that nothing tried has are left out: a forest has nothing to say of them. Where a field means nothing beside the
others it has a level of its own, whose distance from the field's options is not the field's doing and is not counted.

F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014.
Deviations: 1. main effects alone; 2. fields of options, not of intervals: a split says which options go left; 3. the
level of a field that means nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.search.base import Architecture
from paretail.search.space import GraphSpace

TREES: Final = 64
FEWEST_IN_LEAF: Final = 2
#: Fewer trials tell nothing of thirty fields.
FEWEST_TRIALS: Final = 12
#: What the level of a field is called that means nothing beside the others.
NOT_USED: Final = "not used"


@dataclass(frozen=True)
class Effect:
    """A field's share of the variance, and the mean of what was foretold for each of its options."""

    share: float
    means: tuple[float, ...]


@dataclass(frozen=True)
class _Leaf:
    """A box: which options of each field lie in it, and the mean there."""

    inside: tuple[NDArray[np.bool_], ...]
    value: float


def what_matters(
    space: GraphSpace, tried: Sequence[Architecture], scores: NDArray[np.float64], rng: np.random.Generator
) -> list[tuple[str, Effect, tuple[str, ...]]]:
    """Return fields, the first matters most, with the effect of each and what the options of its means are called."""
    tokens = np.array([space.tokens(one) for one in tried]).reshape(len(tried), len(space.fields))
    used = np.array([[*space.matters(one).values()] for one in tried], bool).reshape(tokens.shape)
    levels, names = np.zeros_like(tokens), []
    for field, name in enumerate(space.fields):
        seen = np.unique(tokens[used[:, field], field])
        levels[:, field] = np.where(used[:, field], np.searchsorted(seen, tokens[:, field]), len(seen))
        names.append((*(str(space.options[name][option]) for option in seen), *[NOT_USED] * (not used[:, field].all())))
    found = effects(levels, scores, [len(each) for each in names], rng, aside=[NOT_USED in each for each in names])
    return sorted(zip(space.fields, found, names, strict=False), key=lambda one: -one[1].share)


def effects(
    tokens: NDArray[np.int64] | Sequence[Sequence[int]], scores: NDArray[np.float64], choices: Sequence[int],
    rng: np.random.Generator, aside: Sequence[bool] | None = None,
) -> list[Effect]:  # fmt: skip
    """Return the main effect of each field; none where there are too few trials, or all are equally good.

    Of a field that is `aside` the last option stands for "means nothing": it has a mean, and no part in the share.
    """
    X, y = np.asarray(tokens, np.int64), np.asarray(scores, np.float64)
    if len(y) < FEWEST_TRIALS or not np.ptp(y):
        return []
    found, counted = [], [count - last for count, last in zip(choices, aside or [False] * len(choices), strict=True)]
    for _ in range(TREES):
        rows = rng.integers(len(y), size=len(y))
        everything = tuple(np.ones(count, bool) for count in choices)
        found.append(_effects_of(list(_grown(X[rows], y[rows], everything, rng)), counted))
    shares = np.mean([share for share, _ in found], axis=0)
    means = [np.mean([tree[field] for _, tree in found], axis=0) for field in range(len(choices))]
    return [Effect(float(share), tuple(map(float, mean))) for share, mean in zip(shares, means, strict=True)]


def _grown(
    X: NDArray[np.int64], y: NDArray[np.float64], inside: tuple[NDArray[np.bool_], ...], rng: np.random.Generator
) -> list[_Leaf]:
    """Return the leaves of a tree that splits the best of a random half of the fields, at each node."""
    best = _best_split(X, y, inside, rng) if len(y) >= 2 * FEWEST_IN_LEAF and np.ptp(y) else None
    if best is None:
        return [_Leaf(inside, float(y.mean()))]
    field, left = best
    goes = left[X[:, field]]
    leaves = []
    for rows, part in ((goes, left), (~goes, ~left)):
        box = (*inside[:field], inside[field] & part, *inside[field + 1 :])
        leaves += _grown(X[rows], y[rows], box, rng)
    return leaves


def _best_split(
    X: NDArray[np.int64], y: NDArray[np.float64], inside: tuple[NDArray[np.bool_], ...], rng: np.random.Generator
) -> tuple[int, NDArray[np.bool_]] | None:
    """Return the field and its options that go left, the worst; options not seen go where most of the rest are."""
    fields = X.shape[1]
    best, least = None, np.inf
    for field in rng.permutation(fields)[: -(-fields // 2)]:
        counts = np.bincount(X[:, field], minlength=len(inside[field]))
        sums = np.bincount(X[:, field], y, minlength=len(inside[field]))
        seen = np.flatnonzero(counts)
        order = seen[np.argsort(sums[seen] / counts[seen], kind="stable")]
        for cut in range(1, len(order)):
            left = np.zeros(len(inside[field]), bool)
            left[order[:cut]] = True
            goes = left[X[:, field]]
            left[counts == 0] = 2 * goes.sum() > len(y)
            if min(goes.sum(), (~goes).sum()) < FEWEST_IN_LEAF:
                continue
            cost = float(y[goes].var() * goes.sum() + y[~goes].var() * (~goes).sum())
            if cost < least:
                best, least = (int(field), left), cost
    return best


def _effects_of(leaves: Sequence[_Leaf], counted: Sequence[int]) -> tuple[list[float], list[NDArray[np.float64]]]:
    """Return each field's share of the tree's variance by its `counted` first options, and its mean at each option."""
    values = np.array([leaf.value for leaf in leaves])
    parts = np.array([[inside.mean() for inside in leaf.inside] for leaf in leaves])
    size = parts.prod(axis=1)
    mean = float(size @ values)
    variance = float(size @ (values - mean) ** 2)
    shares, marginals = [], []
    for field, count in enumerate(counted):
        inside = np.array([leaf.inside[field] for leaf in leaves])
        others = size / parts[:, field]
        marginal = (others * values) @ inside
        own = marginal[:count]
        apart = float(((own - own.mean()) ** 2).sum() / len(marginal)) if count else 0.0
        shares.append(apart / variance if variance else 0.0)
        marginals.append(marginal)
    return shares, marginals
