"""A generator proposes, a discriminator judges: only what it likes as much as the winners is trained.

S. Rezaei, F. Han, D. Niu, M. Salameh, K. Mills, S. Lian, W. Lu, S. Jui, "Generative adversarial neural architecture
search", IJCAI 2021, arXiv:2105.09356; the parts are in `search/adversarial/`. Each round the discriminator is trained
on everything told and on what the generator made; the generator on the discriminator's judgement, less what a known
architecture costs; of what it then makes, the best judged are asked for, and a share at random.
Deviations: 1. the judgement is an ensemble's mean plus `beta` times its spread. 2. novelty: the price of a known
architecture rises while fewer than `newness` of the samples are new; samples are drawn warmer, and known ones left out
and random new ones put in, until enough are new. 3. alarms that act (`search/watch.py`). 4. each part can be switched
off, for ablations.

Needs the extra `learn`.
"""

from collections.abc import Iterable, Sequence
from math import cos, inf, pi, prod
from typing import Final

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.search.adversarial.discriminator import Discriminator, Evidence, Judging, judge, train
from paretail.search.adversarial.generator import Generator, improve
from paretail.search.adversarial.weights import kept, restore, stream
from paretail.search.base import Architecture, Array, Space, State
from paretail.search.memory import Remembering
from paretail.search.standing import standing
from paretail.search.surrogate import normal_scores
from paretail.search.watch import LEAST, MOST, sentence, wrong

#: Samples of the generator among which the best judged are looked for, and those of which shares are told.
SAMPLED, COUNTED = 512, 64
#: How many of them are remembered from round to round, and how many the discriminator tells winners from.
REMEMBERED, GENERATED = 256, 64
#: Of a space of so many token sequences at most it is counted how many architectures there are.
SMALL: Final = 4096
#: What the generator's scores are divided by when it samples: the first with which enough samples differ and are new.
WARMTHS: Final = (1.0, 1.25, 1.5, 2.0, 3.0)
ENOUGH: Final = 0.45
#: Of what is proposed this share is new at least, as long as anything is.
LEAST_NEW: Final = 0.3
#: What an alarm raises the weight of the entropy to at least, so that it acts where that weight is 0.
LEAST_BONUS: Final = 0.05
#: Drawn at random at least, before there is anything to learn from.
FEWEST_DRAWN: Final = 10
#: Below this entropy, twice what rings the alarm, the bonus grows, to eleven times at none.
HELD: Final = 0.3


