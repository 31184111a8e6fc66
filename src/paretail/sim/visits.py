"""Visits to the demo shop: what each slate of a visit is worth in truth, and what it does to the visits to come.

A user comes, is shown slates of `slots` items step by step, clicks, puts into the cart, buys, and goes. With the
logits x, y of a click and a purchase (`sim/truth.py`), weariness W[category], N[item] = how often an item was shown in
this visit, the glance e[r] = bias[r] / sum(bias), r' < r the slots above, ℓ = log(price / category's), m = its
running mean over what was shown:

    bias[r]        = 1 / (1 + slope·(r - 1))
    dull[r]        = W[c_r] + sum_{r' < r, c_r' = c_r} e[r'] + seen·N[i_r]   tired of the category, and of the item
    P(click at r)  = σ(x - dulls·dull[r]) · bias[r]                        0 if above already, or not on sale
    P(buy | click) = σ(y - thrift·log(factor) - anchor·(ℓ - m))            0 for what the user still has
    P(cart | click, not bought) = .04 + .4 P(buy | click)
    P(back | bought) = σ(logit(refunds) - fit·(y - ȳ)),   ȳ = -3.3         what fits badly is sent back
    boredom        = sum_r e[r]·dull[r]
    P(go)          = 1 - (1 - quit)·exp(-haste·boredom);   after `longest` slates the user goes
    W             <- keep·W + sum_r e[r]·[c_r = c],   m <- m + learns·(mean_e ℓ - m)

and at the end of a visit with satisfaction S = pleased·clicks + glad·kept purchases - sorry·refunds - tired·boredom
(its sum over the visit):

    P(never back)  = σ(churn - S),   days until back ~ Exponential(mean gap_days·exp(-sooner·S))
    W             <- W·2^(-days / rest_days),   N <- 0

Nothing in W, N, m and P(go) depends on luck: the expected value of a plan of slates is a finite sum
(`sim/oracle.py`). Related: E. Ie et al., "RecSim", 2019, arXiv:1909.04847; D. Rohde et al., "RecoGym", 2018,
arXiv:1808.00720. Deviations: neither is imitated; the tastes, prices and propensities are those of the demo shop.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.sim.truth import SimConfig, Truth, Values
from paretail.sim.words import LEAVES

Mask = NDArray[np.bool_]
#: What a shop wants of a step. Revenue and profit are in major units; purchases, revenue and profit are net of what is
#: sent back; staying is 1 where another slate will be seen.
GOALS: Final = ("clicks", "purchases", "revenue", "profit", "staying")
#: Logit of a purchase at a fit of zero, as in `Truth.p_purchase`.
_USUAL_FIT: Final = -3.3
#: Users whose tastes are computed at once: bounds the memory of users x items x dimensions.
_BLOCK: Final = 64


class VisitConfig(Config):
    """The habits of people who visit; the equations stand at the top of the module."""

    slots: int = Field(10, ge=1, description="Items in a slate.")
    longest: int = Field(30, ge=1, description="Slates after which a visit is over in any case.")
    life: bool = Field(False, description="An episode is a user's life with the shop, not one visit.")
    days: float = Field(60.0, gt=0, description="Days that a life is watched for.")
    slope: float = Field(0.3, ge=0, description="How fast attention falls with the position.")
    dulls: float = Field(0.4, ge=0, description="How much a unit of dullness takes from the logit of a click.")
    seen: float = Field(2.0, ge=0, description="Dullness of an item for each time that the visit has shown it.")
    keep: float = Field(0.8, ge=0, le=1, description="Share of weariness left after a step.")
    quit: float = Field(0.02, ge=0, le=1, description="Chance of going after a slate that bores nobody.")
    haste: float = Field(1.5, ge=0, description="How fast boredom sends people away.")
    anchor: float = Field(0.5, ge=0, description="How much a price above those seen before takes from a purchase.")
    learns: float = Field(0.3, ge=0, le=1, description="How fast the prices seen become the prices expected.")
    fit: float = Field(0.5, ge=0, description="How much a good fit keeps a purchase from being sent back.")
    pleased: float = Field(0.15, ge=0, description="Satisfaction of a click.")
    glad: float = Field(0.5, ge=0, description="Satisfaction of a purchase that is kept.")
    sorry: float = Field(1.0, ge=0, description="Dissatisfaction of a purchase sent back.")
    tired: float = Field(0.3, ge=0, description="Dissatisfaction of a unit of boredom.")
    churn: float = Field(-1.5, description="Logit of never coming back after a visit of no satisfaction.")
    gap_days: float = Field(7.0, gt=0, description="Mean days until the next visit after one of no satisfaction.")
    sooner: float = Field(0.3, ge=0, description="How much satisfaction shortens the days until the next visit.")
    rest_days: float = Field(3.0, gt=0, description="Days that halve weariness between visits.")
    blur: float = Field(0.3, ge=0, description="Standard deviation of the error in what the shop knows of tastes.")


class Reward(Config):
    """What one unit of each goal counts; the reward of a step is the weighted sum."""

    clicks: float = Field(1.0, description="A click.")
    purchases: float = Field(1.0, description="A purchase that is kept.")
    revenue: float = Field(0.0, description="A major unit of money taken.")
    profit: float = Field(0.0, description="A major unit of margin.")
    staying: float = Field(0.0, description="A step after which the user is still there.")

    @property
    def weights(self) -> Values:
        """The weights in the order of GOALS."""
        return np.array([getattr(self, name) for name in GOALS])


@dataclass(frozen=True, eq=False)
class Tastes:
    """What is fixed for each user: logits of a click and of a purchase, and an order line in major units."""

    appeal: Values
    want: Values
    worth: Values


@dataclass(frozen=True, eq=False)
class State:
    """Where each of `lanes` users stands; `here` tells who will look at the next slate.

    `weary[lanes, categories]` W, `shown[lanes, items]` N, `again[lanes, items]` the day from which the item may be
    bought, `expects` m. `tally[lanes, 4]`: clicks, kept purchases, refunds and boredom of this visit. `told[lanes, 2,
    categories]`: slots and clicks of this visit by category. `slate` (-1: none yet) and `clicked` are the last step's.
    """

    user: Rows
    here: Mask
    day: Values
    visit: Rows
    step: Rows
    weary: Values
    shown: NDArray[np.int16]
    again: NDArray[np.float32]
    expects: Values
    tally: Values
    told: Values
    slate: Rows
    clicked: Mask
    last: Rows
    tastes: Tastes

    def __len__(self) -> int:
        return len(self.user)

    def pick(self, lanes: NDArray[np.integer] | Mask) -> "State":
        """Return the state of some lanes."""
        columns = {name: column[lanes] for name, column in vars(self).items() if name != "tastes"}
        return State(**columns, tastes=Tastes(*(taste[lanes] for taste in vars(self.tastes).values())))

    def but(self, **columns: NDArray[np.generic]) -> "State":
        """Return the state with some columns replaced."""
        return replace(self, **columns)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Chances:
    """What a slate does, in truth: `[lanes, slots]` each, given a click for `buy` and a purchase for `back`."""

    click: Values
    buy: Values
    back: Values
    worth: Values
    margin: Values
    boredom: Values
    go: Values

    def goals(self) -> Values:
        """Return `[lanes, goals]`: the expected goals of the step; staying is that of this visit."""
        kept = self.click * self.buy * (1 - self.back)
        money = kept * self.worth
        sums = [self.click.sum(1), kept.sum(1), money.sum(1), (money * self.margin).sum(1), 1 - self.go]
        return np.stack(sums, axis=1)


class Visits:
    """A shop that users visit: the truth, their habits, and prices as a factor of the catalogue's."""

    def __init__(self, truth: Truth, config: VisitConfig | None = None, price_factor: Values | None = None) -> None:
        self.truth, self.config = truth, config or VisitConfig()
        self.factor = np.ones(truth.config.items) if price_factor is None else np.asarray(price_factor, dtype=float)
        self.leaf, self.categories = truth.goods.leaf, len(LEAVES)
        self.bias = np.asarray(1.0 / (1.0 + self.config.slope * np.arange(self.config.slots)))
        self.glance = self.bias / self.bias.sum()

    @property
    def sizes(self) -> SimConfig:
        """How many users and items there are."""
        return self.truth.config

    @cached_property
    def dear(self) -> Values:
        """The log of each item's price relative to what its category usually costs."""
        usual = 100 * np.array([leaf.price for _, leaf in LEAVES])[self.leaf]
        return np.asarray(np.log(self.truth.goods.price_minor * self.factor / usual))

    @cached_property
    def popularity(self) -> Values:
        """The mean chance of a click on each item over the first thousand users; 0 for what is not on sale."""
        users = np.arange(min(self.sizes.users, 1000), dtype=np.int32)
        return np.asarray(_logistic(self.tastes(users).appeal).mean(axis=0))

    def tastes(self, users: Rows) -> Tastes:
        """Return what is fixed for `users`; an item that is not on sale appeals to nobody."""
        item, parts = np.arange(self.sizes.items, dtype=np.int32)[None, :], []
        for first in range(0, len(users), _BLOCK):
            user = users[first : first + _BLOCK, None]
            cheaper = self.truth.people.thrift[user] * np.log(self.factor)
            appeal = np.where(self.truth.on_sale(), _logit(self.truth.p_click(user, item)), -np.inf)
            want = _logit(self.truth.p_purchase(user, item)) - cheaper
            parts.append((appeal, want, self.truth.value(user, item) * self.factor / 100))
        return Tastes(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def start(self, users: Rows) -> State:
        """Return the state of users who come for the first time."""
        lanes, items, slots = len(users), self.sizes.items, self.config.slots
        whole, zero = np.zeros(lanes, dtype=np.int32), np.zeros(lanes)
        return State(
            user=np.asarray(users, dtype=np.int32), here=np.ones(lanes, dtype=bool), day=zero, visit=whole, step=whole,
            weary=np.zeros((lanes, self.categories)), shown=np.zeros((lanes, items), dtype=np.int16),
            again=np.zeros((lanes, items), dtype=np.float32), expects=zero, tally=np.zeros((lanes, 4)),
            told=np.zeros((lanes, 2, self.categories)), slate=np.full((lanes, slots), -1, dtype=np.int32),
            clicked=np.zeros((lanes, slots), dtype=bool), last=np.full(lanes, -1, dtype=np.int32),
            tastes=self.tastes(users),
        )  # fmt: skip

    def chances(self, state: State, slate: Rows) -> Chances:
        """Return what `slate[lanes, slots]` does to each user, whether the user is still there or not."""
        config, lane = self.config, np.arange(len(state))[:, None]
        dull = self._dull(state, slate)
        boredom = dull @ self.glance
        click = _logistic(state.tastes.appeal[lane, slate] - config.dulls * dull) * self.bias
        want = state.tastes.want[lane, slate]
        buy = _logistic(want - config.anchor * (self.dear[slate] - state.expects[:, None]))
        return Chances(
            click=np.where(_above(slate).any(axis=2), 0.0, click),
            buy=np.where(state.again[lane, slate] > state.day[:, None], 0.0, buy),
            back=self.p_back(want),
            worth=state.tastes.worth[lane, slate],
            margin=self.truth.goods.margin[slate],
            boredom=boredom,
            go=np.where(state.step + 1 >= config.longest, 1.0, 1 - (1 - config.quit) * np.exp(-config.haste * boredom)),
        )

    def p_back(self, want: Values) -> Values:
        """Return the chance that a purchase is sent back, by its logit of being bought."""
        refunds = np.clip(self.sizes.refunds, 1e-9, 1 - 1e-9)
        return _logistic(np.log(refunds / (1 - refunds)) - self.config.fit * (want - _USUAL_FIT))

    def satisfaction(self, tally: Values) -> Values:
        """Return S of visits with these tallies."""
        config = self.config
        return np.asarray(tally @ np.array([config.pleased, config.glad, -config.sorry, -config.tired]))

    def p_churn(self, satisfaction: Values) -> Values:
        """Return the chance of never coming back."""
        return _logistic(self.config.churn - satisfaction)

    def mean_gap_days(self, satisfaction: Values) -> Values:
        """Return the mean of the days until the next visit."""
        return np.asarray(self.config.gap_days * np.exp(-self.config.sooner * satisfaction))

    def tire(self, state: State, slate: Rows) -> State:
        """Return the state with what the slate does to weariness, items shown and prices expected."""
        shown, lane = state.shown.copy(), np.arange(len(state))[:, None]
        np.add.at(shown, (lane, slate), 1)
        expects = state.expects + self.config.learns * (self.dear[slate] @ self.glance - state.expects)
        weary = self.config.keep * state.weary + self.by_category(slate, np.broadcast_to(self.glance, slate.shape))
        return state.but(weary=weary, shown=shown, expects=expects, step=state.step + 1)

    def by_category(self, slate: Rows, amount: NDArray[np.floating]) -> Values:
        """Return `[lanes, categories]`: the sums of `amount[lanes, slots]` over the categories of the slate."""
        cell = self.leaf[slate].astype(np.int64) + self.categories * np.arange(len(slate))[:, None]
        sums = np.bincount(cell.ravel(), weights=amount.ravel(), minlength=self.categories * len(slate))
        return np.asarray(sums.reshape(len(slate), self.categories), dtype=np.float64)

    def _dull(self, state: State, slate: Rows) -> Values:
        lane, leaf = np.arange(len(state))[:, None], self.leaf[slate]
        of_slate = (_above(leaf) * self.glance).sum(axis=2)
        return np.asarray(state.weary[lane, leaf] + of_slate + self.config.seen * state.shown[lane, slate])


def _above(rows: Rows) -> Mask:
    """Return `[lanes, slots, slots]`: whether the second slot stands above the first and holds the same."""
    same = rows[:, :, None] == rows[:, None, :]
    return np.asarray(np.tril(same, k=-1))


def _logistic(x: Values) -> Values:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _logit(p: Values) -> Values:
    return np.asarray(np.log(p / (1 - p)))
