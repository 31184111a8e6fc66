"""`SlatePPO`: proximal policy optimisation of a Plackett-Luce policy over slates.

J. Schulman et al., "Proximal Policy Optimization Algorithms", 2017, arXiv:1707.06347:

    max_θ E[min(ρ A, clip(ρ, 1 ± ε) A)] - value·(V - R)² + entropy·H,   ρ = π_θ(slate | s) / π_then(slate | s)

A are generalised advantages, scaled to unit variance over the round. Deviations:
1. Rewards are divided by the running spread of discounted returns; values are not clipped.
2. ρ and A are those of each slot: what other slots brought at once counts `others` in A, where clicks can be read (the
   reward of a step is shared by the slots clicked). A round's epochs end where ρ - 1 - log ρ passes `target_kl`.
3. The entropy bonus counts the mean over slots, so that it means the same for every slate size.
4. The score holds the model of clicks (`policies.py`), which learns beside the policy, between rounds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paretail.learn.step import Losses
from paretail.learn.step import step as descend
from paretail.policy.agents.base import Agent
from paretail.policy.agents.config import AgentConfig, PPOConfig
from paretail.policy.agents.dealt import Way
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.items import SMALL
from paretail.policy.agents.losses import gae, ratio_loss
from paretail.policy.agents.memory import State
from paretail.policy.agents.networks import Valuer
from paretail.policy.agents.policies import Bound, Policy, Scale, gumbel
from paretail.policy.agents.sessions import Round, Rows, tensors
from paretail.policy.agents.slates import entropy, free, log_prob
from paretail.policy.agents.trials import Start, begin, greedy, merged

#: Temperatures at which a policy may act when learning has ended: what cannot be seen may ask for chance. The number
#: after theirs is that of the policy that learning began with, with the model of clicks of now.
TEMPERS = (0.0, 0.5, 1.0)
#: Newest sessions of learning that count for the temperature 1.
_KNOWN = 30
#: Passes over a round, by how many items there are.
FEW_EPOCHS, MANY_EPOCHS = 8, 4


class PolicyAgent(Agent):
    """An agent whose slates are drawn by a Plackett-Luce policy, with a value of states beside it."""

    config: Any

    def _build(self) -> nn.ModuleDict:
        self.scale = Scale()
        self._drawing: tuple[Hands, Hands] | None = None
        policy = Policy(self.items, self.eyes, self._kept, self.config.sharpness)
        return nn.ModuleDict({"policy": policy, "value": Valuer(self.items, self.eyes, self._kept, self.slots)})

    @property
    def round_steps(self) -> int:
        """Return the steps of all lanes together between two updates."""
        return int(self.config.round_steps)

    @property
    def tempers(self) -> tuple[float, ...]:
        """Temperatures at which the agent may act when learning has ended."""
        return TEMPERS[:1] if self.config.greedy else TEMPERS

    @property
    def bound(self) -> Bound:
        """The policy with its model of clicks."""
        policy = self.networks["policy"]
        assert isinstance(policy, Policy)
        policy.trusts = self.reading is not None
        return policy.bind(self.response)

    def _choose(self, state: State, rng: np.random.Generator, explore: bool) -> tuple[Rows, NDArray[np.float64]]:
        if self.way == len(self.tempers) and not explore:
            return self.hands.composed(state, self.slots, None)
        return self._drawn(state, rng, 1.0 if explore else self.tempers[self.way])

    def _drawn(self, state: State, rng: np.random.Generator, temper: float) -> tuple[Rows, NDArray[np.float64]]:
        """Return draws from the policy at a temperature; at 0 the best."""
        noise = gumbel(rng, len(state["obs"]), self.slots, len(self.vectors)) * np.float32(temper) if temper else None
        return self._policy_hands().composed(state, self.slots, noise)

    def _ways(self) -> list[Way]:
        def at(temper: float) -> Way:
            return lambda state: self._drawn(state, self._rng, temper)[0]

        drawn = [at(temper) for temper in self.tempers]  # the start is one for all goals
        return drawn if self.config.goals else [*drawn, greedy(self, self.start)]

    def _known(self) -> dict[int, list[float]]:
        return {self.tempers.index(1.0): self.recent[-_KNOWN:]} if 1.0 in self.tempers else {}

    def _hands(self) -> Hands:
        if self.way == len(self.tempers):
            begun = merged(self.response.scorer, self.start)
            return Hands(self.items, self.eyes, [begun], lambda parts: parts[0])
        return self._of_policy()

    def _policy_hands(self) -> Hands:
        """Return what fills slates by the policy, whatever the way to act: exploring noise is in the policy's units."""
        if self.way < len(self.tempers):
            return self.hands
        if self._drawing is None or self._drawing[0] is not self.hands:  # weights have changed since
            self._drawing = self.hands, self._of_policy()
        return self._drawing[1]

    def _of_policy(self) -> Hands:
        bound = self.bound
        return Hands(self.items, self.eyes, bound.scorers, bound.mix)

    def _begin(self, start: Start, played: Sequence[Round]) -> None:
        super()._begin(start, played)
        policy = self.networks["policy"]
        assert isinstance(policy, Policy)
        begin(policy.scorer, start, self.config.sharpness)

    def _advantages(self, played: Round, lam: float) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return advantages and returns, in units of the scale, and the scale."""
        scale = self.scale.take(played, self.config.discount)
        value = self._values(played.states)[:, 0]
        v_tm1 = value[: played.reward.size].reshape(played.reward.shape)
        discount = np.where(played.terminated, 0.0, self.config.discount)
        found = gae(played.reward / scale, discount, v_tm1, value[played.next_at], played.chain, lam)
        return found, found + v_tm1, scale

    @property
    def _valuer(self) -> Valuer:
        value = self.networks["value"]
        assert isinstance(value, Valuer)
        return value

    def _values(self, states: State) -> NDArray[np.float64]:
        value, count = self._valuer, len(states["obs"])
        with torch.no_grad():
            parts = [value.by_slot(self.eyes(tensors(states, slice(at, at + 2048)))) for at in range(0, count, 2048)]
        return torch.cat(parts).double().numpy()

    def extra(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the scale of rewards."""
        return {}, {"scale": [self.scale.count, self.scale.mean, self.scale.squares]}

    def take(self, arrays: Mapping[str, NDArray[np.generic]], values: Mapping[str, Any]) -> None:
        """Take up the scale of rewards."""
        self.scale.count, self.scale.mean, self.scale.squares = values["scale"]


