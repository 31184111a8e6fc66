"""Boosted trees: a logit as a sum of small trees over features, each a Newton step of a weighted logistic loss.

    F_m = F_{m-1} + lr T_m,   leaf = -G / (H + λ),   G = Σ w (p - y),   H = Σ w p (1 - p)
    gain of a split = G_l² / (H_l + λ) + G_r² / (H_r + λ) - G² / (H + λ)

Sources: J. Friedman, "Greedy function approximation", 2001, doi:10.1214/aos/1013203451; T. Chen, C. Guestrin,
"XGBoost", KDD 2016, arXiv:1603.02754, equations 6 and 7; G. Ke et al., "LightGBM", 2017 (histograms).
B. Ibragimov, G. Gusev, "Minimal variance sampling", NeurIPS 2019, arXiv:1910.13204: a tree is grown on rows drawn with
P = min(1, r sqrt(g² + λ h²)) that weigh 1 / P, a fifth of all; its leaves are then those of all rows.
Deviations: 1. Trees are complete and grow level by level; a node without a gain passes its rows to the left. 2. r is a
fifth over the mean and not solved for, so that fewer rows are drawn where some are certain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numba import prange
from numpy.typing import NDArray

from paretail.core.kernels import parallel_kernel
from paretail.rank.boosted.summing import Coded, coded

Dense = NDArray[np.float32]
Floats = NDArray[np.float64]

#: A feature is cut at so many quantiles at most.
CUTS: Final = 63
#: Rows from which quantiles are taken, at most.
SAMPLED: Final = 200_000


@dataclass(frozen=True)
class Boosting:
    """How trees are grown: their number and depth, the step, the least H of a leaf, λ; features and rows of a tree.

    So many `ensembles` are grown, each from rows and features drawn anew, and their mean is told.
    """

    trees: int = 100
    depth: int = 5
    lr: float = 0.08
    least: float = 10.0
    l2: float = 5.0
    features: float = 0.6
    rows: float = 0.2
    ensembles: int = 1


@dataclass(frozen=True, eq=False)
class Trees:
    """`feature[trees, nodes]` (-1: all rows go left) and `cut` where it is left if x <= cut; `leaf[trees, leaves]`.

    `cover[trees, leaves]` is the weight of the rows at each leaf, which explanations need.
    """

    feature: NDArray[np.int32]
    cut: Dense
    leaf: Dense
    cover: Dense

    @classmethod
    def fit(cls, x: Dense, label: Floats, weight: Floats, base: Floats, how: Boosting,
            rng: np.random.Generator) -> Self:  # fmt: skip
        """Learn what must be added to the logits `base` of rows `x`; labels are 0 to 1."""
        edges = _edges(x)
        bins = binned(x, edges)
        nodes, trees = 2**how.depth - 1, how.ensembles * how.trees
        grown = cls(
            np.full((trees, nodes), -1, np.int32), np.zeros((trees, nodes), np.float32),
            *(np.zeros((trees, nodes + 1), np.float32) for _ in range(2)),
        )  # fmt: skip
        place = np.zeros(len(x), np.int32)
        drawn = max(1, round(how.features * x.shape[1]))
        for tree in range(trees):
            if tree % how.trees == 0:
                eta = base.astype(np.float64)
            p = 1 / (1 + np.exp(-eta))
            slopes = np.stack([weight * (p - label), weight * p * (1 - p)], axis=1).astype(np.float32)
            columns = np.sort(rng.choice(x.shape[1], drawn, replace=False)).astype(np.int32)
            feature, split = _grow(*_sampled(bins, slopes, columns, how, rng), columns, how)
            place[:] = 0
            for level in range(how.depth):
                nodes_at = slice(2**level - 1, 2 ** (level + 1) - 1)
                _descend(bins, feature[nodes_at], split[nodes_at], place)
            sums = np.stack([np.bincount(place, slopes[:, part], nodes + 1) for part in (0, 1)])
            leaf = -how.lr * sums[0] / (sums[1] + how.l2)
            eta += leaf[place]
            there = feature >= 0
            grown.feature[tree], grown.leaf[tree] = feature, leaf / how.ensembles
            grown.cover[tree] = np.bincount(place, weight, nodes + 1)
            grown.cut[tree, there] = edges[feature[there], split[there]]
        return grown

    def logits(self, x: Dense) -> Floats:
        """Return the sum of the trees for each row."""
        return self._coded.sums(x)

    @cached_property
    def _coded(self) -> Coded:
        return Coded.of(self.feature, self.cut, self.leaf)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps."""
        return {"feature": self.feature, "cut": self.cut, "leaf": self.leaf, "cover": self.cover}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays()`."""
        feature, cut, leaf = (np.array(arrays[name]) for name in ("feature", "cut", "leaf"))
        return cls(feature, cut, leaf, np.array(arrays["cover"]) if "cover" in arrays else np.zeros_like(leaf))


def binned(x: Dense, edges: Dense) -> NDArray[np.uint8]:
    """Return `[features, rows]`: how many edges of its feature lie below each value; NaN counts as the lowest."""
    codes = coded(x, edges, np.isfinite(edges).sum(axis=1))
    return np.ascontiguousarray(codes.transpose(1, 0, 2).reshape(len(edges), -1)[:, : len(x)])


def _edges(x: Dense) -> Dense:
    """Return `[features, CUTS]` values between which features may be cut, the last repeated (as infinity)."""
    step = max(1, len(x) // SAMPLED)
    found = np.full((x.shape[1], CUTS), np.inf, np.float32)
    for row, column in zip(found, x[::step].T, strict=True):
        cuts = np.unique(np.quantile(column[np.isfinite(column)], np.linspace(0, 1, CUTS + 2)[1:-1], method="lower"))
        row[: len(cuts)] = cuts
    return found


def _sampled(bins: NDArray[np.uint8], slopes: Dense, columns: NDArray[np.int32], how: Boosting,
             rng: np.random.Generator) -> tuple[NDArray[np.uint8], Dense]:  # fmt: skip
    """Return the bins `[columns, drawn]` and the slopes, in their new weights, of the rows that are drawn."""
    size = np.sqrt(slopes[:, 0] ** 2 + how.l2 * slopes[:, 1] ** 2)
    chance = np.minimum(1, how.rows * size / max(float(size.mean()), 1e-30))
    rows = np.flatnonzero(rng.random(len(size), np.float32) < chance)
    weighted = np.asarray(slopes[rows] / chance[rows, None], np.float32)
    return np.stack([bins[column][rows] for column in columns]), weighted


def _grow(bins: NDArray[np.uint8], slopes: Dense, columns: NDArray[np.int32],
          how: Boosting) -> tuple[NDArray[np.int32], NDArray[np.int32]]:  # fmt: skip
    """Grow one tree on rows whose bins are `bins[columns, rows]`; return feature and bin of each node."""
    nodes, place = 2**how.depth - 1, np.zeros(len(slopes), np.int32)
    feature, split = np.full(nodes, -1, np.int32), np.zeros(nodes, np.int32)
    for level in range(how.depth):
        width = 2**level
        hist = np.zeros((len(columns), width, CUTS + 1, 2), np.float32)
        _histogram(bins, slopes, place, hist)
        best, cut, gain = _best(hist.astype(np.float64), how.least, how.l2)
        at = slice(width - 1, 2 * width - 1)
        best = np.where(gain > 0, best, -1).astype(np.int32)
        feature[at], split[at] = np.where(best >= 0, columns[best], -1), cut
        _descend(bins, best, split[at], place)
    return feature, split


def _best(hist: Floats, least: float, l2: float) -> tuple[NDArray[Any], NDArray[Any], Floats]:
    """Return the feature's place, the bin and the gain of the best split of each node."""
    left = hist.cumsum(axis=2)
    whole = left[:, :, -1:, :]
    right = whole - left
    score = [part[..., 0] ** 2 / (part[..., 1] + l2) for part in (left, right, whole)]
    gain = score[0] + score[1] - score[2]
    gain[(left[..., 1] < least) | (right[..., 1] < least)] = 0.0
    flat = gain.transpose(1, 0, 2).reshape(gain.shape[1], -1)
    at = flat.argmax(axis=1)
    return at // gain.shape[2], at % gain.shape[2], flat.max(axis=1)


@parallel_kernel
def _histogram(bins, slopes, place, hist):  # type: ignore[no-untyped-def]
    for at in prange(len(bins)):
        row, cells = bins[at], hist[at]
        for example in range(len(row)):
            node, value = place[example], row[example]
            cells[node, value, 0] += slopes[example, 0]
            cells[node, value, 1] += slopes[example, 1]


@parallel_kernel
def _descend(bins, feature, cut, place):  # type: ignore[no-untyped-def]
    for example in prange(len(place)):
        node = place[example]
        right = feature[node] >= 0 and bins[feature[node], example] > cut[node]
        place[example] = 2 * node + right
