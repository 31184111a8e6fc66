"""Exposures: how often each item was shown, and the online dual prices of showing it, or one of its group, once more.

    items     price_i = ē / (ē + e_i),   ē = 1 + Σ e / items
    groups    μ_g = [ (f_g E - e_g) / (S √(f_g (1 + E))) ] to -1..1,   E = Σ e_g

The price of an item is the derivative of the concave utility U(e) = ē Σ log(1 + e_i / ē): whoever maximises gains plus
prices, one slate after the other, maximises gains plus the utility of the whole catalogue's exposure. ē grows with what
was shown.

The price of a group is the multiplier of "its share s_g is its share f_g of the catalogue", where missing it by one is
penalised by one: dual subgradient ascent adds f_g - x_g with each item x that is shown, and the penalty |f_g - s_g|
holds μ_g between -1 and 1. Under a weight w on prices, a group pays up to w for its share and reaches it exactly where
that is enough; the miss falls like 1 / √E.

Source: dual mirror descent, S. Balseiro, H. Lu, V. Mirrokni, "Dual mirror descent for online allocation problems", ICML
2020; with such a penalty, the same, "Regularized online allocation problems: fairness and beyond", ICML 2021,
arXiv:2007.00514; that it is optimal for many worlds, Operations Research 71(1), 2023, doi:10.1287/opre.2021.2242.
Deviations: 1. Items' prices follow from the counts in closed form instead of a step of mirror descent. 2. Groups' steps
are added up first and held between -1 and 1 then (dual averaging: L. Xiao, JMLR 11, 2010), so that counts are all there
is to keep; the step falls like 1 / √E and is wider for small groups, by the deviation of a fair draw.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows

#: A group's price is 1 where it lacks so many deviations of a fair draw.
SLACK: Final = 5.0


@dataclass(frozen=True, eq=False)
class Exposures:
    """`counts[items]`: how often each item was shown. They grow in place, slate by slate."""

    counts: NDArray[np.int64]

    @classmethod
    def none(cls, items: int) -> Self:
        """Return the exposures of a catalogue of which nothing was shown yet."""
        return cls(np.zeros(items, np.int64))

    def add(self, item_idx: Rows) -> None:
        """Count items that were shown; -1 is none."""
        np.add.at(self.counts, item_idx[item_idx >= 0], 1)

    def prices(self) -> NDArray[np.float64]:
        """Return `[items]`, 1 for what was never shown, towards 0 for what is shown far more than its share."""
        usual = 1.0 + self.counts.sum() / max(1, len(self.counts))
        return np.asarray(usual / (usual + self.counts))

    def prices_of_groups(self, group: Rows) -> NDArray[np.float64]:
        """Return `[items]`: the price of each item's group, 1 where it is owed exposure, -1 where it had too much.

        `group[items]` numbers the groups, -1 none, whose price is 0.
        """
        known = group >= 0
        groups = int(group.max(initial=-1)) + 1
        shown = np.bincount(group[known], weights=self.counts[known], minlength=groups)
        fair = np.bincount(group[known], minlength=groups) / max(1, int(known.sum()))
        owed = fair * shown.sum() - shown
        price = np.clip(owed / np.maximum(SLACK * np.sqrt(fair * (1.0 + shown.sum())), 1e-12), -1.0, 1.0)
        return np.where(known, price[group] if groups else 0.0, 0.0)
