"""`SlateReinforce`: the plain policy gradient with a baseline, as a reference for the others.

R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", 1992,
doi:10.1007/BF00992696: one step up the gradient of E[log π(slate | s) (R - V(s))] after each round. Deviations: 1. R
ends at the round's end with the baseline's value. 2. Advantages are scaled to unit variance, rewards as in `ppo.py`.
"""

from typing import ClassVar

import numpy as np
import torch

from paretail.learn.step import Losses
from paretail.learn.step import step as descend
from paretail.policy.agents.config import AgentConfig, ReinforceConfig
from paretail.policy.agents.losses import reinforce_loss
from paretail.policy.agents.ppo import PolicyAgent
from paretail.policy.agents.sessions import Round, tensors
from paretail.policy.agents.slates import entropy, free, log_prob


class SlateReinforce(PolicyAgent):
    """The plain policy gradient on slates."""

    name: ClassVar[str] = "reinforce"
    Config: ClassVar[type[AgentConfig]] = ReinforceConfig
    config: ReinforceConfig

    def _update(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        advantage, returns, scale = self._advantages(played, 1.0)
        part = np.flatnonzero(played.valid.ravel())
        scaled = (advantage.ravel()[part] - advantage.ravel()[part].mean()) / (advantage.ravel()[part].std() + 1e-8)
        seen = self.eyes(tensors(played.states, part))
        rows = torch.from_numpy(played.rows.reshape(-1, self.slots)[part])
        scores = free(self.bound.slates(seen, rows), rows)
        log_p = log_prob(scores, rows).sum(1)
        policy = reinforce_loss(log_p, torch.from_numpy(scaled.astype(np.float32)))
        target = torch.from_numpy(returns.ravel()[part].astype(np.float32))
        value = (self.networks["value"](seen) - target).square().mean()
        bonus = -self.config.entropy * entropy(scores).mean()
        losses = Losses({"policy": policy, "value": self.config.value * value, "entropy": bonus})
        told = descend(losses, self.networks.parameters(), self.optimiser, clip=self.config.clip)
        figures = {name: told[name] for name in ("loss/policy", "loss/value")}
        return figures | {"scale": scale, "value": scale * float((returns - advantage).ravel()[part].mean())}
