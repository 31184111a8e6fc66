"""`SlateIQL`: implicit Q-learning from logs; no slate is ever valued that the log does not hold.

I. Kostrikov, A. Nair, S. Levine, "Offline Reinforcement Learning with Implicit Q-Learning", 2022, arXiv:2110.06169:

    min  TD(q(s, A), r + γ v(s'))  +  |τ - 1[q⁻(s, A) < v(s)]| (q⁻(s, A) - v(s))²

Deviations: 1. Slates are filled greedily by the advantages that q sums over slots. The paper's policy, a clone of the
log weighted by advantages, ended below the logging policy (5.8 of 6.0, docs/lab/LOG.md): nearly all that a log holds is
what its policy shows anyway. 2. Huber's loss, as in `dqn.py`.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from paretail.data.sessions import SessionLog
from paretail.learn.step import Losses
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.networks import Valuer
from paretail.policy.agents.offline import Batch, OfflineAgent, OfflineConfig
from paretail.policy.agents.offline_losses import expectile
from paretail.policy.agents.sessions import Round


class IQLConfig(OfflineConfig):
    """Settings of `SlateIQL`."""

    expectile: float = Field(0.7, gt=0, lt=1, description="τ: how far above the log's mean values are meant.")


class SlateIQL(OfflineAgent):
    """Implicit Q-learning."""

    name: ClassVar[str] = "iql"
    Config: ClassVar[type[AgentConfig]] = IQLConfig
    config: IQLConfig

    def _beside(self) -> dict[str, nn.Module]:
        return {"value": Valuer(self.items, self.eyes, self._kept)}

    def _meet(self, log: SessionLog, played: Round) -> None:
        super()._meet(log, played)
        with torch.no_grad():
            self.networks["value"].value[-1].bias.fill_(log.returns.mean() / self.reward_scale / 2)  # type: ignore[union-attr,index]  # of Valuer; about half is to come

    def _losses(self, batch: Batch) -> Losses:
        value = self.networks["value"]
        with torch.no_grad():
            v_t, q_tm1 = value(batch.then), self.q_target.value(batch.seen, batch.rows)
        loss = expectile(q_tm1, value(batch.seen), self.config.expectile)
        return Losses({"td": self.td(batch, v_t), "expectile": loss})
