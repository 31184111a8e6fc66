"""New items: how far the policy believes in what was hardly shown yet, so that somebody finds out.

    thompson   p = σ(μ + s z),  z ~ N(0, 1) drawn anew for each item and question
    ucb        p = σ(μ + α s)

μ and s are mean and deviation of what the ranker believes of the logit of a click. W. R. Thompson, "On the likelihood
that one unknown probability exceeds another", Biometrika 25, 1933, doi:10.2307/2332286; L. Li, W. Chu, J. Langford,
R. Schapire, "A contextual-bandit approach to personalized news article recommendation", WWW 2010,
doi:10.1145/1772690.1772758 (LinUCB). Deviations: 1. Items are drawn apart from each other, not their vectors
together. 2. Only items that were shown less often than `new_items_shown` are treated so; of the others the mean
counts. 3. The posterior is the ranker's, with its features, instead of a ridge regression's.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

#: How items that were hardly shown are believed in.
Newcomers = Literal["mean", "thompson", "ucb"]
#: α of `ucb`: the upper end of an interval of two thirds.
WIDTH: Final = 1.0


def deviates(how: Newcomers, shown: NDArray[np.float64], few: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return by how many deviations the belief in each candidate is moved; 0 for items shown `few` times and more."""
    moved = np.zeros(len(shown)) if how == "mean" else np.full(len(shown), WIDTH)
    if how == "thompson":
        moved = rng.standard_normal(len(shown))
    return np.where(shown < few, moved, 0.0)
