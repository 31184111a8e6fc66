"""New items: how far the policy believes in what was hardly shown yet, so that somebody finds out.

    thompson   p = σ(μ + s z),  z ~ N(0, 1) drawn anew for each item and question
    ucb        p = σ(μ + α s)

μ and s are mean and deviation of what the ranker believes of the logit of a click. W. R. Thompson, "On the likelihood
that one unknown probability exceeds another", Biometrika 25, 1933, doi:10.2307/2332286; L. Li, W. Chu, J. Langford,
R. Schapire, "A contextual-bandit approach to personalized news article recommendation", WWW 2010,
doi:10.1145/1772690.1772758 (LinUCB). Deviations: 1. Items are drawn apart from each other, not their vectors
together. 2. Only items that were shown less often than `new_items_shown` are treated so; of the others the mean
counts. 3. The posterior is the ranker's, with its features, instead of a ridge regression's.

Odds. z is drawn apart from whatever users do, so that where the slate S is drawn too (`policy/explore.py`), P(S | z) is
a propensity like any other, though the policy π that is judged knows of no z, and r is what S brings:

    E[π(S) r / P(S | z)] = E_z Σ_S P(S | z) π(S) r(S) / P(S | z) = Σ_S π(S) r(S),   if P(S | z) > 0 for every z

It makes weights uneven: those by P(S) = E_z P(S | z), which nobody can compute, would spread less. Without `explore`
P(S | z) is 1 for one slate and 0 for all others: the sum loses each z under which S is not the best, and 1 would be a
lie. Such slates are logged with unknown odds, and estimates refuse them.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem

#: How items that were hardly shown are believed in.
Newcomers = Literal["mean", "thompson", "ucb"]
#: α of `ucb`: the upper end of an interval of two thirds.
WIDTH: Final = 1.0


class Belief(NamedTuple):
    """P(click) of candidates as slates are composed, and whether a draw moved it."""

    p_click: NDArray[np.float64]
    drawn: bool

    def unknown(self, slots: int) -> NDArray[np.float64] | None:
        """Return the odds of a slate that is the best under this belief: None, certain; NaN where a draw decided."""
        return np.full(slots, np.nan) if self.drawn else None


def unfit(how: Newcomers, deviations: bool) -> Problem | None:
    """Return why new items cannot be believed in so: the ranker tells no `deviations`. None: they can."""
    if how == "mean" or deviations:
        return None
    found = f'[policy] new_items = "{how}", and the ranker tells no deviation: it learned without impressions'
    do = 'Set new_items = "mean" (`explore` tries new items too), or map the word for what was shown to `impression`'
    return Problem("POL-12", found, 'Expected "mean", or a log that tells what was shown', do)


def deviates(how: Newcomers, shown: NDArray[np.float64], few: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return by how many deviations the belief in each candidate is moved; 0 for items shown `few` times and more."""
    moved = np.zeros(len(shown)) if how == "mean" else np.full(len(shown), WIDTH)
    if how == "thompson":
        moved = rng.standard_normal(len(shown))
    return np.where(shown < few, moved, 0.0)
