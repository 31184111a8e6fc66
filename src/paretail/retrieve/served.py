"""Models whose user vectors are sums over the events: matrices of items are all that serving needs, without torch.

    z_u = Σ_i w_ui c_i / √(d_u d_i) + Σ_c mean of t_n over the user's nodes of type c,      score = z_u·z_i + b_i

or z_u / √(‖z_u‖² + 10⁻¹²) in place of z_u, where scores are cosines.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.core.sparse import gather
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.retrieve.base import Arrays, Scores
from paretail.retrieve.spec import GraphModelSpec

Vectors = NDArray[np.float32]
#: What keeps the length of a vector from 0, as in `net/scorers.py`.
LEAST = np.float32(1e-12)


class Sums:
    """The arrays that `net.serving.arrays_of` makes of a linear network, and answers from them."""

    def __init__(self, arrays: Arrays, spec: GraphModelSpec) -> None:
        self.spec = spec
        self.items, self.profile, self.degree = (arrays[name] for name in ("items", "profile", "degree"))
        self.bias = arrays.get("bias", np.zeros(len(self.items), np.float32))
        self.told = {name.removeprefix("told/"): table for name, table in arrays.items() if name.startswith("told/")}

    def score(self, history: History, now_ms: int | None) -> Scores:
        """Return `scores[users, items]`."""
        return np.asarray(self._ready(self.users(history, now_ms)) @ self.items.T + self.bias, np.float32)

    def users(self, history: History, now_ms: int | None) -> Vectors:
        """Return the users' vectors, of whatever length."""
        vectors = gather(self._shares(history, now_ms), self.profile)
        for name, table in self.told.items():
            known = history.about.get(name)
            if known is not None:
                degree = np.maximum(np.asarray(known.sum(axis=1)), 1e-12)
                vectors += (known @ table / degree[:, None]).astype(np.float32)
        return vectors

    def falls(self, history: History, causes: Rows, listed: Rows, now_ms: int | None) -> Scores:
        """Return the summands of the score, the user's degree and length held fixed."""
        share = self._shares(history, now_ms).toarray()[0, causes]
        length = np.sqrt((self.users(history, now_ms)[0] ** 2).sum() + LEAST) if self.spec.scorer == "cosine" else 1.0
        return np.asarray((share[:, None] * self.profile[causes]) @ self.items[listed].T / length, np.float32)

    def _ready(self, vectors: Vectors) -> Vectors:
        if self.spec.scorer != "cosine":
            return vectors
        ready: Vectors = vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True) + LEAST)
        return ready

    def _shares(self, history: History, now_ms: int | None) -> sparse.csr_array:
        """Return what each of a user's items counts for: w_ui / √(d_u d_i), 0 for an item that nobody had."""
        weights = kind_weights(history.kinds, self.spec.weights)
        pairs = interactions(history, len(self.items), weights, self.spec.half_life_days, now_ms)
        user = np.repeat(np.asarray(pairs.sum(axis=1)), np.diff(pairs.indptr))
        item = self.degree[pairs.indices]
        root = np.sqrt(np.where(item > 0, user * item, np.inf), dtype=np.float32)
        return sparse.csr_array((pairs.data / root, pairs.indices, pairs.indptr), shape=pairs.shape)
