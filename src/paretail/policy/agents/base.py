"""What all agents are: they read an environment's spaces, learn in rounds, act, and are saved whole or not at all.

Learning begins with a probe of random slates, from which the agent finds where clicks stand (`feedback.py`), how
observations are scaled, and a first model of clicks P(click | session, item). Then rounds: play, update, and let the
model of clicks learn from what was seen. All randomness follows from the seed and the number of the round, so that an
agent that was saved between two calls of `learn` and loaded again learns on with the same numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar, Final, Self

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from paretail.core.errors import Problem
from paretail.learn import device
from paretail.learn.step import step as descend
from paretail.policy.agents import AgentError, stages, storage
from paretail.policy.agents.config import AgentConfig
from paretail.policy.agents.crowd import Crowd, acting_rng
from paretail.policy.agents.dealt import Way
from paretail.policy.agents.feedback import Reading
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.items import SMALL, items_of
from paretail.policy.agents.lanes import Environment, Lanes
from paretail.policy.agents.memory import Memory, State
from paretail.policy.agents.networks import Eyes, Response, groups_of
from paretail.policy.agents.sessions import Choose, Round, Rows, Sessions, tensors
from paretail.policy.agents.spaces import Reader, Values, same, slots_of
from paretail.policy.agents.stages import Progress, Told
from paretail.policy.agents.trials import Start

#: Sessions before the newest by whose mean return an agent's progress is told.
RECENT: Final = stages.RECENT
_BATCH: Final = 256
#: Learning rates, by how many items there are.
FEW_LR: Final = 1e-3
MANY_LR: Final = 3e-4


class Agent(ABC):
    """An agent for observations of one space and slates of these items."""

    name: ClassVar[str]
    Config: ClassVar[type[AgentConfig]]
    probed: bool
    seconds: float
    way: int
    recent: list[float]
    #: What a call of `learn` begins anew, and has again if it breaks before its first round: values put in their place.
    forgotten: ClassVar[tuple[str, ...]] = ("way", "recent")

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        item_vectors: NDArray[np.floating] | spaces.Discrete | None = None,
        slate_size: int = 1,
        config: AgentConfig | Mapping[str, Any] | None = None,
    ) -> None:
        """Make an agent that has learned nothing.

        `item_vectors[items, features]`: without them the environment's Discrete actions are the items, each its own
        vector, and networks are made when learning begins. Raises AgentError: AGENT-02 for a space that cannot be read,
        AGENT-07 for vectors that are no matrix of finite numbers or too few for a slate.
        """
        if not isinstance(config, self.Config):  # of another kind of agent: what this one does not have is named
            plain = config.model_dump() if isinstance(config, AgentConfig) else dict(config or {})
            config = self.Config.parse(plain, "the agent's config")
        self.observation_space, self.slots, self.config = observation_space, int(slate_size), self._checked(config)
        self._forget()
        self._until: float | None = None
        self.single = self.slots == 1
        self._horizon = (0, 1)
        self.trying = False
        self.aim_weights = np.full(config.goals, 1.0 / max(1, config.goals), np.float32)
        self._sessions: Sessions | None = None
        self._acting: Hands | None = None
        self._rng = acting_rng()
        self._made = False
        if isinstance(item_vectors, spaces.Discrete):
            item_vectors = np.eye(int(item_vectors.n), dtype=np.float32)
        if item_vectors is not None:
            self._make(_matrix(item_vectors), 0)

    # ---- what subclasses are

    @classmethod
    def _checked(cls, config: AgentConfig) -> AgentConfig:
        """Return the settings; raises AgentError for those that this kind of agent cannot follow."""
        return config

    @abstractmethod
    def _build(self) -> nn.ModuleDict:
        """Return the networks beside the model of clicks."""

    @abstractmethod
    def _choose(self, state: State, rng: np.random.Generator, explore: bool) -> tuple[Rows, NDArray[np.float64]]:
        """Return slates and, of a policy that draws, their log-probabilities."""

    @abstractmethod
    def _hands(self) -> Hands:
        """Return what fills slates by the networks as they are."""

    @abstractmethod
    def _update(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        """Learn from a round."""

    @property
    def lr(self) -> float:
        """Return the learning rate: with many items a step says less, and more steps are taken by chance alone."""
        return self.config.lr or (FEW_LR if len(self.vectors) <= SMALL else MANY_LR)

    @property
    def weight_decay(self) -> float:
        """Return the weight decay of layers."""
        return 0.0

    @property
    @abstractmethod
    def round_steps(self) -> int:
        """Return the steps of all lanes together between two updates."""

    # ---- learning

    def learn(
        self, env: Environment, steps: int, seed: int = 0, progress: Progress | None = None, of: int = 0,
        minutes: float = 0.0,
    ) -> list[Told]:  # fmt: skip
        """Learn for `steps` steps of all lanes together, and tell what each round brought.

        `of`: all steps that will be asked for, where this is a stretch of a longer run in one environment: the probe,
        trials and exploring take their shares of those, and what went best in stretches before counts. Without it the
        environment may be another: sessions of calls before are forgotten. `minutes`: this call ends after so many, if
        not 0. Raises AgentError (AGENT-03 to -07); the agent is then as it was after its last whole round, or before
        the call. A new one keeps its probe, and what it met there.
        """
        if steps < 1:
            raise stages.few(steps)
        lanes = self._fitted(env, seed)  # what does not fit is refused before anything changes
        told, before = list[Told](), {name: getattr(self, name) for name in self.forgotten if self.steps}
        self._acting, self.way = None, 0
        self._limit(minutes)
        try:
            stages.rounds(self, lanes, steps, seed, progress, of, told)
        except BaseException:
            if not told:
                vars(self).update(before)
            raise
        finally:
            self._acting, self._rng = None, acting_rng()
        return told

    def _forget(self) -> None:
        """Be as before the first step of learning, networks apart."""
        self.rounds, self.steps, self.seconds, self.usual = 0, 0, 0.0, 0.5
        self.reading: Reading | None = None
        self.recent = []
        self.start, self.way, self.probed = Start(), 0, False

    @property
    def mean_return(self) -> float | None:
        """The mean return of the newest sessions of learning."""
        return float(np.mean(self.recent)) if self.recent else None

    # ---- acting

    def reset(self) -> None:
        """Begin a session."""
        if self._sessions is not None:
            self._sessions.reset(np.ones(1, bool))

    def act(self, observation: Any, explore: bool = False) -> Any:
        """Return the rows of the next slate, best first; one row, as an int, where actions are Discrete.

        Raises AgentError: AGENT-03 for an observation that does not fit, AGENT-08 where nothing was learned yet.
        """
        self._need_made()
        self._sessions = self._sessions or Sessions(self, 1, self._rng)
        rows = self._next(self._sessions, observation, explore, self._rng)[0]
        return int(rows[0]) if self.single else rows

    def _need_made(self) -> None:
        if not self._made:
            raise AgentError(
                Problem("AGENT-08", "the agent has neither item vectors nor learned anything",
                        "Expected one that knows its actions", "Call learn(env, ...), or give item vectors")
            )  # fmt: skip

    def crowd(self) -> Crowd:
        """Return a policy for batches of observations, of many sessions side by side."""
        return Crowd(self)

    def served(self, state: State) -> Rows:
        """Return the slates that a service shows in these states: filled greedily, whatever the way to act that was
        best in trials (as `restricted.best_of` does among candidates)."""
        return self.hands.composed(state, self.slots, None)[0]

    def aim(self, weights: NDArray[np.floating]) -> None:
        """Tell an agent that was made for several goals what each counts from now on."""
        given = np.asarray(weights, np.float32)
        if given.shape != (self.config.goals,) or not np.isfinite(given).all():
            raise AgentError(
                Problem("AGENT-09", f"weights {given.tolist()}", f"Expected {self.config.goals} finite numbers",
                        "Set `goals` of the agent's configuration to the number of goals")
            )  # fmt: skip
        self.aim_weights = given
        if self._sessions is not None:
            self._sessions.aim = self.aims(1, None)

    def _next(self, sessions: Sessions, observation: Any, explore: bool, rng: np.random.Generator) -> Rows:
        raw = self.reader.raw(observation, sessions.lanes)
        if sessions.begun.any():
            sessions.note(raw)
        rows, _ = self._choose(sessions.state(raw), rng, explore)
        sessions.shown(raw, rows)
        return rows

    @property
    def hands(self) -> Hands:
        """What fills slates, up to date."""
        if self._acting is None:
            self._acting = self._hands()
        return self._acting

    # ---- what sessions need

    @property
    def draws(self) -> bool:
        """Whether slates are filled by draws of tastes: while starts are tried, or by the start that was found."""
        return self.trying or self.start.doubt > 0

    def memory(self, lanes: int, rng: np.random.Generator | None = None) -> Memory:
        """Return an empty memory."""
        return Memory(self.items, self.slots, lanes, self.config.decays, self._kept.kept, rng)

    def aims(self, lanes: int, rng: np.random.Generator | None) -> Values:
        """Return the goals' weights of each lane: drawn evenly from the simplex, or those that the agent is told."""
        if rng is None or not self.config.goals:
            return np.tile(self.aim_weights, (lanes, 1))
        return rng.dirichlet(np.ones(self.config.goals), lanes).astype(np.float32)

    # ---- keeping

    def save(self, folder: Path | str) -> Path:
        """Write the agent, with all that learning on needs, to a folder; what stood there goes when it is whole."""
        return storage.save(self, Path(folder))

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read an agent; raises AgentError (AGENT-10) where the folder is damaged or holds another agent."""
        return storage.load(cls, Path(folder))

    def extra(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return what learning on needs beside networks and optimisers."""
        return {}, {}

    def take(self, arrays: Mapping[str, NDArray[np.generic]], values: Mapping[str, Any]) -> None:  # noqa: B027  # most agents keep nothing more
        """Take up what `extra` gave."""

    # ---- private

    def _make(self, vectors: Values, seed: int) -> None:
        """Make the networks for items with these vectors."""
        if vectors.ndim != 2 or not np.isfinite(vectors).all() or not 1 <= self.slots <= len(vectors):
            raise AgentError(
                Problem("AGENT-07", f"item vectors of shape {vectors.shape} for slates of {self.slots}",
                        "Expected one row of finite numbers an item, and at least as many items as slots",
                        "Give item_vectors[items, features] and the environment's slate_size")
            )  # fmt: skip
        self.vectors, self.items = vectors, items_of(vectors, self.config.components, self.config.groups)
        kept = min(self.config.kept, 16 * self.slots) if len(vectors) <= SMALL else self.config.kept
        self._kept = self.config.model_copy(update={"kept": kept})
        self.reader = Reader(self.observation_space, self.items.phi)
        with device.seeded("agents/networks", seed):
            self.eyes = Eyes(self.items, self.slots, self.reader.width, self._kept)
            self.response = Response(self.items, self.eyes, self._kept)
            self.networks = self._build()
        self._moments = np.zeros((3, self.reader.width))
        responses = groups_of(self.response, self.config.response_lr)
        self.response_optimiser = torch.optim.AdamW(responses, weight_decay=self.config.response_decay)
        self.optimiser = torch.optim.AdamW(groups_of(self.networks, self.lr), eps=1e-5, weight_decay=self.weight_decay)
        self._past: list[Round] = []
        self._acting = None
        self._made = True

    def _fitted(self, env: Environment, seed: int) -> Lanes:
        """Return the environment as lanes, after its spaces are found to fit; an agent without steps is made anew."""
        if isinstance(env, gymnasium.vector.VectorEnv):
            seen, acts = env.single_observation_space, env.single_action_space
        else:
            seen, acts = env.observation_space, env.action_space
        if not same(self.observation_space, seen):
            raise AgentError(
                Problem("AGENT-03", f"the environment's observations are of {seen}",
                        f"Expected {self.observation_space}", "Make the agent with this environment's own space")
            )  # fmt: skip
        if not self._made and isinstance(acts, spaces.Discrete):
            vectors = np.eye(int(acts.n), dtype=np.float32)
        else:
            vectors = self.vectors if self._made else np.zeros((0, 0), np.float32)
        single = slots_of(acts, len(vectors), self.slots)
        if not self._made or not self.steps:
            self._make(vectors, seed)
        self.single, self._sessions = single, None
        return Lanes(env, self.reader, single, self.config.goals)

    @property
    def late(self) -> bool:
        """Whether the minutes of this call are over."""
        return self._until is not None and monotonic() > self._until

    def _limit(self, minutes: float) -> None:
        """Begin a call of `learn` that ends after so many minutes, or those of the configuration; 0: no bound."""
        bounds = [bound for bound in (minutes, self.config.minutes) if bound]
        self._until = monotonic() + 60 * min(bounds) if bounds else None

    def _begin(self, start: Start, played: Sequence[Round]) -> None:
        """Take up the policy to begin with, and scales from what was played."""
        self.start = start

    def _learned(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        if not played.valid.any():  # all lanes began anew
            return {}
        figures = self._update(played, rng)
        if self.reading is not None:
            figures |= self._respond(played, rng)
        self._scale(played)
        self._acting = None
        self.recent = (self.recent + played.returns)[-RECENT:]
        return figures

    def _respond(self, played: Round, rng: np.random.Generator) -> dict[str, float]:
        """Let the model of clicks learn from the newest rounds."""
        if not played.valid.any():
            return {}
        self._past = [*self._past, played]
        while len(self._past) > 1 and sum(one.valid.size for one in self._past) > self.config.response_past:
            self._past.pop(0)
        size = np.array([one.valid.size for one in self._past])
        losses = []
        for _ in range(round(self.config.response_passes * played.valid.size / _BATCH)):
            one = self._past[int(rng.choice(len(size), p=size / size.sum()))]
            flat = np.flatnonzero(one.valid.ravel())
            which = rng.choice(flat, min(_BATCH, len(flat)), replace=False)
            assert one.clicks is not None
            rows, clicks = (part.reshape(-1, self.slots)[which] for part in (one.rows, one.clicks))
            loss = self.response.loss(self.eyes(tensors(one.states, which)), torch.from_numpy(rows), _float(clicks))
            losses.append(descend(loss, self.response.parameters(), self.response_optimiser, clip=1.0)["loss"])
        return {"response": float(np.mean(losses))} if losses else {}

    def _scale(self, played: Round) -> None:
        """Take the round's observations into the moments by which observations are scaled."""
        seen = played.states["obs"].astype(np.float64)
        self._moments = self._moments + np.stack([np.full(seen.shape[1], len(seen)), seen.sum(0), (seen**2).sum(0)])
        count, total, squares = self._moments
        mean = total / np.maximum(count, 1)
        spread = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-8))
        with torch.no_grad():
            self.eyes.mean.copy_(_float(mean))
            self.eyes.spread.copy_(_float(np.where(spread < 1e-3, 1.0, spread)))

    def _ways(self) -> list[Way]:
        """Return ways to act of which the best is kept when learning ends; `way` is its number."""
        return []

    def _known(self) -> dict[int, list[float]]:
        """Return what is known already of sessions by these ways."""
        return {}

    def _anew(self) -> None:
        """Forget what may have been in another environment: what went best and, of some agents, what was played."""
        self.recent = []

    def _settle(self) -> None:  # noqa: B027  # most agents have nothing due
        """Do what is due when learning ends."""


def _matrix(values: Any) -> Values:
    """Return vectors as numbers, nan where they are none."""
    try:
        return np.asarray(values, np.float32)
    except (TypeError, ValueError):
        return np.full(np.shape(values), np.nan, np.float32)


def _float(values: NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


__all__ = ["Agent", "Choose", "Crowd", "Progress", "Told"]
