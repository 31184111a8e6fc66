"""DPP: the slate that spans the largest volume, items being as long as they are worth (a determinantal point process).

    P(Y) ∝ det L_Y,   L = Diag(e^{α r}) S Diag(e^{α r}),   α = θ / (2 (1 - θ))
    next = argmax_i  θ r_i + (1 - θ) ln d_i²,   d_i² = det S_{Y + i} / det S_Y

r is worth, S likeness. d_i² follows from a Cholesky factor that grows with the slate: with j chosen,
e_i = (s_ji - <c_j, c_i>) / d_j, then c_i gets e_i and d_i² loses e_i². L. Chen, G. Zhang, E. Zhou, "Fast greedy MAP
inference for determinantal point process to improve recommendation diversity", NeurIPS 2018, arXiv:1709.05135, with
θ as in its section 4. Deviations: 1. Where nothing spans more (d² below LEAST), the rest goes by worth instead of
staying empty.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.compositions.arranging import Arranging, Worth
from paretail.policy.pool import Pool

#: d² of a candidate that is as good as spanned by the slate.
LEAST: Final = 1e-6


class Dpp(Arranging):
    """See the module; `d2[users, cands]`, `factor[users, slots, cands]` the c of all candidates."""

    def __init__(self, worth: Worth, pool: Pool, k: int, balance: float) -> None:
        super().__init__(worth, pool, k, balance)
        self.d2 = np.ones(pool.shape)
        self.factor = np.zeros((pool.shape[0], k, pool.shape[1]))

    def _apart(self) -> NDArray[Any]:
        return np.log(np.maximum(self.d2, LEAST))

    def _note(self, users: NDArray[np.intp], places: Rows, alike: NDArray[Any], slot: int) -> None:
        c, mine = self.factor[users], np.arange(len(users))
        grown = (alike - np.einsum("us,usc->uc", c[mine, :, places], c)) / np.sqrt(
            np.maximum(self.d2[users, places], LEAST)
        )[:, None]
        self.factor[users, slot] = grown
        self.d2[users] -= grown**2
