"""What agents that learn from logs have in common: sessions replayed, a model of clicks fitted, Q by minibatches.

    agent = SlateCQL(observation_space, item_vectors, slate_size=10)
    agent.learn(log, steps=1000)          # a SessionLog in place of an environment; steps are optimiser steps
    agent.act(observation)

Q stands on a model of users that is fitted to the same log first (`stays.py`); acting fills slates greedily. Nothing
is played, and no propensity is needed. `cql.py`, `bcq.py`, `iql.py` say how each keeps to what the log can tell.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from paretail.core.errors import Problem
from paretail.core.rng import rng_for
from paretail.data.sessions import SessionLog
from paretail.learn.step import Losses
from paretail.learn.step import step as descend
from paretail.policy.agents import AgentError
from paretail.policy.agents.base import FEW_LR, RECENT, Agent, Progress, Told
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.feedback import Probe, find
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.logs import fits, raw_of, replayed
from paretail.policy.agents.losses import n_step, td_loss
from paretail.policy.agents.memory import State
from paretail.policy.agents.networks import Seen
from paretail.policy.agents.sessions import Round, Rows, tensors
from paretail.policy.agents.slates import composed, free
from paretail.policy.agents.stages import few
from paretail.policy.agents.stays import Known, LogQ, Stays

#: Sessions side by side from which on slates are filled for all at once: 1.3 ms a session in place of 3.4.
_MANY: Final = 16


class OfflineConfig(AgentConfig):
    """What agents that learn from logs have in common."""

    batch_size: int = Field(64, ge=1, description="Decisions of a minibatch.")
    round_steps: int = Field(100, ge=1, description="Optimiser steps between two reports of learning.")
    target_steps: int = Field(
        50, ge=1, description="Optimiser steps after which the target network is the current one."
    )
    n_step: int = Field(1, ge=1, description="Rewards that are summed before a value is believed.")
    pull: float = Field(0.1, ge=0, description="What it costs to move what is known of sessions from where it began.")


class Batch(NamedTuple):
    """Logged decisions as networks see them; `v` of the states after is the agents' own."""

    seen: Seen
    then: Seen
    rows: Tensor
    reward: Tensor
    discount: Tensor


class Taken(NamedTuple):
    """A log prepared for learning: rewards of n steps in units of their scale, discounts, and where they lead."""

    played: Round
    reward: NDArray[np.float64]
    discount: NDArray[np.float64]
    after: NDArray[np.int64]


