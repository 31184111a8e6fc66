"""`SlateDQN`: deep Q-learning on slates, with a head on item vectors.

V. Mnih et al., "Human-level control through deep reinforcement learning", 2015, doi:10.1038/nature14236; H. van
Hasselt et al., 2016, arXiv:1509.06461 (double); Z. Wang et al., 2016, arXiv:1511.06581 (dueling); E. Ie et al.,
"SlateQ", 2019, arXiv:1905.12767 (slates). A slate is worth, by `choice`,

    sum   Q(s, A) = V(s) + 1/slots Σ_j a(s, i_j | slots above),   a = β σ(logit P(click)) + a score of its own
    one   Q(s, A) = Σ_i P(i | s, A) q(s, i),   P(i | s, A) = v_i / (1 + Σ v),   v = P(click) / (1 - P(click))

P(click) is that of the model of clicks as it was fitted, with the bias of the slot and what stands above it. `sum` is
composed greedily from the top, `one` by SlateQ's exact optimum. Targets are n-step, with the slate of the
current network valued by the target network. Deviations:
1. Dueling subtracts the mean of all items' own scores in the first slot.
2. `sum` takes the place of SlateQ's choice of one item where many may be clicked, and what is shown, not only what is
   clicked, moves the state.
3. Exploring replaces single slots by random items, not whole slates.
4. Rewards are divided by the spread of the probe's; the best weights by the mean return of recent sessions are kept.
5. Beside a model of clicks, for one reward, the score of its own is in units of what clicks tell of items, and doubted:
   its variance over items costs `hold` / steps in the loss, the ridge of a prior at 0 whatever the number of steps.
   Else 300 updates find items that are good by mistake among 1,000 (docs/lab/LOG.md).
6. Where a slate is still to be found, all slots have the mean bias, and in `one` nothing stands above them.
7. `one` moves q of the items that were clicked by their mean, where several were; where no clicks can be read, of all
   that were shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from paretail.core.rng import rng_for
from paretail.learn.step import step as descend
from paretail.policy.agents.base import FEW_LR, RECENT, Agent
from paretail.policy.agents.config import AgentConfig, DQNConfig
from paretail.policy.agents.dealt import Way
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.items import SMALL, Items
from paretail.policy.agents.losses import n_step, slate_q, td_loss
from paretail.policy.agents.memory import State
from paretail.policy.agents.networks import Eyes, Response, Scorer, Seen, Valuer
from paretail.policy.agents.policies import Scale, gumbel
from paretail.policy.agents.replay import Batch, Replay
from paretail.policy.agents.sessions import Round, Rows, tensors
from paretail.policy.agents.slates import composed, exact_slate
from paretail.policy.agents.trials import Start, greedy, merged

#: Optimiser steps of a round, by how many items there are: with many a step costs more, and says more.
FEW_ITEMS, MANY_ITEMS = 64, 16
#: Steps of the sessions by whose mean return the best weights are known.
_BEST_STEPS = 4000
_WARM_TARGET = 50


class Q(nn.Module):
    """Value of a state, in units of `worth`, and advantages of items, in units of what clicks tell of them."""

    worth: Tensor
    unit: Tensor

    def __init__(self, items: Items, eyes: Eyes, config: AgentConfig, dueling: bool) -> None:
        super().__init__()
        self.scorer, self.value = Scorer(items, eyes, config), Valuer(items, eyes, config)
        self.beta = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("worth", torch.tensor(1.0))
        self.register_buffer("unit", torch.tensor(1.0))
        self.dueling = dueling

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        state_dict.setdefault(f"{prefix}unit", torch.tensor(1.0))  # agents of before it have none
        super()._load_from_state_dict(state_dict, prefix, *more)


class Bound:
    """Q with a model of clicks, as one scoring of items."""

    def __init__(self, q: Q, response: Response, clicks: Scorer | None) -> None:
        self.q, self.response = q, response
        self.bias, self.usual, self.unit = response.bias.detach(), response.bias.mean().item(), q.unit.item()
        self.scorers: Sequence[Scorer] = [q.scorer, *([] if clicks is None else [clicks])]

    def mix(self, parts: Sequence[Any]) -> Any:
        """Return the advantages from the scores of Q's own scorer and of the model of clicks."""
        if len(parts) == 1:
            return parts[0]
        logit = parts[1] + self.usual
        p_click = logit.sigmoid() if isinstance(logit, Tensor) else expit(logit)
        return self.unit * parts[0] + self.q.beta.item() * p_click

    def value(self, seen: Seen, rows: Tensor) -> Tensor:
        """Return Q of slates."""
        scorer = self.q.scorer
        known = scorer.prepared(seen)
        mine = self.unit * scorer.at(known, rows)
        for clicks in self.scorers[1:]:
            with torch.no_grad():
                p_click = (clicks.at(clicks.prepared(seen), rows) + self.bias).sigmoid()
            mine = mine + self.q.beta * p_click
        value: Tensor = self.q.worth * self.q.value(seen) + mine.mean(1)
        return value - self.unit * scorer.first(known).mean(1) if self.q.dueling else value


