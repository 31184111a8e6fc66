"""Policies to compare with: a constant slate, random, popularity, true relevance, and a heuristic that varies.

`Constant` shows everybody the items of the largest mean relevance, always. The others never show an item twice in a
visit. Relevance of i for u is what a first look at it at the first position would bring, P(click) times what a
click is worth by the weights of the reward. `Rested` ranks by relevance · fade^(slots of the category in this
visit, those of the slate so far included): it knows tastes and what was shown, and none of the equations of boredom.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from paretail.core.ids import Rows
from paretail.sim.truth import Values
from paretail.sim.visits import Reward, State, Visits


@dataclass(eq=False)
class Informed(ABC):
    """A policy that may look at the whole state, tastes included, not only at what a shop can observe."""

    shop: Visits

    @abstractmethod
    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Return the next slates `[lanes, slots]`."""


def relevance(shop: Visits, state: State, weights: Values) -> Values:
    """Return `[lanes, items]`: the expected reward of a first look at the item, without any boredom."""
    return np.asarray(_logistic(state.tastes.appeal) * worth_of_click(shop, state, weights))


def worth_of_click(shop: Visits, state: State, weights: Values) -> Values:
    """Return `[lanes, items]`: the expected reward of a click, by the weights of GOALS."""
    tastes = state.tastes
    if not weights[1:4].any():
        return np.full(tastes.appeal.shape, weights[0])
    buy = _logistic(tastes.want - shop.config.anchor * (shop.dear - state.expects[:, None]))
    kept = np.where(state.again > state.day[:, None], 0.0, buy * (1 - shop.p_back(tastes.want)))
    worth = weights[0] + kept * (weights[1] + tastes.worth * (weights[2] + weights[3] * shop.truth.goods.margin))
    return np.asarray(worth)


def best(score: Values, count: int) -> Rows:
    """Return `[lanes, count]`: the columns of the largest scores, best first."""
    top = np.argpartition(-score, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(score, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int32)


class Constant(Informed):
    """One slate for everybody, always: the items of the largest mean chance of a click."""

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Return the slate once a user."""
        return np.tile(best(self.shop.popularity[None, :], self.shop.config.slots), (len(state), 1))


class Random(Informed):
    """Items on sale, drawn evenly."""

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Draw slates of items not yet shown in the visit."""
        score = rng.random(state.shown.shape)
        return best(_fresh(self.shop, state, score), self.shop.config.slots)


class Popular(Informed):
    """The items of the largest mean chance of a click that the visit has not shown."""

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Return the most popular items left."""
        score = np.tile(self.shop.popularity, (len(state), 1))
        return best(_fresh(self.shop, state, score), self.shop.config.slots)


@dataclass(eq=False)
class Relevant(Informed):
    """The items of the largest true relevance that the visit has not shown: greed that knows tastes, not boredom."""

    reward: Reward = field(default_factory=Reward)

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Return the most relevant items left."""
        score = relevance(self.shop, state, self.reward.weights)
        return best(_fresh(self.shop, state, score), self.shop.config.slots)


@dataclass(eq=False)
class Rested(Informed):
    """True relevance, falling by `fade` with each slot that the visit gave to the category."""

    reward: Reward = field(default_factory=Reward)
    fade: float = 0.6

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Fill the slots one after the other."""
        lane, leaf = np.arange(len(state)), self.shop.leaf
        score = _fresh(self.shop, state, relevance(self.shop, state, self.reward.weights))
        score = score * self.fade ** state.told[:, 0, leaf]
        rows = np.empty((len(state), self.shop.config.slots), dtype=np.int32)
        for slot in range(rows.shape[1]):
            rows[:, slot] = score.argmax(axis=1)
            same = leaf == leaf[rows[:, slot]][:, None]
            score = np.where(same, score * self.fade, score)
            score[lane, rows[:, slot]] = -1.0
        return rows


def _fresh(shop: Visits, state: State, score: Values) -> Values:
    """Return the scores with those of items already shown, or not on sale, below all others."""
    return np.where((state.shown > 0) | ~shop.truth.on_sale(), score * 1e-9 - 1.0, score)


def _logistic(x: Values) -> Values:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
