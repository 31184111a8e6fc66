"""Oracles of a visit: the best next step by the truth, and a plan that knows what boredom will cost.

`Greedy` fills the slots from the top, each with the item that adds most to the expected reward of this step, position,
weariness and repetition included (in mean within .5 % of the best of all slates where all can be tried: a test).
`Planner` composes by

    argmax_i  bias[r]·P(click | glanced at)·w_i  -  price·e[r]·dull[r]

which charges each slot for the boredom that it brings. What a plan is worth needs no sampling, since weariness, and
with it the chance of going, follows from what is shown alone:

    V(plan) = sum_t  prod_{s < t} (1 - P(go at s)) · E[reward of step t]

up to one approximation: an item that was bought and shown again could not be bought twice. It computes V for each price
of a grid at the start of a visit and follows, user by user, the best plan. `exhaustive` tries all sequences of slates
out of a list, for tests on small cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.sim.rivals import Informed, worth_of_click
from paretail.sim.truth import Values
from paretail.sim.visits import Reward, State, Visits

#: Prices of boredom that `Planner` tries, in units of the reward; 0 is `Greedy` but for staying.
PRICES: Final = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(eq=False)
class Greedy(Informed):
    """The most reward of the next step, by the truth and the whole state."""

    reward: Reward = field(default_factory=Reward)

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Fill the slots one after the other."""
        return compose(self.shop, state, self.reward.weights, np.zeros(len(state)))


@dataclass(eq=False)
class Planner(Informed):
    """The plan of the best price of boredom for each user; it knows tastes, boredom and the chance of going."""

    reward: Reward = field(default_factory=Reward)
    prices: tuple[float, ...] = PRICES
    _price: Values = field(default_factory=lambda: np.zeros(0), init=False, repr=False)

    def reset(self) -> None:
        """Forget the plans."""
        self._price = np.zeros(0)

    def slate(self, state: State, rng: np.random.Generator) -> Rows:
        """Choose prices where a visit begins, by the value of the whole visit, and compose the next slates by them."""
        if len(self._price) != len(state):
            self._price = np.zeros(len(state))
        new = np.flatnonzero(state.here & (state.step == 0))
        if len(new):
            worth = np.stack([self.value(state.pick(new), price) for price in self.prices])
            self._price[new] = np.array(self.prices)[worth.argmax(axis=0)]
        return compose(self.shop, state, self.reward.weights, self._price)

    def value(self, state: State, price: float) -> Values:
        """Return `[lanes]`: what the rest of the visit is worth if every slate is composed by `price`."""
        weights, there, total = self.reward.weights, state.here * 1.0, np.zeros(len(state))
        fixed = np.full(len(state), price)
        while there.max(initial=0.0) > 1e-3:
            slate = compose(self.shop, state, weights, fixed)
            chances = self.shop.chances(state, slate)
            total, there = total + there * (chances.goals() @ weights), there * (1 - chances.go)
            state = self.shop.tire(state, slate)
        return total


def compose(shop: Visits, state: State, weights: Values, price: Values) -> Rows:
    """Return `[lanes, slots]`: slates that trade the next reward against boredom at `price[lanes]`."""
    config, leaf, lane = shop.config, shop.leaf, np.arange(len(state))
    worth = worth_of_click(shop, state, weights)
    dull = state.weary[:, leaf] + config.seen * state.shown
    odds = np.exp(np.maximum(config.dulls * dull - state.tastes.appeal, -50.0))
    rows = np.empty((len(state), config.slots), dtype=np.int32)
    for slot, (bias, glance) in enumerate(zip(shop.bias, shop.glance, strict=True)):
        score = bias * worth / (1 + odds) - glance * price[:, None] * dull
        rows[:, slot] = np.where(np.isfinite(odds), score, -np.inf).argmax(axis=1)
        same = leaf == leaf[rows[:, slot]][:, None]
        dull, odds = dull + glance * same, np.where(same, odds * np.exp(config.dulls * glance), odds)
        odds[lane, rows[:, slot]] = np.inf
    return rows


def plan_value(shop: Visits, state: State, plan: Sequence[Rows], reward: Reward | None = None) -> Values:
    """Return `[lanes]`: the expected reward of the slates `plan[step][lanes, slots]` from here on."""
    weights, there, total = (reward or Reward()).weights, state.here * 1.0, np.zeros(len(state))
    for slate in plan:
        chances = shop.chances(state, slate)
        total, there = total + there * (chances.goals() @ weights), there * (1 - chances.go)
        state = shop.tire(state, slate)
    return total


def exhaustive(
    shop: Visits, state: State, slates: Sequence[Sequence[int]], steps: int, reward: Reward | None = None
) -> tuple[Values, NDArray[np.int64]]:
    """Return the value of the best sequence of `slates`, and which it is `[lanes, steps]`; tries len(slates)^steps."""
    orders = np.array(list(product(range(len(slates)), repeat=steps)))
    shown = [np.tile(np.array(one, dtype=np.int32), (len(state), 1)) for one in slates]
    worth = np.stack([plan_value(shop, state, [shown[i] for i in order], reward) for order in orders])
    return worth.max(axis=0), orders[worth.argmax(axis=0)]