class SlateDQN(Agent):
    """Deep Q-learning on slates."""

    name: ClassVar[str] = "dqn"
    Config: ClassVar[type[AgentConfig]] = DQNConfig
    config: DQNConfig
    forgotten: ClassVar[tuple[str, ...]] = (*Agent.forgotten, "replay", "best", "_best")

    def _build(self) -> nn.ModuleDict:
        self.target = Q(self.items, self.eyes, self._kept, self.config.dueling)
        networks = nn.ModuleDict({"q": Q(self.items, self.eyes, self._kept, self.config.dueling)})
        self.target.load_state_dict(networks["q"].state_dict())
        self.replay = Replay(self.config.replay)
        self.reward_scale, self.best = 1.0, -np.inf
        self._clicks: Scorer | None = None
        self._best: dict[str, Tensor] = {}
        return networks

    @property
    def round_steps(self) -> int:
        """Return the steps of all lanes together between two updates."""
        return self.config.round_steps

    @property
    def weight_decay(self) -> float:
        """Return the weight decay of layers."""
        return self.config.decay if len(self.vectors) > SMALL else 0.0

    def _bound(self, q: nn.Module) -> Bound:
        assert isinstance(q, Q)
        if self._clicks is None and self.reading is not None:
            self._clicks = merged(self.response.scorer, self.start)
        return Bound(q, self.response, self._clicks)

    def _choose(self, state: State, rng: np.random.Generator, explore: bool) -> tuple[Rows, NDArray[np.float64]]:
        if self.config.choice == "sum" or self.way:
            noise = self._noise(len(state["obs"]), rng) if explore else None
            rows, _ = self.hands.composed(state, self.slots, noise)
        else:
            with torch.no_grad():
                rows = self._best_slates(self.networks["q"], self.eyes(tensors(state))).numpy()
        if explore:
            at_random = rng.random(rows.shape) < self._exploring()
            rows = _mixed(rows, at_random, len(self.vectors), rng)
        return rows, np.zeros(rows.shape)

    def _ways(self) -> list[Way]:
        """Return what Q says and, of an agent without goals, what learning began with: that is one for all of them."""
        ways: list[Way] = [lambda state: self._choose(state, self._rng, False)[0]]
        return ways if self.config.goals else [*ways, greedy(self, self.start)]

    def _noise(self, lanes: int, rng: np.random.Generator) -> NDArray[np.float32] | None:
        """Return noise by which plausible items change places, where a model of clicks says what is plausible."""
        if self.reading is None or not self.config.noise:
            return None
        liked = self.config.noise * min(0.8, 4 * self.usual) * self.slots / self.reward_scale
        return np.float32(liked) * gumbel(rng, lanes, self.slots, len(self.vectors))

    def _hands(self) -> Hands:
        self._clicks = None  # the model of clicks has moved
        bound = self._bound(self.networks["q"])
        if self.way:
            return Hands(self.items, self.eyes, bound.scorers[1:], lambda parts: parts[0])
        return Hands(self.items, self.eyes, bound.scorers, bound.mix)

    def _best_slates(self, q: nn.Module, seen: Seen) -> Tensor:
        bound = self._bound(q)
        if self.config.choice == "sum":
            return composed(bound, seen, self.slots)[0]
        v, items, none = self._choices(bound, seen)
        return exact_slate(v, items, self.slots, torch.ones(len(v)), none)

    def _choices(self, bound: Bound, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
        """Return, of SlateQ, `v` by the mean bias and `q`, both `[batch, items]`, and the value of choosing nothing."""
        q = bound.q.scorer
        none = bound.q.value(seen)
        items = none[:, None] + q.first(q.prepared(seen))
        with torch.no_grad():
            clicks = bound.response.scorer
            v = _odds(clicks.first(clicks.prepared(seen)) + bound.usual)
        return v, items, none

    def _begin(self, start: Start, played: Sequence[Round]) -> None:
        super()._begin(start, played)
        self._clicks = None
        if not played:
            return
        reward = np.concatenate([one.reward[one.valid] for one in played])
        self.reward_scale = float(max(np.abs(reward).mean(), reward.std(), 1e-6))
        scale, q = Scale(), self.networks["q"]
        assert isinstance(q, Q)
        with torch.no_grad():
            q.beta.fill_(self.slots / self.reward_scale)
            if self.reading is not None:
                spread = [scale.take(one, self.config.discount) for one in played][-1]
                q.worth.fill_(max(1.0, spread / self.reward_scale))
        if self._doubts:
            q.unit.fill_(self._apart(played[-1]))
        if self.reading is not None and all(one.clicks is not None for one in played):
            self._warm(played, rng_for("agents/warm", len(played)))

    @property
    def _doubts(self) -> bool:
        """Whether clicks tell most of what slates bring: not of several goals, nor without a model of clicks."""
        return self.reading is not None and not self.config.goals and self.config.choice == "sum"

    @torch.no_grad()
    def _apart(self, played: Round) -> float:
        """Return by how much what clicks bring at once differs from item to item: a unit of which steps of any learning
        rate leave the order of items as it is, until many of them agree."""
        bound = self._bound(self.networks["q"])
        clicks, seen = bound.scorers[1], self.eyes(tensors(played.states, slice(0, 256)))
        p_click = (clicks.first(clicks.prepared(seen)) + bound.usual).sigmoid()
        return max(float((bound.q.beta * p_click).std(1).mean()), 1e-6)

    def _warm(self, played: Sequence[Round], rng: np.random.Generator) -> None:
        """Take up what was played, and let values alone learn first: until they are about right, whatever is shown
        seems better than what is not."""
        for one in played:
            self._remember(one)
        self.target.load_state_dict(self.networks["q"].state_dict())
        q = self.networks["q"]
        assert isinstance(q, Q)
        optimiser = torch.optim.Adam(q.value.parameters(), lr=FEW_LR)
        for count in range(self.config.warm if self.replay.size else 0):
            batch = self.replay.draw(self.config.batch_size, rng)
            descend(self._loss(batch), q.value.parameters(), optimiser, clip=10.0)
            if count % _WARM_TARGET == 0:
                self.target.load_state_dict(q.state_dict())
        self.optimiser.zero_grad()

    def _exploring(self) -> float:
        """Return the share of slots that are drawn at random: falls over the first part of the steps asked for."""
        first, steps = self._horizon
        done = (self.steps - first if first else self.steps) / max(1.0, self.config.explore_share * steps)
        start = 1.0 if not first else self.config.explore
        start = min(start, 0.2) if self.reading is not None else start
        return max(self.config.explore, start * (1 - done))

    def _update(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        if not self.replay.size:
            self.target.load_state_dict(self.networks["q"].state_dict())
        self._remember(played)
        self._keep_best(played)
        losses = []
        for _ in range(self.config.updates or (FEW_ITEMS if len(self.vectors) <= SMALL else MANY_ITEMS)):
            batch = self.replay.draw(self.config.batch_size, rng)
            losses.append(descend(self._loss(batch), self.networks.parameters(), self.optimiser, clip=10.0)["loss"])
        if self.rounds % self.config.target_rounds == 0:
            self.target.load_state_dict(self.networks["q"].state_dict())
        return {"td": float(np.mean(losses)), "exploring": self._exploring(), **self._scales(batch)}

    @torch.no_grad()
    def _scales(self, batch: Batch) -> dict[str, float]:
        """Return the unit of rewards, and the mean value of some states in the environment's own."""
        q = self.networks["q"]
        assert isinstance(q, Q)
        value = float((q.worth * q.value(self.eyes(tensors(batch.states)))).mean())
        return {"scale": self.reward_scale, "value": self.reward_scale * value}

    def _remember(self, played: Round) -> None:
        discount = np.where(played.terminated, 0.0, self.config.discount)
        reward, left, used = n_step(played.reward / self.reward_scale, discount, played.chain, self.config.n_step)
        self.replay.add(played, reward, left, used)

    def _loss(self, batch: Batch) -> Tensor:
        seen, then = self.eyes(tensors(batch.states)), self.eyes(tensors(batch.next_states))
        slate, clicks = torch.from_numpy(batch.rows), batch.clicks
        r_t, discount_t = torch.from_numpy(batch.reward), torch.from_numpy(batch.discount)
        with torch.no_grad():
            chooser = self.networks["q"] if self.config.double else self.target
            v_t = self._slate_value(self.target, then, self._best_slates(chooser, then))
        if self.config.choice == "sum":
            bound = self._bound(self.networks["q"])
            return self._error(bound.value(seen, slate), r_t, discount_t, v_t) + self._doubt(bound, seen)
        _, items, none = self._choices(self._bound(self.networks["q"]), seen)
        done = torch.from_numpy(clicks if self.reading is not None else np.ones_like(clicks))
        chosen = items.gather(1, slate)
        q_tm1 = torch.where(done.sum(1) > 0, (done * chosen).sum(1) / done.sum(1).clamp(min=1), none)
        return self._error(q_tm1, r_t, discount_t, v_t)

    def _doubt(self, bound: Bound, seen: Seen) -> Tensor:
        """Return what it costs that Q differs from the model of clicks and the start, in the unit of the loss.

        Nothing where the unit is one: it was taken from no clicks, by an agent of before or one that began with none.
        """
        if not self._doubts or bound.unit == 1:
            return torch.zeros(())
        own = bound.unit * bound.q.scorer.first(bound.q.scorer.prepared(seen)) / self.target.worth
        return self.config.hold / max(1, self.steps) * own.var(1).mean()

    def _error(self, q_tm1: Tensor, r_t: Tensor, discount_t: Tensor, v_t: Tensor) -> Tensor:
        worth = self.target.worth
        return td_loss(q_tm1 / worth, r_t / worth, discount_t, v_t / worth)

    def _slate_value(self, q: nn.Module, seen: Seen, rows: Tensor) -> Tensor:
        bound = self._bound(q)
        if self.config.choice == "sum":
            return bound.value(seen, rows)
        _, items, none = self._choices(bound, seen)
        clicks = bound.response.scorer
        v = _odds(clicks.at(clicks.prepared(seen), rows) + bound.bias)
        return slate_q(v, items.gather(1, rows), torch.ones(len(v)), none)

    def _keep_best(self, played: Round) -> None:
        """Keep the weights whose recent sessions went best, once exploring is low."""
        length = played.valid.sum() / max(1, len(played.returns))
        enough = int(np.clip(_BEST_STEPS / length, 20, RECENT))
        recent = (self.recent + played.returns)[-enough:]
        if len(recent) == enough and self._exploring() <= 2 * self.config.explore and np.mean(recent) >= self.best:
            self.best = float(np.mean(recent))
            self._best = {name: value.clone() for name, value in self.networks.state_dict().items()}

    def _anew(self) -> None:
        super()._anew()
        self.best, self._best = -np.inf, {}
        self.replay = Replay(self.config.replay)  # what paid elsewhere would be learned for as long as it is drawn

    def _settle(self) -> None:
        if self._best:
            self.networks.load_state_dict(self._best)

    def extra(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the replay, the target network and the best weights."""
        arrays = {f"replay/{name}": value for name, value in self.replay.arrays().items()}
        arrays |= {f"target/{name}": value.numpy() for name, value in self.target.state_dict().items()}
        arrays |= {f"best/{name}": value.numpy() for name, value in self._best.items()}
        best = self.best if np.isfinite(self.best) else None
        return arrays, {"scale": self.reward_scale, "best": best, "replay": [self.replay.size, self.replay.next]}

    def take(self, arrays: Mapping[str, NDArray[np.generic]], values: Mapping[str, Any]) -> None:
        """Take up what `extra` gave."""
        parts: dict[str, dict[str, NDArray[np.generic]]] = {"replay": {}, "target": {}, "best": {}}
        for name, value in arrays.items():
            part, key = name.split("/", 1)
            parts[part][key] = value
        self.replay.take(parts["replay"], *values["replay"])
        self.target.load_state_dict({name: torch.from_numpy(value) for name, value in parts["target"].items()})
        self._best = {name: torch.from_numpy(value) for name, value in parts["best"].items()}
        self.reward_scale, self.best = values["scale"], -np.inf if values["best"] is None else values["best"]


def _odds(logits: Tensor) -> Tensor:
    return logits.clamp(-10, 10).exp()


def _mixed(rows: Rows, at_random: NDArray[np.bool_], items: int, rng: np.random.Generator) -> Rows:
    """Return the slates with random items, none of them twice, where `at_random` says so."""
    rows = rows.copy()
    for lane, slot in zip(*np.nonzero(at_random), strict=True):
        drawn = int(rng.integers(items))
        if drawn not in rows[lane]:
            rows[lane, slot] = drawn
    return rows
