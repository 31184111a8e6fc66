"""Exposures: how often each item was shown, and the price that a slate pays for showing it once more.

    price_i = ē / (ē + e_i),   ē = 1 + Σ e / items

It is the derivative of the concave utility U(e) = ē Σ log(1 + e_i / ē): whoever maximises gains plus prices, one slate
after the other, maximises gains plus the utility of the whole catalogue's exposure (online dual prices).

Source: the dual view of online allocation, S. Balseiro, H. Lu, V. Mirrokni, "The best of many worlds: dual mirror
descent for online allocation problems", Operations Research 71(1), 2023, doi:10.1287/opre.2021.2242. Deviations: 1. The
price follows from the counts in closed form instead of a step of mirror descent. 2. ē grows with what was shown.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows


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

    def room(self, group: Rows) -> NDArray[np.float64]:
        """Return `[items]`: how far below its share of the catalogue the exposure of each item's group is, -1 to 1.

        `group[items]` numbers the groups, -1 none, whose room is 0.
        """
        known = group >= 0
        groups = int(group.max(initial=-1)) + 1
        shown = np.bincount(group[known], weights=self.counts[known], minlength=groups)
        fair = np.bincount(group[known], minlength=groups) / max(1, int(known.sum()))
        share = (shown + fair) / (shown.sum() + 1.0)
        room = (fair - share) / np.maximum(fair + share, 1e-12)
        return np.where(known, room[group] if groups else 0.0, 0.0)
