"""MF-BPR: vectors of users and items, learned so that what a user had outranks what the user had not.

    min Σ_(u,i,j) -ln σ(x_ui - x_uj) + λ/2 (‖p_u‖² + ‖q_i‖² + ‖q_j‖²),      x_ui = p_u·q_i + b_i          (BPR-Opt)

by stochastic gradient descent with a linearly falling step. The negative j is the highest scored of `negatives`
items drawn uniformly from those that the user never had.

Sources: S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit
feedback", UAI 2009, arXiv:1205.2618; negatives of W. Zhang, T. Chen, J. Wang, Y. Yu, "Optimizing top-N collaborative
filtering via dynamic negative item sampling", SIGIR 2013, doi:10.1145/2484028.2484126.
Deviations:
1. Each epoch visits every pair once in a random order, instead of drawing pairs with replacement.
2. One thread: updates without locks by several (Hogwild) would make the result depend on their timing.
3. Users' vectors of the fit are not kept: users fold in by a learned map (`retrieve/foldin.py`). On a hold-out of
   gowalla this ranks better than the fit's own vectors (NDCG@20 .128 against .120): the map smooths them.
4. Weights of kinds scale the gradient of a pair.
"""

from typing import Any, ClassVar, Final, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat
from scipy import sparse

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.foldin import FoldedIn, learned_map, profiles
from paretail.retrieve.tune import tune

Vectors = NDArray[np.float32]
#: The step at the end of training, as a share of `lr`.
LAST_STEP = 0.05
#: Draws until an item that the user never had is found; a user who had nearly all items trains on what comes.
DRAWS = 20


#: What `choose` tries, one after the other.
STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"weight_decay": 0.03}, {"lr": 0.1}, {"dim": 64}, {"negatives": 4}, {"epochs": 40}, {"weight_decay": 0.06},
    {"negatives": 1}, {"dim": 32}, {"weight_decay": 0.003}, {"dim": 256},
)  # fmt: skip


class MfConfig(Config):
    """Settings of `mf`."""

    weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; by default purchase 1, cart and favourite 0.6, click and view 0.3.",
    )  # fmt: skip
    dim: int = Field(128, ge=1, description="Length of the vectors.")
    lr: float = Field(0.2, gt=0, description="Step of the first epoch; it falls linearly to a twentieth.")
    weight_decay: float = Field(0.01, ge=0, description="λ, the pull of the vectors towards zero.")
    bias_decay: float = Field(0.01, ge=0, description="The pull of the items' biases towards zero.")
    epochs: int = Field(20, ge=1, description="Passes over all pairs.")
    negatives: int | None = Field(
        None, ge=1,
        description="Items drawn for each pair, of which the highest scored is used; by default one for each thousand "
        "items of the shop, 1 to 32, so that the one used ranks near the thousandth.",
    )  # fmt: skip


class Mf(FoldedIn):
    """Item vectors Q, biases b, and the map A from a history to a user's vector."""

    name: ClassVar[str] = "mf"
    config_type: ClassVar[type[Config]] = MfConfig

    def __init__(self, Q: Vectors, b: Vectors, A: Vectors, config: MfConfig) -> None:
        Q = np.require(Q, np.float32, ["C", "W"])  # numba compiles once more for read-only arrays
        super().__init__(Q, A, Q, b, config.weights)
        self.config = config

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Descend; raises ConfigError (RETR-03) where the step is too long and the vectors grow without bound."""
        pairs = graph.interactions(kind_weights(graph.history.kinds, config.weights))
        P, Q, b = _descend(pairs, config, seed)
        if not (np.isfinite(P).all() and np.isfinite(Q).all()):
            found = f"mf grew without bound with lr = {config.lr}"
            raise ConfigError(Problem("RETR-03", found, "Vectors must stay finite", "Lower [model.settings] lr"))
        return cls(Q, b, learned_map(profiles(pairs, Q), P, np.diff(pairs.indptr) > 0), config)

    def arrays(self) -> Arrays:
        """Return Q, b and A."""
        return {"Q": self.Q, "b": self.b, "A": self.A}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        return cls(arrays["Q"], arrays["b"], arrays["A"], config)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try STEPS on a split of the events, within `seconds`."""
        return tune(cls, graph, question, given, STEPS, seed, seconds, progress)


def _descend(pairs: sparse.csr_array, config: MfConfig, seed: int) -> tuple[Vectors, Vectors, Vectors]:
    rng = rng_for("retrieve/mf", seed)
    (users, items), dim = pairs.shape, config.dim
    P, Q = (rng.standard_normal((rows, dim), np.float32) / np.float32(np.sqrt(dim)) for rows in (users, items))
    b = np.zeros(items, np.float32)
    Q[np.bincount(pairs.indices, minlength=items) == 0] = 0  # an item without events is nobody's taste
    user = np.repeat(np.arange(users, dtype=np.int32), np.diff(pairs.indptr))
    negatives = config.negatives or min(max(items // 1000, 1), 32)
    weight = pairs.data / max(pairs.data.max(initial=0), np.float32(1e-12))
    for epoch in range(config.epochs):
        step = config.lr * (1 - (1 - LAST_STEP) * epoch / config.epochs)
        _epoch(
            P, Q, b, user, pairs.indptr.astype(np.int64), pairs.indices, weight, rng.permutation(pairs.nnz),
            np.float32(step), np.float32(config.weight_decay), np.float32(config.bias_decay), negatives,
            rng.integers(1, 2**63, dtype=np.uint64),
        )  # fmt: skip
    return P, Q, b


@njit(cache=True, fastmath=True, error_model="numpy")
def _epoch(P, Q, b, user, indptr, indices, weight, order, lr, decay, bias_decay, negatives, state):  # type: ignore[no-untyped-def]
    dim = P.shape[1]
    for pair in order:
        u, i = user[pair], indices[pair]
        had = indices[indptr[u] : indptr[u + 1]]
        p = P[u]
        j, x_uj = -1, np.float32(0)
        for _ in range(negatives):
            candidate, state = _never_had(had, len(b), state)
            x = b[candidate] + _dot(p, Q[candidate], dim)
            if j < 0 or x > x_uj:
                j, x_uj = candidate, x
        q_i, q_j = Q[i], Q[j]
        x = b[i] + _dot(p, q_i, dim) - x_uj
        slope = weight[pair] / (np.float32(1) + np.exp(x))  # -d/dx of -ln σ(x)
        for f in range(dim):
            p_f, i_f, j_f = p[f], q_i[f], q_j[f]
            p[f] += lr * (slope * (i_f - j_f) - decay * p_f)
            q_i[f] += lr * (slope * p_f - decay * i_f)
            q_j[f] -= lr * (slope * p_f + decay * j_f)
        b[i] += lr * (slope - bias_decay * b[i])
        b[j] -= lr * (slope + bias_decay * b[j])


@njit(cache=True, fastmath=True)
def _dot(a, b, dim):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for f in range(dim):
        total += a[f] * b[f]
    return total


@njit(cache=True)
def _never_had(had, items, state):  # type: ignore[no-untyped-def]
    """Draw items until one is not in `had` (ascending), at most DRAWS times; return it and the generator's state."""
    item = np.int64(0)
    for _ in range(DRAWS):
        state ^= state << np.uint64(13)  # xorshift64, G. Marsaglia, 2003
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        item = np.int64((state >> np.uint64(11)) % np.uint64(items))
        place = np.searchsorted(had, item)
        if place == len(had) or had[place] != item:
            break
    return item, state