class SlatePPO(PolicyAgent):
    """Proximal policy optimisation on slates."""

    name: ClassVar[str] = "ppo"
    Config: ClassVar[type[AgentConfig]] = PPOConfig
    config: PPOConfig

    def _update(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        advantage, returns, scale = self._advantages(played, self.config.gae)
        which = np.flatnonzero(played.valid.ravel())
        brought = self._brought(played) / scale
        by_slot = self._by_slot(played, advantage, brought)
        by_slot = (by_slot - by_slot[which].mean()) / (by_slot[which].std() + 1e-8)
        targets = np.concatenate([returns.reshape(-1, 1), brought], 1)
        told: list[dict[str, float]] = []
        for _ in range(self.config.epochs or (FEW_EPOCHS if len(self.vectors) <= SMALL else MANY_EPOCHS)):
            order, kl = rng.permutation(which), []
            for part in np.array_split(order, max(1, round(len(order) / self.config.batch_size))):
                losses, moved = self._losses(played, part, by_slot, targets)
                kl.append(moved)
                told.append(descend(losses, self.networks.parameters(), self.optimiser, clip=self.config.clip))
            if np.mean(kl) > self.config.target_kl:
                break
        figures = {name: float(np.mean([one[name] for one in told])) for name in ("loss/policy", "loss/value")}
        figures |= {"entropy": -float(np.mean([one["loss/entropy"] for one in told])) / max(self.config.entropy, 1e-12)}
        value = scale * float((returns - advantage).ravel()[which].mean())
        return figures | {"kl": float(np.mean(kl)), "scale": scale, "value": value, "steps": len(told)}

    def _brought(self, played: Round) -> NDArray[np.float64]:
        """Return `[steps · lanes, slots]`: the reward, shared by the slots that were clicked, or by all."""
        reward = played.reward.reshape(-1, 1)
        if played.clicks is None:
            return np.repeat(reward / self.slots, self.slots, 1)
        clicks = played.clicks.reshape(-1, self.slots).astype(np.float64)
        count = clicks.sum(1, keepdims=True)
        share: NDArray[np.float64] = np.where(count > 0, clicks / np.maximum(count, 1), 1 / self.slots)
        return np.asarray(reward * share)

    def _by_slot(
        self, played: Round, advantage: NDArray[np.float64], brought: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return `[steps · lanes, slots]`: advantages in which what other slots brought at once counts `others`."""
        if played.clicks is None:
            return np.repeat(advantage.reshape(-1, 1), self.slots, 1)
        own = brought - self._values(played.states)[: len(brought), 1:]
        rest = (1 - self.config.others) * own.sum(1, keepdims=True)
        found: NDArray[np.float64] = advantage.reshape(-1, 1) - rest + (1 - self.config.others) * own
        return found

    def _losses(self, played: Round, part: NDArray[np.int64], advantage: NDArray[np.float64],
                targets: NDArray[np.float64]) -> tuple[Losses, float]:  # fmt: skip
        seen = self.eyes(tensors(played.states, part))
        rows = torch.from_numpy(played.rows.reshape(-1, self.slots)[part])
        scores = free(self.bound.slates(seen, rows), rows)
        log_p = log_prob(scores, rows).ravel()
        then = _float(played.log_p.reshape(-1, self.slots)[part]).ravel()
        with torch.no_grad():
            moved = float(((log_p - then).exp() - 1 - (log_p - then)).mean())
        policy = ratio_loss(log_p, then, _float(advantage[part]).ravel(), self.config.ratio_clip)
        error = (self._valuer.by_slot(seen) - _float(targets[part])).square()
        value = error[:, 0].mean() + error[:, 1:].mean()
        bonus = -self.config.entropy * entropy(scores).mean()
        return Losses({"policy": policy, "value": self.config.value * value, "entropy": bonus}), moved


def _float(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
