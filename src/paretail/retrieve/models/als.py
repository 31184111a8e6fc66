"""Implicit ALS: a user and an item are vectors whose product is near 1 where there was an event, near 0 elsewhere.

    min Σ_ui c_ui (p_ui - x_u·y_i)² + λ (Σ_u ‖x_u‖² + Σ_i ‖y_i‖²),    c = 1 + α r,  p = 1 where r > 0, else 0
    x_u = (Yᵀ Y + λ I + Yᵀ (C_u - I) Y)⁻¹ Yᵀ C_u p_u                                        (equation 4 of the paper)

Source: Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008,
doi:10.1109/ICDM.2008.22; the fit is that of the library `implicit`. Deviations: users' vectors of the fit are thrown
away: every user, known or new, folds in by equation 4. The defaults α = 40, λ = 10 are those of a search on a
hold-out of gowalla; the library's own (α = 1, λ = 0.01) reach two thirds of them.
"""

from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numba import njit, prange
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy import sparse
from threadpoolctl import threadpool_limits

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.kernels import parallel_kernel
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.tune import tune

#: What `choose` tries, one after the other.
STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"alpha": 10.0}, {"dim": 64}, {"dim": 32}, {"dim": 256}, {"weight_decay": 30.0}, {"alpha": 3.0}, {"alpha": 100.0},
    {"weight_decay": 3.0}, {"alpha": 1.0}, {"dim": 16},
)  # fmt: skip