class OfflineAgent(Agent):
    """An agent that learns from a log of sessions."""

    Config: ClassVar[type[AgentConfig]] = OfflineConfig
    config: OfflineConfig

    @classmethod
    def _checked(cls, config: AgentConfig) -> AgentConfig:
        """Return the settings; raises AgentError (AGENT-15) for `goals`: a log has one reward."""
        if config.goals:
            raise AgentError(
                Problem("AGENT-15", f"{cls.name} with goals = {config.goals}", "Expected 0: it learns one reward",
                        "Learn ppo or dqn for goals: paretail learn --agent ppo --env logs --dials")
            )  # fmt: skip
        return config

    # ---- what subclasses are

    @abstractmethod
    def _losses(self, batch: Batch) -> Losses:
        """Return the losses of a minibatch."""

    def _beside(self) -> dict[str, nn.Module]:
        """Return networks beside Q."""
        return {}

    # ---- learning

    def learn(  # type: ignore[override]  # a log takes the place of the environment
        self, log: SessionLog, steps: int, seed: int = 0, progress: Progress | None = None, of: int = 0,
        minutes: float = 0.0,
    ) -> list[Told]:  # fmt: skip
        """Learn for `steps` optimiser steps, and tell what each round of them brought; goes on from where it was.

        Raises AgentError (AGENT-03, AGENT-12 for a log that does not fit, AGENT-08 for an agent without item vectors,
        AGENT-17); the agent is then as it was.
        """
        if steps < 1:
            raise few(steps)
        self._need_made()
        began, before, told, done = monotonic(), self.seconds, [], 0
        self._limit(minutes)
        taken = self._prepared(log, seed)
        while done < steps and not self.late:
            count = min(self.config.round_steps, steps - done)
            figures = self._trained(taken, count, rng_for(f"agents/logs/{self.rounds}", seed))
            done, self.steps, self.rounds = done + count, self.steps + count, self.rounds + 1
            self.seconds = before + monotonic() - began
            told.append(Told(self.steps, self.seconds, self.mean_return, figures))
            if progress is not None:
                progress(told[-1])
        self._acting = None
        return told

    def take_log(self, log: SessionLog, seed: int) -> Round:
        """Make the agent anew for this log: how clicks are read, how observations are scaled, the model of clicks."""
        self._make(self.vectors, seed)
        self.single = self.slots == 1
        self.usual = float(np.clip(log.clicks.mean(), 1e-4, 1 - 1e-4))
        fits(self, log)
        raw, after = (raw_of(self, part, len(log)) for part in (log.seen, log.after))
        some = rng_for("agents/logs/reading", seed).permutation(len(raw))[:2000]
        clicked = log.clicks[some].sum(1).astype(np.float64)
        self.reading, _ = find(Probe(raw[some], after[some], log.rows[some], clicked), self.reader.leaves, self.vectors)
        played = replayed(self, log)
        self._scale(played)
        with torch.no_grad():
            self.eyes.usual.fill_(self.usual)
            self.response.bias.fill_(float(np.log(self.usual / (1 - self.usual))))
        self._respond(played, rng_for("agents/logs/clicks", seed))
        self.stays.fit(self.eyes, played.states, log.rows, ~log.ended, rng_for("agents/stays", seed))
        self._past, self.probed, self.recent = [], True, log.returns[-RECENT:].tolist()
        return played

    def _prepared(self, log: SessionLog, seed: int) -> Taken:
        if not self.probed:
            played = self.take_log(log, seed)
            self._meet(log, played)
            self.target.load_state_dict(self.networks["q"].state_dict())
        else:
            played = replayed(self, log)
        discount = np.where(played.terminated, 0.0, self.config.discount)
        reward, left, used = n_step(played.reward / self.reward_scale, discount, played.chain, self.config.n_step)
        after = played.next_at[np.arange(len(used)) + used[:, 0] - 1, 0]
        return Taken(played, reward[:, 0], left[:, 0], after)

    def _trained(self, taken: Taken, count: int, rng: np.random.Generator) -> dict[str, float]:
        told: list[dict[str, float]] = []
        for number in range(count):
            batch = self._batch(taken, rng.integers(len(taken.reward), size=self.config.batch_size))
            losses = replace(self._losses(batch), penalty=self.config.pull * self.q.q.moved())
            told.append(descend(losses, self.networks.parameters(), self.optimiser, clip=10.0))
            if (self.steps + number + 1) % self.config.target_steps == 0:
                self.target.load_state_dict(self.networks["q"].state_dict())
        figures = {name: float(np.mean([one[name] for one in told])) for name in told[0] if name.startswith("loss/")}
        with torch.no_grad():
            value = self.reward_scale * self.q.value(batch.seen, batch.rows).mean().item()
        return figures | {"scale": self.reward_scale, "value": value}

    def _batch(self, taken: Taken, which: NDArray[np.int64]) -> Batch:
        states = taken.played.states
        seen, then = (self.eyes(tensors(states, rows)) for rows in (which, taken.after[which]))
        rows = torch.from_numpy(taken.played.rows[which, 0])
        return Batch(seen, then, rows, _float(taken.reward[which]), _float(taken.discount[which]))

    def _update(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        raise NotImplementedError  # rounds of an environment are never played

    @property
    def round_steps(self) -> int:
        """Return the optimiser steps between two reports."""
        return self.config.round_steps

    # ---- networks

    def _build(self) -> nn.ModuleDict:
        self.target, q = (LogQ(self.items, self.eyes, self._kept) for _ in range(2))
        self.reward_scale = 1.0
        stays = Stays(self.items, self.eyes, self._kept)
        return nn.ModuleDict({"q": q, "stays": stays, **self._beside()})

    def _make(self, vectors: NDArray[np.float32], seed: int) -> None:
        super()._make(vectors, seed)
        learned = self.q.q.learned()
        beside = [part for name, part in self.networks.items() if name not in ("q", "stays")]
        learned += [weight for part in beside for weight in part.parameters()]
        self.optimiser = torch.optim.AdamW(learned, lr=self.config.lr or FEW_LR, eps=1e-5, weight_decay=0.0)

    @property
    def stays(self) -> Stays:
        """The model of staying."""
        stays = self.networks["stays"]
        assert isinstance(stays, Stays)
        return stays

    @property
    def q(self) -> Known:
        """The current Q."""
        q = self.networks["q"]
        assert isinstance(q, LogQ)
        return Known(q, self.response, self.stays)

    @property
    def q_target(self) -> Known:
        """The Q of targets."""
        return Known(self.target, self.response, self.stays)

    def td(self, batch: Batch, v_t: Tensor) -> Tensor:
        """Return the loss of Q against the reward and the value after it."""
        return td_loss(self.q.value(batch.seen, batch.rows), batch.reward, batch.discount, v_t)

    def advantages(self, q: Known, batch: Batch) -> Tensor:
        """Return `[batch, slots, items]`: the advantages in each slot of the logged slates, -inf for items above."""
        return free(q.slots(batch.seen, batch.rows), batch.rows)

    def _meet(self, log: SessionLog, played: Round) -> None:
        """Set the scale of rewards, and what clicks and staying are first worth: what the log made of them."""
        reward = log.reward
        self.reward_scale = float(max(np.abs(reward).mean(), reward.std(), 1e-6))
        rest, stayed = np.zeros(len(log)), ~log.ended
        for row in range(len(log) - 2, -1, -1):
            if played.chain[row, 0]:
                rest[row] = self.config.discount * (reward[row + 1] + rest[row + 1])
        share = float(stayed.mean())
        later = float(rest[stayed].mean()) if stayed.any() else 0.0
        q = self.q.q
        beta = float(self.slots * reward.sum() / max(log.clicks.sum(), 1.0) / self.reward_scale)
        fade = self.config.fade * min(0.8, 4 * self.usual) * beta if self.items.groups else 0.0
        q.begin(beta, share * (1 - share) * later / self.reward_scale, fade)
        self._level(q.value, (reward + rest) / self.reward_scale, played, log)

    def _level(self, value: nn.Module, returns: NDArray[np.float64], played: Round, log: SessionLog) -> None:
        """Begin with values whose mean is that of what was logged, so that levels are not learned as advantages."""
        some = rng_for("agents/logs/level", 0).permutation(len(log))[:1024]
        with torch.no_grad():
            seen = self.eyes(tensors(played.states, some))
            off = returns[some].mean() - self.q.value(seen, torch.from_numpy(log.rows[some])).mean().item()
            value.value[-1].bias.add_(float(off))  # type: ignore[union-attr,index]  # of Valuer

    # ---- acting

    def _acts(self) -> Any:
        """Return what slates are filled by: some scorers and how they are mixed."""
        return self.q

    def _hands(self) -> Hands:
        acts = self._acts()
        return Hands(self.items, self.eyes, acts.scorers, acts.mix)

    def _choose(self, state: State, rng: np.random.Generator, explore: bool) -> tuple[Rows, NDArray[np.float64]]:
        if len(state["obs"]) < _MANY:
            rows, _ = self.hands.composed(state, self.slots, None)
        else:
            with torch.no_grad():
                rows = self.best(self.eyes(tensors(state))).numpy()
        return rows, np.zeros(rows.shape)

    def served(self, state: State) -> Rows:
        """Return the slates that a service shows in these states."""
        return self._choose(state, np.random.default_rng(0), False)[0]

    def best(self, seen: Seen) -> Tensor:
        """Return the slates that the agent would show."""
        return composed(self._acts(), seen, self.slots)[0]

    # ---- keeping

    def extra(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the target network and the scale of rewards."""
        arrays = {f"target/{name}": value.numpy() for name, value in self.target.state_dict().items()}
        return arrays, {"scale": self.reward_scale}

    def take(self, arrays: Mapping[str, NDArray[np.generic]], values: Mapping[str, Any]) -> None:
        """Take up what `extra` gave."""
        weights = {name.removeprefix("target/"): torch.from_numpy(value) for name, value in arrays.items()}
        self.target.load_state_dict(weights)
        self.reward_scale = values["scale"]


def _float(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
