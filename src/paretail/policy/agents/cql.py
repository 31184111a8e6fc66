"""`SlateCQL`: conservative Q-learning of slates from logs.

A. Kumar, A. Zhou, G. Tucker, S. Levine, "Conservative Q-Learning for Offline Reinforcement Learning", 2020,
arXiv:2006.04779, CQL(H) for discrete actions:

    min  TD(q(s, A), r + γ q⁻(s', argmax q))  +  α mean_j [log Σ_i exp a_j(i) - a_j(i_j)]

Deviations: 1. The conservative term is one of each slot given those above, since a slate's value is the sum of its
slots' advantages. 2. Double Q-learning and Huber's loss, as in `dqn.py`. 3. Rewards of three steps are summed before a
value is believed (`n_step`), uncorrected for the log's policy: the paper has one step. What is learned leans to what
the log did after the slate, which CQL keeps close to anyway.
"""

from typing import ClassVar

import torch
from pydantic import Field

from paretail.learn.step import Losses
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.offline import Batch, OfflineAgent, OfflineConfig
from paretail.policy.agents.offline_losses import conservative


class CQLConfig(OfflineConfig):
    """Settings of `SlateCQL`."""

    n_step: int = Field(3, ge=1, description="Rewards that are summed before a value is believed.")
    alpha: float = Field(0.05, ge=0, description="What being conservative counts beside the temporal difference.")


class SlateCQL(OfflineAgent):
    """Conservative Q-learning."""

    name: ClassVar[str] = "cql"
    Config: ClassVar[type[AgentConfig]] = CQLConfig
    config: CQLConfig

    def _losses(self, batch: Batch) -> Losses:
        with torch.no_grad():
            v_t = self.q_target.value(batch.then, self.best(batch.then))
        cautious = conservative(self.advantages(self.q, batch), batch.rows)
        return Losses({"td": self.td(batch, v_t), "cautious": self.config.alpha * cautious})