class AlsConfig(Config):
    """Settings of `als`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    dim: int = Field(128, ge=1, description="Length of the vectors.")
    alpha: float = Field(40.0, gt=0, description="How much more an event counts than its absence.")
    weight_decay: float = Field(10.0, gt=0, description="λ, the pull of the vectors towards zero.")
    epochs: int = Field(15, ge=1, description="Rounds of solving for users, then for items.")


class Als:
    """The item vectors Y; users follow from them."""

    name: ClassVar[str] = "als"
    config_type: ClassVar[type[Config]] = AlsConfig

    def __init__(self, Y: NDArray[np.float32], config: AlsConfig) -> None:
        self.Y: NDArray[np.float32] = np.require(
            Y, np.float32, ["C", "W"]
        )  # numba compiles once more for read-only arrays
        self.config = config

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Alternate; items without events get the zero vector."""
        pairs = graph.interactions(kind_weights(graph.history.kinds, config.weights))
        if not pairs.nnz:
            return cls(np.zeros((graph.items, config.dim), np.float32), config)
        confidence = sparse.csr_matrix((1 + config.alpha * pairs.data, pairs.indices, pairs.indptr), shape=pairs.shape)
        with threadpool_limits(1, "blas"):  # the library runs one user a thread; BLAS threads would fight over cores
            solver = AlternatingLeastSquares(
                factors=config.dim, regularization=config.weight_decay, alpha=1.0, iterations=config.epochs,
                random_state=int(rng_for("retrieve/als", seed).integers(2**31)), num_threads=0,
            )  # fmt: skip
            solver.fit(confidence, show_progress=False)
        Y = np.ascontiguousarray(solver.item_factors, np.float32)
        Y[np.bincount(pairs.indices, minlength=graph.items) == 0] = 0
        return cls(Y, config)

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """Return y of every item."""
        return self.Y

    def vectors(self, history: History) -> NDArray[np.float32]:
        """Return x[users, dim] from the users' events alone; zeros without history."""
        profile = interactions(history, len(self.Y), kind_weights(history.kinds, self.config.weights))
        x = np.zeros((history.users, self.Y.shape[1]))
        extra = self.config.alpha * profile.data.astype(np.float64)
        _fold_in(self.Y, self._solved, self._gram, profile.indptr, profile.indices, extra, x)
        return x.astype(np.float32)

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return x·y; zeros without history."""
        return self.vectors(history) @ self.Y.T

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return y_j·(x_u - x_u without i), by the Sherman-Morrison formula on equation 4.

        With A = YᵀC_uY + λI and v_i = A⁻¹y_i the fall is (v_i·y_j) (c_i - (c_i - 1) (x_u - c_i v_i)·y_i / (1 -
        (c_i - 1) v_i·y_i)). The summands (v_i·y_j) c_i, with which the paper explains (equation 7), name the same item
        for .6 of a list only (planted world): without i the others explain part of what i did.
        """
        profile = interactions(history, len(self.Y), kind_weights(history.kinds, self.config.weights))
        d = self.config.alpha * profile.data.astype(np.float64)
        Y, c = self.Y[profile.indices].astype(np.float64), 1 + d
        v = np.linalg.solve(self._gram + Y.T @ (d[:, None] * Y), Y.T).T
        h = (v * Y).sum(axis=1)
        factor = c - d * (Y @ (c @ v) - c * h) / (1 - d * h)
        found = np.zeros((len(self.Y), len(listed)), np.float32)
        found[profile.indices] = factor[:, None] * (v @ self.Y[listed].T)
        return found[causes]

    def arrays(self) -> Arrays:
        """Return the item vectors."""
        return {"Y": self.Y}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays["Y"], config)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try STEPS on a split of the events, within `seconds`."""
        return tune(cls, graph, question, given, STEPS, seed, seconds, progress)

    @cached_property
    def _gram(self) -> NDArray[np.float64]:
        """G = YᵀY + λI."""
        Y = self.Y.astype(np.float64)
        return Y.T @ Y + self.config.weight_decay * np.eye(Y.shape[1])

    @cached_property
    def _solved(self) -> NDArray[np.float64]:
        """Z = Y G⁻¹."""
        return np.ascontiguousarray(np.linalg.solve(self._gram, self.Y.T.astype(np.float64)).T)


@parallel_kernel
def _fold_in(Y, Z, G, indptr, indices, extra, x):  # type: ignore[no-untyped-def]
    """Solve equation 4 for each user in the smaller of two spaces: that of the user's items, or that of the vectors.

    With D = C - I (`extra`): (G + YᵀDY)⁻¹ Yᵀc = Zᵀ t where (D⁻¹ + Y Zᵀ) t = D⁻¹ c. Plain loops: numba's own linear
    algebra takes 15 s to compile.
    """
    for user in prange(len(x)):
        begin, end = indptr[user], indptr[user + 1]
        _fold_in_one(Y, Z, G, indices[begin:end], extra[begin:end], x[user])


@njit(cache=True)
def _fold_in_one(Y, Z, G, items, D, x_u):  # type: ignore[no-untyped-def]
    if len(items) <= Y.shape[1]:
        K, t = _among_items(Y, Z, items, D)
        _solve(K, t)
        for a in range(len(items)):
            for f in range(len(x_u)):
                x_u[f] += t[a] * Z[items[a], f]
    else:
        A = _among_vectors(Y, G, items, D, x_u)
        _solve(A, x_u)


@njit(cache=True)
def _among_items(Y, Z, items, D):  # type: ignore[no-untyped-def]
    """Return D⁻¹ + Y Zᵀ over the user's items, and D⁻¹ c."""
    size = len(items)
    K, t = np.empty((size, size)), np.empty(size)
    for a in range(size):
        for b in range(a + 1):
            K[a, b] = 0.0
            for f in range(Y.shape[1]):
                K[a, b] += Y[items[a], f] * Z[items[b], f]
        K[a, a] += 1.0 / D[a]
        t[a] = (1.0 + D[a]) / D[a]
    return K, t


@njit(cache=True)
def _among_vectors(Y, G, items, D, x_u):  # type: ignore[no-untyped-def]
    """Return G + YᵀDY, and leave Yᵀc in `x_u`."""
    A = G.copy()
    for a in range(len(items)):
        y = Y[items[a]]
        for f in range(len(y)):
            x_u[f] += (1.0 + D[a]) * y[f]
            for g in range(f + 1):
                A[f, g] += D[a] * y[f] * y[g]
    return A


@njit(cache=True)
def _solve(A, b):  # type: ignore[no-untyped-def]
    """Solve A x = b in place by Cholesky; A is positive definite, and only its lower triangle is read."""
    size = len(b)
    for i in range(size):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= A[i, k] * A[j, k]
            A[i, j] = np.sqrt(total) if i == j else total / A[j, j]
    for i in range(size):
        for k in range(i):
            b[i] -= A[i, k] * b[k]
        b[i] /= A[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            b[i] -= A[k, i] * b[k]
        b[i] /= A[i, i]
