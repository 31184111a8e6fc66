"""Fold-in: what a ranker believes of a user after events that it did not learn from.

    θ = argmax  Σ_i a_i log σ(η_i) + b_i log σ(-η_i) - ½ Σ_k (θ_k - m_k)² / v_k,    η_i = c_i + x_i · θ

θ are the user's columns that clicks read and the user's bias, N(m, v) what was believed before, x_i = (w_k q_ik, 1);
a_i are the clicks on item i, b_i how often it was seen and left. The spread that remains is the inverse of the
curvature at θ (Laplace). Where the events tell what was shown, b_i are the user's own impressions without a click,
each as likely seen as the first ten positions are. Where they do not, each click stands against the impressions
without one that come with a click in the log, of items b as they are usually shown: an average user's events leave θ
where it was.

Sources: D. MacKay, "The evidence framework applied to classification networks", 1992, doi:10.1162/neco.1992.4.5.720
(the quadratic approximation). Deviations: 1. An impression that may not have been seen counts as a part of one. 2. Of
users who tell clicks alone, impressions without clicks are those of the log, not their own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.features.past import SHOWN, TURNED
from paretail.rank.maximum import maximum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Items that stand for what is usually shown.
USUAL: Final = 64


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of each row how often the item was clicked, and how often it was seen and left."""

    item_idx: Ints
    clicked: Floats
    left: Floats


@dataclass(frozen=True, eq=False)
class Usual:
    """Items as they are usually shown, each equally often; `left` impressions are seen and left for each click.

    `seen` is P(seen) of an impression whose position is not known.
    """

    item_idx: Ints
    left: float
    seen: float

    @classmethod
    def of(cls, shown: Floats, click_rate: float, seen: float) -> "Usual":
        """Take items in proportion to `shown[items]`, how often each was."""
        share = np.cumsum(shown) / max(float(shown.sum()), 1e-9)
        places = (np.arange(USUAL) + 0.5) / USUAL
        left = seen * (1 - click_rate) / max(click_rate, 1e-6)
        return cls(np.searchsorted(share, places).clip(0, len(shown) - 1), left, seen)

    def evidence(self, item_idx: Rows, kind: NDArray[np.uint8], says: NDArray[np.uint8]) -> Evidence:
        """Return what one user's events tell; `says[events]` as `data.features.pairs.says` has it.

        Several kinds of event on one item are one click that went on; what was shown counts where it was told of as
        many items as were turned to.
        """
        turned, shown = says >= TURNED, item_idx[says == SHOWN]
        items, clicks = _clicks(item_idx[turned], kind[turned])
        if len(shown) >= clicks.sum():
            rows = np.union1d(items, shown)
            clicked = np.zeros(len(rows))
            clicked[np.searchsorted(rows, items)] = clicks
            times = np.bincount(np.searchsorted(rows, shown), minlength=len(rows))
            return Evidence(rows, clicked, self.seen * np.maximum(times - clicked, 0))
        nothing = np.zeros(len(self.item_idx))
        left = np.full(len(self.item_idx), clicks.sum() * self.left / len(self.item_idx))
        return Evidence(np.concatenate([items, self.item_idx]), np.concatenate([clicks, nothing]),
                        np.concatenate([np.zeros(len(items)), left]))  # fmt: skip


def folded(mean: Floats, variance: Floats, x: Floats, c: Floats, evidence: Evidence) -> tuple[Floats, Floats]:
    """Return mean and variance of θ after evidence, whose rows have `x[rows, columns]` and `c[rows]`."""
    return maximum(mean, variance, x, c, evidence.clicked, evidence.left)


def _clicks(item_idx: Rows, kind: NDArray[np.uint8]) -> tuple[Ints, Floats]:
    """Return the items turned to, and how often each: as often as its most frequent kind of event."""
    keys, counts = np.unique(item_idx.astype(np.int64) * 256 + kind, return_counts=True)
    items, place = np.unique(keys // 256, return_inverse=True)
    most = np.zeros(len(items))
    np.maximum.at(most, place, counts)
    return items, most
