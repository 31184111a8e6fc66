"""Content: vectors of items from their events and from what the catalogue says of them, of users from both sides too.

    y_i' = (n_i y_i + k ŷ_i) / (n_i + k),   ŷ_i = p (μ + B f_i)    (n_i people did something with i; y_i of `als`)
    x_u' = x_u + s / (s + n_u) m_u,         m_u = mean of x + Σ_t a_t   (t: the user's traits; x_u folds in from events)

An item without events is its prediction from content (`retrieve/content.py`), an item with many is its own vector. A
user without events is the mean of all users, moved by what users with the same traits have in common (A: ridge
regression of the users' vectors on their traits), so that a new user with a profile alone gets a list of their own.

Sources: Z. Gantner et al., "Learning attribute-to-feature mappings for cold-start recommendations", ICDM 2010,
doi:10.1109/ICDM.2010.129; M. Volkovs, G. Yu, T. Poutanen, "DropoutNet: addressing cold start in recommender systems",
NeurIPS 2017 (one model for warm and cold); D. Agarwal, B. Chen, "Regression-based latent factor models", KDD 2009,
doi:10.1145/1557019.1557029 (regression as the prior of factors, for users and items).
Deviations: 1. Closed form throughout: the map is a ridge regression on finished vectors, and the shrinkage by the
number of events stands for the posterior mean. 2. Friends are no traits here.
"""

from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.graph.interactions import interactions, kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Arrays, Question, Scores
from paretail.retrieve.choose import Choice
from paretail.retrieve.content import content_blocks, read
from paretail.retrieve.models.als import STEPS as OF_ALS
from paretail.retrieve.models.als import Als, AlsConfig
from paretail.retrieve.tune import tune

#: What `choose` tries, one after the other.
STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"item_shrinkage": 20.0}, {"user_shrinkage": 3.0}, *OF_ALS, {"item_shrinkage": 1.0}, {"user_shrinkage": 0.3},
)  # fmt: skip
#: λ of the regression on traits, in users.
TRAITS_PULL: Final = 20.0
#: Traits with an effect of their own: the most frequent ones.
MOST_TRAITS: Final = 1000


class ContentConfig(AlsConfig):
    """Settings of `content`."""

    item_shrinkage: float = Field(5.0, ge=0, description="k: with so many users an item's own vector counts half.")
    user_shrinkage: float = Field(1.0, ge=0, description="s: with so many items what all users share counts half.")
    text_encoder: str | None = Field(
        None, min_length=1, description="The folder of a sentence-transformers model on this machine: texts have its "
        "vectors beside their words.",
    )  # fmt: skip


