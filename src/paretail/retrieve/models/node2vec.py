"""node2vec: DeepWalk with walks that may prefer to turn back, to stay near, or to go far.

A step from v goes to x with probability in proportion to w(v, x) α, where t is the node before v and α = 1/p if x = t,
1 if x is a neighbour of t, 1/q otherwise (`graph/walks.py`).

A. Grover, J. Leskovec, "node2vec: scalable feature learning for networks", KDD 2016, arXiv:1607.00653. Deviations:
those of `deepwalk`. In a graph of users and items alone no neighbour of t is one of v: only p / q matters there.
"""

from typing import Any, ClassVar

from pydantic import Field

from paretail.core.config import Config
from paretail.retrieve.models.deepwalk import DeepWalk, DeepWalkConfig


class Node2VecConfig(DeepWalkConfig):
    """Settings of `node2vec`."""

    p: float = Field(4.0, ge=0.01, le=100, description="Above 1 walks seldom turn back, below 1 often.")
    q: float = Field(
        1.0, ge=0.01, le=100, description="Above 1 walks stay near where they came from, below 1 they go far."
    )

    @property
    def bias(self) -> tuple[float, float]:
        """The walks' p and q."""
        return self.p, self.q


class Node2Vec(DeepWalk):
    """Vectors of walks with a memory of one step."""

    name: ClassVar[str] = "node2vec"
    config_type: ClassVar[type[Config]] = Node2VecConfig
    steps: ClassVar[tuple[dict[str, Any], ...]] = (
        {"p": 0.25}, {"window": 2}, {"edges": "all"}, {"q": 0.25}, {"walks": 20}, {"q": 4.0}, {"dim": 32},
        {"negatives": 10}, {"window": 5}, {"dim": 128},
    )  # fmt: skip
