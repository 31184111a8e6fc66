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

from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows

#: A group's price is 1 where it lacks so many deviations of a fair draw.
SLACK: Final = 5.0
#: Ways to group a catalogue of which sums are kept.
KEPT: Final = 8


@dataclass(eq=False)
class Exposures:
    """`counts[items]`: how often each item was shown. They grow in place, slate by slate, through `add` alone.

    Sums over the catalogue, and over groups once they were asked for, grow with them; safe to share by threads.
    """

    counts: NDArray[np.int64]
    _sum: int = field(init=False)
    _grouped: list["_Groups"] = field(default_factory=list, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self._sum = int(self.counts.sum())

    @classmethod
    def none(cls, items: int) -> Self:
        """Return the exposures of a catalogue of which nothing was shown yet."""
        return cls(np.zeros(items, np.int64))

    def add(self, item_idx: Rows) -> None:
        """Count items that were shown; -1 is none."""
        shown = item_idx[item_idx >= 0]
        with self._lock:
            np.add.at(self.counts, shown, 1)
            self._sum += len(shown)
            for groups in self._grouped:
                groups.add(shown)

    def prices(self, item_idx: Rows) -> NDArray[np.float64]:
        """Return the price of each item: 1 for what was never shown, towards 0 for what is shown more than its share.

        Rows below 0 are read as numpy does.
        """
        usual = 1.0 + self._sum / max(1, len(self.counts))
        return np.asarray(usual / (usual + self.counts[item_idx]))

    def prices_of_groups(self, group: Rows, item_idx: Rows) -> NDArray[np.float64]:
        """Return the price of each item's group: 1 where it is owed exposure, -1 where it had too much.

        `group[items]` numbers the groups, -1 none, whose price is 0. Cost: one pass over it where it is another array
        than the last few.
        """
        return self._groups(group).prices(item_idx)

    def _groups(self, group: Rows) -> "_Groups":
        with self._lock:
            found = next((one for one in self._grouped if one.group is group), None)
            if found is None:
                found = _Groups.of(group, self.counts)
                self._grouped[KEPT - 1 :] = []
                self._grouped.insert(0, found)
            return found


@dataclass(frozen=True, eq=False)
class _Groups:
    """Of groups that number the items of a catalogue: `fair[groups]` their shares of it, `shown` how often each was.

    Both are 0 at the end, where -1 finds it.
    """

    group: Rows
    fair: NDArray[np.float64]
    shown: NDArray[np.float64]

    @classmethod
    def of(cls, group: Rows, counts: NDArray[np.int64]) -> Self:
        """Count what was shown until now."""
        known = group >= 0
        size = int(group.max(initial=-1)) + 2
        shown = np.bincount(group[known], weights=counts[known], minlength=size).astype(np.float64)
        fair = np.bincount(group[known], minlength=size) / max(1, int(known.sum()))
        return cls(group, fair, shown)

    def add(self, item_idx: Rows) -> None:
        """Count items that were shown."""
        groups = self.group[item_idx]
        np.add.at(self.shown, groups[groups >= 0], 1)

    def prices(self, item_idx: Rows) -> NDArray[np.float64]:
        """Return the price of each item's group."""
        groups, total = self.group[item_idx], self.shown.sum()
        fair = self.fair[groups]
        owed = fair * total - self.shown[groups]
        price = owed / np.maximum(SLACK * np.sqrt(fair * (1.0 + total)), 1e-12)
        return np.asarray(np.clip(price, -1.0, 1.0))
