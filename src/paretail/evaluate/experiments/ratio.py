"""Whether the arms have the users that they should have: if not, something was lost, and no figure may be read.

    X^2 = sum_a (n_a - N w_a)^2 / (N w_a),  compared with chi-square of arms - 1 degrees of freedom
    p_t = min over looks of  1 / BF,  BF = B(alpha + n) / B(alpha) / prod_a w_a^n_a,   alpha = 100 w

The second may be looked at after every user: under the right weights it ever falls below x with a probability of at
most x. A mismatch is found where X^2 is far out, or at any look of many.

A. Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019,
doi:10.1145/3292500.3330722; M. Lindon, A. Malek, "Anytime-Valid Inference For Multinomial Count Data", NeurIPS 2022,
arXiv:2011.03567. Deviations: none.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

Values = NDArray[np.float64]

#: How many users' worth of belief the prior has in the planned shares.
_PRIOR: Final = 100.0


def chi_square(users: Sequence[int], weights: Sequence[float]) -> float:
    """Return the p-value of the users of each arm under the weights, for one look; 1 of no users."""
    n, expected = _both(users, weights)
    if not n.sum():
        return 1.0
    return float(chdtrc(len(n) - 1, np.sum((n - expected) ** 2 / expected))) if len(n) > 1 else 1.0


def any_time(users: Sequence[int], weights: Sequence[float]) -> float:
    """Return the p-value that holds at every look; the least of all looks is one too."""
    n, expected = _both(users, weights)
    if not n.sum():
        return 1.0
    share = expected / n.sum()
    prior = _PRIOR * share
    ahead = gammaln(prior + n).sum() - gammaln(_PRIOR + n.sum()) - gammaln(prior).sum() + gammaln(_PRIOR)
    return float(min(1.0, np.exp((n * np.log(share)).sum() - ahead)))


def _both(users: Sequence[int], weights: Sequence[float]) -> tuple[Values, Values]:
    """Return users and expected users of the arms that have a weight; users of the others are impossible."""
    n, w = np.asarray(users, np.float64), np.asarray(weights, np.float64)
    n, w = n[w > 0], w[w > 0]
    return n, n.sum() * w / w.sum()
