"""MMR: what is worth much and is not like anything that the slate has already.

    next = argmax_i  λ r_i - (1 - λ) max_{j in slate} s_ij

J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries", SIGIR 1998, doi:10.1145/290941.291025. Deviations: 1. r is the worth of the weighted goals as a share of the
user's range, instead of similarity to a query. 2. Similarities lie between 0 and 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.compositions.arranging import Arranging, Worth
from paretail.policy.pool import Pool


class Mmr(Arranging):
    """See the module."""

    def __init__(self, worth: Worth, pool: Pool, k: int, balance: float) -> None:
        super().__init__(worth, pool, k, balance)
        self._nearest = np.zeros(pool.shape)

    def _apart(self) -> NDArray[Any]:
        return -self._nearest

    def _note(self, users: NDArray[np.intp], places: Rows, alike: NDArray[Any], slot: int) -> None:
        self._nearest[users] = np.maximum(self._nearest[users], alike)
