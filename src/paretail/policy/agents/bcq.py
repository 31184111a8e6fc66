"""`SlateBCQ`: Q-learning from logs over what the logging policy might have shown.

S. Fujimoto, E. Conti, M. Ghavamzadeh, J. Pineau, "Benchmarking Batch Deep Reinforcement Learning Algorithms", 2019,
arXiv:1910.01708 (discrete BCQ):

    slots take   argmax_i a_j(i)   over items with   G_j(i) / max G_j > τ,   G a clone of the logging policy

Deviations: 1. G is a Plackett-Luce policy over item vectors: what is like the shown may be shown. 2. Where slots above
took all such items, the next likeliest follow: an item under the threshold pays for each nat that it lacks. 3. Rewards
of three steps are summed before a value is believed (`n_step`), uncorrected for the log's policy: the paper has one.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from paretail.learn.step import Losses
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.offline import Batch, OfflineAgent, OfflineConfig
from paretail.policy.agents.offline_losses import cloned, unlikely
from paretail.policy.agents.policies import Bound as Drawn
from paretail.policy.agents.policies import Policy
from paretail.policy.agents.slates import free, log_prob
from paretail.policy.agents.stays import Known

#: What a nat under the threshold costs: more than any advantage.
_PRICE: Final = 1e4


class BCQConfig(OfflineConfig):
    """Settings of `SlateBCQ`."""

    n_step: int = Field(3, ge=1, description="Rewards that are summed before a value is believed.")
    threshold: float = Field(
        0.03, gt=0, lt=1, description="Items less likely than this share of the likeliest are not shown."
    )
    sharpness: float = Field(1.0, gt=0, description="What a logit of the model of clicks counts in the first clone.")


class Restricted:
    """Q over the items that the clone finds likely enough."""

    def __init__(self, q: Known, clone: Drawn, threshold: float) -> None:
        self.q, self.clone, self.threshold = q, clone, threshold
        self.scorers = [*q.scorers, *clone.scorers]

    def mix(self, parts: Sequence[Any]) -> Any:
        """Return the advantages, far below all others where an item is too unlikely."""
        mine = len(self.q.scorers)
        value, likely = self.q.mix(parts[:mine]), self.clone.mix(parts[mine:])
        if isinstance(likely, Tensor):
            return value - _PRICE * unlikely(likely, self.threshold)
        return value - _PRICE * np.maximum(np.log(self.threshold) + likely.max() - likely, 0)


class SlateBCQ(OfflineAgent):
    """Batch-constrained Q-learning."""

    name: ClassVar[str] = "bcq"
    Config: ClassVar[type[AgentConfig]] = BCQConfig
    config: BCQConfig

    def _beside(self) -> dict[str, nn.Module]:
        return {"clone": Policy(self.items, self.eyes, self._kept, self.config.sharpness)}

    @property
    def clone(self) -> Drawn:
        """The clone of the logging policy."""
        clone = self.networks["clone"]
        assert isinstance(clone, Policy)
        clone.trusts = self.reading is not None
        return clone.bind(self.response)

    def _acts(self) -> Restricted:
        return Restricted(self.q, self.clone, self.config.threshold)

    def _losses(self, batch: Batch) -> Losses:
        with torch.no_grad():
            v_t = self.q_target.value(batch.then, self.best(batch.then))
        scores = free(self.clone.slates(batch.seen, batch.rows), batch.rows)
        return Losses({"td": self.td(batch, v_t), "clone": cloned(log_prob(scores, batch.rows))})