class Content:
    """The item vectors y', the mean user and the effect of each trait."""

    name: ClassVar[str] = "content"
    config_type: ClassVar[type[Config]] = ContentConfig
    reads_traits: ClassVar[bool] = True

    def __init__(
        self, Y: NDArray[np.float32], mean: NDArray[np.float32], effects: dict[str, NDArray[np.float32]],
        config: ContentConfig,
    ) -> None:  # fmt: skip
        self.mean, self.effects, self.config = mean, effects, config
        self._als = Als(Y, config)

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Fit `als`, the map from content, and the effects of traits."""
        als = Als.fit(graph, config, seed)
        pairs = graph.interactions(kind_weights(graph.history.kinds, config.weights))
        n = np.bincount(pairs.indices, minlength=graph.items)
        some = np.flatnonzero(np.diff(pairs.indptr))
        if not len(some):
            return cls(als.Y, np.zeros(config.dim, np.float32), {}, config)
        known = graph.history.of_users(some)
        expected = _expected(graph, als.Y, als.vectors(known), n, config.text_encoder)
        own = n / np.maximum(n + config.item_shrinkage, 1e-30) if expected is not None else np.ones(len(n))
        Y = (own[:, None] * als.Y + (1 - own)[:, None] * (0 if expected is None else expected)).astype(np.float32)
        X = Als(Y, config).vectors(known)
        mean = X.mean(axis=0)
        return cls(Y, mean, _effects(known, X - mean), config)

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """Return y' of every item."""
        return self._als.Y

    def vectors(self, history: History) -> NDArray[np.float32]:
        """Return x' of the users, from their events and traits."""
        n = np.diff(self._profile(history).indptr)
        shared = (self.config.user_shrinkage + 1e-30) / (self.config.user_shrinkage + 1e-30 + n)
        return np.asarray(self._als.vectors(history) + shared[:, None] * self.shared(history), np.float32)

    def shared(self, history: History) -> NDArray[np.float32]:
        """Return m of the users: what is expected of them before they did anything."""
        m = np.tile(self.mean, (history.users, 1))
        for name, effect in self.effects.items():
            if name in history.about:
                m += np.asarray(history.about[name] @ effect, np.float32)
        return m

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Return x'·y'."""
        return self.vectors(history) @ self._als.Y.T

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the falls of x_u·y', what all users share held fixed."""
        return self._als.falls(history, causes, listed, now_ms, mode)

    def arrays(self) -> Arrays:
        """Return the vectors and effects."""
        return {"Y": self._als.Y, "mean": self.mean, **{f"effect/{name}": a for name, a in self.effects.items()}}

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        effects = {key.removeprefix("effect/"): a for key, a in arrays.items() if key.startswith("effect/")}
        return cls(arrays["Y"], arrays["mean"], effects, config)

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
    ) -> Choice:
        """Try STEPS on a split of the events, within `seconds`."""
        return tune(cls, graph, question, given, STEPS, seed, seconds, progress)

    def _profile(self, history: History) -> sparse.csr_array:
        weights = kind_weights(history.kinds, self.config.weights)
        return interactions(history, len(self._als.Y), weights)


def _expected(
    graph: ShopGraph,
    Y: NDArray[np.float32],
    X: NDArray[np.float32],
    n: NDArray[np.integer],
    text_encoder: str | None = None,
) -> NDArray[np.float32] | None:
    """Return ŷ of every item, None where its content tells nothing: of mean popularity, as liked as content says.

    Popularity, p_i = (mean of x)·y_i, is left to events: what is predicted is the direction y_i / p_i, whose noise
    falls with the number of events, in the metric of users' scores (an error that no user cares for is none).
    """
    mean = X.mean(axis=0)
    p = Y @ mean
    liked = p > 1e-3 * max(float(p.max(initial=0)), 1e-30)
    taste = np.where(liked[:, None], Y / np.where(liked, p, 1)[:, None], 0)
    centred = (X - mean).astype(np.float64)
    values, Q = np.linalg.eigh(centred.T @ centred / len(X))
    metric = (Q * np.sqrt(np.maximum(values, 0))) @ Q.T
    how = read(content_blocks(graph, text_encoder), taste @ metric, np.where(liked, n, 0))
    return None if how is None else np.asarray(p[liked].mean() * how.predicted(taste), np.float32)


def _effects(history: History, X: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return A by type of trait, `[nodes, dim]`: (TᵀT + λ)⁻¹ Tᵀ X, zeros for rare traits beyond MOST_TRAITS."""
    types = {name: known for name, known in sorted(history.about.items()) if name != "user"}
    if not types:
        return {}
    T = sparse.csr_array(sparse.hstack(list(types.values()), format="csr"))
    order = np.argsort(-np.bincount(T.indices, minlength=T.shape[1]), kind="stable")
    taken = np.sort(order[:MOST_TRAITS])
    some = sparse.csr_array(T[:, taken]).astype(np.float64)
    gram = (some.T @ some).toarray() + TRAITS_PULL * np.eye(len(taken))
    A = np.zeros((T.shape[1], X.shape[1]), np.float32)
    A[taken] = np.linalg.solve(gram, some.T @ X)
    bounds = np.cumsum([known.shape[1] for known in types.values()])[:-1]
    return dict(zip(types, np.split(A, bounds), strict=True))
