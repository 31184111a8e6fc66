"""Metrics of all lists together: how much of the catalogue is shown, and how evenly.

They are functions of `shown[items]`, how often each item is recommended. Such a number is no mean over users, and
resampling users with replacement shows fewer distinct items than the users did, so its bootstrap interval would not
hold the value itself: the interval comes from the delete-a-group jackknife (P. Kott, "The delete-a-group
jackknife", Journal of Official Statistics, 2001).

Deviations: 1. replicates spread about their own mean, not about the value of all lists, and are not weighed up; 2. the
interval is the normal one, not Student's; 3. the Gini index divides by n, where its source divides by n - 1.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows

Shown = NDArray[np.int64]
_GROUPS: Final = 20


def catalogue_coverage(shown: Shown) -> float:
    """Share of the catalogue's items that occur in at least one list.

    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, 2010, doi:10.1145/1864708.1864761 (catalog coverage).
    """
    return float((shown > 0).mean()) if len(shown) else float("nan")


def gini(shown: Shown) -> float:
    """Gini index of exposure: 0 if every item is shown as often, near 1 if one item takes all.

    G = Σ_j (2j - n - 1) x_j / (n Σ_j x_j), x ascending, n all items of the catalogue, shown or not.
    Source: G. Shani, A. Gunawardana, "Evaluating recommendation systems", 2011, section 3.3.
    """
    n, total = len(shown), shown.sum()
    if not total:
        return float("nan")
    weight = 2 * np.arange(1, n + 1) - n - 1
    return float((weight * np.sort(shown)).sum() / (n * total))


CATALOGUE_METRICS: Final[dict[str, Callable[[Shown], float]]] = {
    "catalogue_coverage": catalogue_coverage,
    "gini": gini,
}


def jackknife(
    measure: Callable[[Shown], float], lists: Rows, items: int, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the measure of all lists with its interval; users are put into groups by `rng`."""
    groups = min(_GROUPS, len(lists))
    group = rng.permutation(len(lists)) % max(groups, 1)
    there = lists >= 0
    cell = group[:, None] * items + lists
    shown = np.bincount(cell[there], minlength=groups * items).reshape(groups, items)
    total = shown.sum(axis=0)
    value = measure(total)
    if groups < 2:
        return value, float("nan"), float("nan")
    without = np.array([measure(total - part) for part in shown])
    spread = float(np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum()))
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread
    return value, value - reach, value + reach