class GanConfig(Config):
    """Settings of the strategies `gan` and `gan-mutation`."""

    start: int | None = Field(
        None, ge=4, description="Architectures drawn at random at first; by default a tenth of `horizon`, 10 at least."
    )  # fmt: skip
    winners: float = Field(0.2, gt=0, le=1, description="Share of what was told that counts as winners.")
    beta: float = Field(0.5, ge=0, description="Spreads of the ensemble added to its mean.")
    random_share: float = Field(0.1, ge=0, le=1, description="Share of each round that is drawn at random.")
    generator: bool = Field(True, description="Whether a generator proposes; else mutations of the best.")
    adversarial: float = Field(0.3, ge=0, description="Weight of the loss of winners against generated ones.")
    ranking: float = Field(1.0, ge=0, description="Weight of the loss of pairs of everything evaluated.")
    penalty: float = Field(0.3, ge=0, description="Weight of the one-sided gradient penalty.")
    spectral: bool = Field(False, description="Whether the discriminator's matrices have a norm of 1 at most.")
    members: int = Field(4, ge=1, description="Networks of the ensemble.")
    width: int = Field(
        32, ge=4, multiple_of=4, description="Width of their layers, and of the generator's; a multiple of 4."
    )  # fmt: skip
    steps: int = Field(40, ge=1, description="Steps of the discriminator in each round.")
    lr: float = Field(3e-3, gt=0, description="Learning rate of the discriminator at the beginning of a round.")
    weight_decay: float = Field(0.05, ge=0, description="Pull of the discriminator's weights towards zero.")
    updates: int = Field(5, ge=1, description="Batches on which the generator is improved in each round.")
    batch_size: int = Field(64, ge=8, description="Architectures of such a batch.")
    generator_lr: float = Field(3e-3, gt=0, description="Learning rate of the generator.")
    entropy: float = Field(0.1, ge=0, description="Weight of the generator's entropy at first; it falls to a third.")
    horizon: int = Field(
        200,
        ge=1,
        description="Evaluations over which the weight of the entropy falls: the trials of `paretail search`.",
    )
    newness: float = Field(0.6, ge=0, le=1, description="Share of samples that shall be new; 0 leaves it open.")
    parents: int = Field(10, ge=1, description="The best so far that are mutated where there is no generator.")

    @property
    def drawn(self) -> int:
        """How many architectures are drawn at random before the first round."""
        return self.start or max(FEWEST_DRAWN, self.horizon // 10)


class Gan(Remembering):
    """Asks for what its generator makes and its discriminator likes."""

    name = "gan"
    config_type = GanConfig
    config: GanConfig

    def __init__(self, space: Space, seed: int = 0, goals: int = 1, config: Config | None = None) -> None:
        super().__init__(space, seed, goals, config)
        c = self.config
        features = space.encode(space.sample(np.random.default_rng(seed), 1)).shape[1]
        self._critic = Discriminator(features, c.members, c.width, c.spectral, seed)
        self._maker = Generator(space.choices, c.width, seed)
        self._nets = {"critic": self._critic, "maker": self._maker}
        self._made: list[Architecture] = []
        self._price, self._boost = 0.0, 1.0
        self._size = _size(space)

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Train both networks on what is known, and return the best judged of what is proposed."""
        if len(self.told) < self.config.drawn:
            return []
        known = self.space.encode(list(self.told))
        seeds = rng.integers(2**31, size=4).tolist()
        self._made = self._made or self.space.sample(rng, GENERATED)
        figures = self._judge_anew(known, seeds[0])
        if self.config.generator:
            figures |= self._make_better(known, seeds[1])
            found, shares = self._sampled(seeds[2], rng)
            figures |= shares
            self._watch_generator(figures, seeds[3])
        else:
            found = self._mutants(rng)
        new = self.fresh(found, len(found))
        self._made = [new[row] for row in rng.permutation(len(new))[:REMEMBERED]] or self._made
        self.figures = figures
        judged = self.fresh(self._made, REMEMBERED) if self.config.generator else new
        return self._chosen(judged, count, known, rng)

    def _judge_anew(self, known: Array, seed: int) -> dict[str, float]:
        """Train the discriminator, once more from halved weights where it became too steep; return its losses."""
        figures = self._trained(known, seed)
        if names := wrong(figures, MOST):
            self.alarms.append(sentence(figures, names, len(self.told)))
            self._critic.start(seed, kept=0.5)
            figures = self._trained(known, seed)
        return figures

    def _trained(self, known: Array, seed: int) -> dict[str, float]:
        scores = normal_scores(standing(np.array(list(self.told.values())))[:, None])[:, 0]
        best = np.argsort(-scores, kind="stable")[: max(2, round(self.config.winners * len(known)))]
        made = self.space.encode(self._made[:GENERATED])
        c = self.config
        how = Judging(c.steps, c.lr, c.weight_decay, c.adversarial, c.ranking, c.penalty)
        return train(self._critic, Evidence.of(known, scores, best, made), how, seed)

    def _hopes(self, architectures: Sequence[Architecture], known: Array) -> Array:
        mean, spread = judge(self._critic, self.space.encode(architectures), known)
        return mean + self.config.beta * spread

    def _make_better(self, known: Array, seed: int) -> dict[str, float]:
        """Improve the generator on the discriminator's judgement; return its figures."""
        c, draw = self.config, stream(seed)
        figures: dict[str, float] = {}
        done = min(len(self.told) / c.horizon, 1.0)
        bonus = c.entropy * (1 / 3 + 2 / 3 * 0.5 * (1 + cos(pi * done)))
        bonus = bonus if self._boost == 1 else self._boost * max(bonus, LEAST_BONUS)
        for _ in range(c.updates):
            tokens = self._maker.sample(c.batch_size, draw)
            found = [self.space.from_tokens(row) for row in tokens.tolist()]
            pull = bonus * (1 + max(0.0, HELD - figures.get("entropy", HELD)) / HELD * 10)
            figures = improve(self._maker, tokens, self._rewards(found, known), c.generator_lr, pull)
            new_share = len(self.fresh((a for a in found if a is not None), len(found))) / len(found)
            self._price = float(np.clip(self._price + c.newness - new_share, 0, 4)) if c.newness else 0.0
        return {"entropy": figures["entropy"], "price": self._price, "bonus": bonus}

    def _sampled(self, seed: int, rng: np.random.Generator) -> tuple[list[Architecture], dict[str, float]]:
        """Return samples, warmer ones while too few are new, and shares: of its own samples, of what is returned."""
        own: dict[str, float] = {}
        for warmth in WARMTHS if self.config.newness else WARMTHS[:1]:
            tokens = self._maker.sample(SAMPLED, stream(seed), warmth).tolist()
            found = [self.space.from_tokens(row) for row in tokens]
            shares = self._shares(found[:COUNTED])
            own = own or shares
            if min(shares.values()) >= ENOUGH:
                break
        legal, new_share, filled = self._filled(found, shares["own_new_share"], rng)
        return legal, self._judged(own) | {"new_share": new_share, "filled": filled, "warmth": warmth}

    def _shares(self, found: Sequence[Architecture | None]) -> dict[str, float]:
        """Return which shares of the samples differ, and which differ and are new, each of as many as there can be."""
        different = dict.fromkeys(a for a in found if a is not None)
        new = sum(map(self.is_new, different))
        most = min(len(found), self._size)
        return {"unique_share": len(different) / most, "own_new_share": new / most}

    def _judged(self, shares: dict[str, float]) -> dict[str, float]:
        """Return the shares, none where the space has too few new ones left to judge a generator by."""
        return shares if self._size - len(self.told) - len(self.pending) >= COUNTED else {}

    def _filled(
        self, found: Sequence[Architecture | None], new_share: float, rng: np.random.Generator
    ) -> tuple[list[Architecture], float, float]:
        """Return legal samples of which `LEAST_NEW` are new, that share, and how many were drawn at random for it.

        Where too few are new, known ones are left out and, where that leaves too few, random new ones put in.
        """
        legal = [a for a in found if a is not None]
        if not self.config.newness or new_share >= LEAST_NEW:
            return legal, new_share, 0.0
        new = self.fresh(legal, len(legal))
        filled = self.random(max(0, round(LEAST_NEW * COUNTED) - len(new)), rng, taken=new)
        new += filled
        known = [a for a in legal if not self.is_new(a)][: int(len(new) * (1 / LEAST_NEW - 1))]
        return new + known, len(new) / max(len(new + known), 1), float(len(filled))

    def _rewards(self, found: Sequence[Architecture | None], known: Array) -> Array:
        """Return the judgement of each, less the price of a known one; an illegal one is worth what the worst is."""
        legal = [row for row, a in enumerate(found) if a is not None]
        rewards = np.full(len(found), -2.0)
        if legal:
            rewards[legal] = self._hopes([found[row] for row in legal], known)
            rewards[legal] -= self._price * np.array([not self.is_new(found[row]) for row in legal])
            rewards[[row for row, a in enumerate(found) if a is None]] = rewards[legal].min()
        return rewards

    def _mutants(self, rng: np.random.Generator) -> list[Architecture]:
        known, stand = self.standings()
        best = np.argsort(-stand, kind="stable")[: self.config.parents]
        near = [a for row in best for a in self.space.neighbours(known[row], rng, 64)]
        return near + self.space.sample(rng, 200)

    def _watch_generator(self, figures: dict[str, float], seed: int) -> None:
        """Keep an alarm and act where a figure is out of bounds; let the bonus fall back where none is."""
        if names := wrong(figures, LEAST):
            self.alarms.append(sentence(figures, names, len(self.told)))
            self._boost = min(2 * self._boost, 16.0)
            self._maker.start(seed, kept=0.5)
        else:
            self._boost = max(1.0, 0.8 * self._boost)

    def _chosen(
        self, new: list[Architecture], count: int, known: Array, rng: np.random.Generator
    ) -> list[Architecture]:
        """Return the best judged of what was made; the share that is left to chance is filled up by `ask`."""
        if not new:
            return []
        random = int(rng.binomial(count, self.config.random_share))
        order = np.argsort(-self._hopes(new, known), kind="stable")
        return [new[row] for row in order[: count - random]]

    def state(self) -> State:
        """Return what is remembered, and both networks' weights as arrays `critic/...` and `maker/...`."""
        own = {"price": self._price, "boost": self._boost, "made": [list(self.space.tokens(a)) for a in self._made]}
        return super().state() | own | kept(self._nets)

    def load_state(self, state: State) -> None:
        """Go on where `state` was taken."""
        super().load_state(state)
        self._price, self._boost = state["price"], state["boost"]
        self._made = [self._architecture(tokens) for tokens in state["made"]]
        restore(self._nets, state)


def _size(space: Space) -> float:
    """Return how many architectures a small space has; infinity of a large one, in which that does not matter."""
    if prod(space.choices) > SMALL:
        return inf
    return len({space.from_tokens(tokens) for tokens in np.ndindex(*space.choices)} - {None})
