"""Fold-in by a learned map: a user's vector from the items' vectors alone, known and new users alike.

    p_u = A [z_u; 1],   z_u = Σ_i r_ui q_i / sqrt(Σ_i r_ui²),   A = argmin Σ_u ‖p_u - A [z_u; 1]‖² + λ ‖A‖²

where the sum goes over the users of the fit, whose vectors p_u training found.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.core.sparse import gather
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.retrieve.base import Scores

Vectors = NDArray[np.float32]


class FoldedIn:
    """What retrievers share whose users are folded in so: scores p_u·t_j + b_j.

    `Q` is as above, `T[items, dim]` what users are met with; `weights` are those of kinds, None: as `kind_weights` has
    them.
    """

    def __init__(self, Q: Vectors, A: Vectors, T: Vectors, b: Vectors, weights: Mapping[str, float] | None) -> None:
        self.Q, self.A, self.T, self.b = Q, A, T, b
        self._weights = weights

    @property
    def item_vectors(self) -> Vectors:
        """Return q of every item."""
        return self.Q

    def vectors(self, history: History) -> Vectors:
        """Return p[users, dim] from the users' events alone; the map's constant without history."""
        return profiles(self._pairs(history), self.Q) @ self.A

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return p·t + b; without history, what suits the average user."""
        return self.vectors(history) @ self.T.T + self.b

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the summands r_ui q_i A t_j of the one user's scores, the norm of r_u held fixed."""
        told = summands(self._pairs(history), self.Q, self.A, causes)
        return np.asarray(told @ self.T[listed].T, np.float32)

    def _pairs(self, history: History) -> sparse.csr_array:
        return interactions(history, len(self.Q), kind_weights(history.kinds, self._weights))


def profiles(pairs: sparse.csr_array, Q: Vectors) -> Vectors:
    """Return [z_u; 1] of each user of `pairs[users, items]`; z is 0 without history."""
    norm = np.sqrt(pairs.multiply(pairs).sum(axis=1))
    z = gather(pairs, Q) / np.maximum(norm, 1e-12)[:, None]
    return np.hstack([z, np.ones((len(z), 1), np.float32)]).astype(np.float32)


def learned_map(z: Vectors, P: Vectors, known: NDArray[np.bool_]) -> Vectors:
    """Return A[dim + 1, dim], the ridge regression of `P[users, dim]` on their profiles, over the users `known`."""
    z, P = z[known].astype(np.float64), P[known].astype(np.float64)
    gram = z.T @ z
    ridge = 1e-3 * np.trace(gram) / len(gram) + 1e-9
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), z.T @ P).astype(np.float32)


def summands(pairs: sparse.csr_array, Q: Vectors, A: Vectors, causes: NDArray[np.integer]) -> Vectors:
    """Return what each of the items `causes` adds to the vector of the one user of `pairs`, the norm held fixed."""
    r = pairs.toarray()[0, causes] / max(np.sqrt((pairs.data**2).sum()), np.float32(1e-12))
    return np.asarray(r[:, None] * Q[causes] @ A[:-1], np.float32)
