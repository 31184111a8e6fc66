"""The truth of the demo shop: who likes what, and the exact chance of every click and purchase.

A user has one taste for looking and one for buying (correlation 0.7), both drawn around the user's audience; an item
has the two matching vectors, drawn around its category, which is drawn around its department. With a, b the user's
and c, d the item's vectors of length `dim`, σ the logistic function and `pull` the item's popularity:

    P(look at i | u)     = softmax_i(1.4 a·c / √dim + 0.8 pull)            a product page that the user opens unasked
    P(click | u, i, r)   = σ(-3.1 + 0.9 a·c / √dim + 0.5 pull) · bias[r]    an item shown at position r, bias[1] = 1
    P(purchase | u, i)   = σ(-3.3 + 0.9 b·d / √dim - thrift·(log(price / category's) - budget))   after a look or click
    value                = price · (1 + more · (1 if used up, else 0.2))    of an order line, given a purchase
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.clock import DAY_MS
from paretail.core.config import Config
from paretail.core.ids import Rows
from paretail.sim.words import DEPARTMENTS, LEAVES

Values = NDArray[np.float64]
Matrix = NDArray[np.float64]
Times = NDArray[np.int64]
NEVER: Final = np.iinfo(np.int64).max
_DIM: Final = 8
_AUDIENCES: Final = 12
_RHO: Final = 0.7


class SimConfig(Config):
    """The size and the habits of a demo shop."""

    users: int = Field(5000, ge=1, description="How many users.")
    items: int = Field(2000, ge=40, description="How many items.")
    events: int = Field(400_000, ge=1, description="About how many events; a few per cent more or less.")
    days: int = Field(60, ge=1, description="How many days the log covers.")
    start_ms: int = Field(1_756_684_800_000, description="When the log begins, milliseconds UTC.")
    slots: int = Field(6, ge=1, description="Items shown in one recommendation.")
    looks: float = Field(5.0, ge=0, description="Mean number of product pages opened unasked in a session.")
    repeats: float = Field(0.55, ge=0, le=1, description="Chance that a thing used up is bought again.")
    refunds: float = Field(0.03, ge=0, le=1, description="Share of purchases that are sent back.")

    @property
    def end_ms(self) -> int:
        """When the log ends."""
        return self.start_ms + self.days * DAY_MS


@dataclass(frozen=True, eq=False)
class People:
    """What the users are like; one entry a user."""

    likes: Matrix
    wants: Matrix
    thrift: Values
    budget: Values
    more: Values
    activity: Values
    audience: Rows


@dataclass(frozen=True, eq=False)
class Goods:
    """What the items are like; one entry an item. `shelf` is the part of the catalogue that one slot draws from."""

    looks: Matrix
    serves: Matrix
    pull: Values
    leaf: Rows
    shelf: Rows
    price_minor: Times
    margin: Values
    created_ms: Times
    gone_ms: Times
    cycle_days: Values


@dataclass(frozen=True, eq=False)
class Truth:
    """Exact expectations for any rows of users and items; rows are those of the shop's vocabularies.

    `shown[audiences, items]` is the logging policy: the chance that the item stands at one given position, the same
    at every position.
    """

    config: SimConfig
    people: People
    goods: Goods
    shown: Matrix

    @property
    def bias(self) -> Values:
        """The chance that a position is looked at, relative to the first."""
        return np.asarray(1.0 / (1.0 + 0.3 * np.arange(self.config.slots)), dtype=np.float64)

    def p_click(self, users: Rows, items: Rows) -> Values:
        """Return the chance of a click at position 1, pair by pair."""
        return _logistic(-3.1 + 0.9 * self._liking(users, items) + 0.5 * self.goods.pull[items])

    def p_purchase(self, users: Rows, items: Rows) -> Values:
        """Return the chance that a look or click ends in a purchase, for a user who did not buy the item yet."""
        wanting = (self.people.wants[users] * self.goods.serves[items]).sum(axis=-1) / np.sqrt(_DIM)
        return _logistic(-3.3 + 0.9 * wanting - self._too_dear(users, items))

    def value(self, users: Rows, items: Rows) -> Values:
        """Return the expected value of the order line in minor units, given a purchase."""
        units = np.where(np.isnan(self.goods.cycle_days), 0.2, 1.0)[items]
        return np.asarray(self.goods.price_minor[items] * (1 + self.people.more[users] * units))

    def p_look(self, users: Rows) -> Matrix:
        """Return `[users, items]`: the chance that a page opened unasked is that of the item; rows sum to 1."""
        logit = 1.4 * self.people.likes[users] @ self.goods.looks.T / np.sqrt(_DIM) + 0.8 * self.goods.pull
        odds = np.exp(logit - logit.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def on_sale(self, ts_ms: int | None = None) -> NDArray[np.bool_]:
        """Return which items can be bought at a moment, by default the end of the log."""
        at = self.config.end_ms if ts_ms is None else ts_ms
        return np.asarray((self.goods.created_ms <= at) & (at < self.goods.gone_ms))

    def oracle(self, users: Rows, ts_ms: int | None = None) -> Matrix:
        """Return `[users, items]`: looks in one session expected to end in a new purchase; no ranking does better.

        That is for items that the user did not buy yet: take out those bought before ranking. 0 for what is not on
        sale at the moment.
        """
        everything = np.arange(len(self.goods.pull), dtype=np.int32)
        user, item = users[:, None], everything[None, :]
        by_self = self.config.looks * self.p_look(users)
        by_slate = self.shown[self.people.audience[users]] * self.bias.sum() * self.p_click(user, item)
        return np.asarray((by_self + by_slate) * self.p_purchase(user, item) * self.on_sale(ts_ms))

    def _liking(self, users: Rows, items: Rows) -> Values:
        return np.asarray((self.people.likes[users] * self.goods.looks[items]).sum(axis=-1) / np.sqrt(_DIM))

    def _too_dear(self, users: Rows, items: Rows) -> Values:
        usual = 100 * np.array([leaf.price for _, leaf in LEAVES])[self.goods.leaf[items]]
        dear = np.log(self.goods.price_minor[items] / usual) - self.people.budget[users]
        return np.asarray(self.people.thrift[users] * dear)


def grow(config: SimConfig, rng: np.random.Generator) -> Truth:
    """Draw the users, the items and what the shop believes of its audiences."""
    centre = rng.standard_normal((_AUDIENCES, _DIM))
    people, goods = _people(config, centre, rng), _goods(config, rng)
    believed = centre @ goods.looks.T + 2.0 * rng.standard_normal((_AUDIENCES, config.items))
    weight = np.exp(0.8 * goods.pull + 0.4 * believed)
    shown = np.zeros(weight.shape)
    for shelf in range(config.slots):
        on = goods.shelf == shelf
        shown[:, on] = weight[:, on] / weight[:, on].sum(axis=1, keepdims=True) / config.slots
    return Truth(config, people, goods, shown)


def _people(config: SimConfig, centre: Matrix, rng: np.random.Generator) -> People:
    users = config.users
    audience = rng.integers(len(centre), size=users).astype(np.int32)
    likes = 0.75 * centre[audience] + 0.66 * rng.standard_normal((users, _DIM))
    return People(
        likes=likes,
        wants=_RHO * likes + np.sqrt(1 - _RHO**2) * rng.standard_normal((users, _DIM)),
        thrift=np.exp(rng.normal(0.0, 0.4, users)),
        budget=rng.normal(0.0, 0.3, users),
        more=rng.gamma(1.0, 0.35, users),
        activity=rng.gamma(0.9, 1.0, users),
        audience=audience,
    )


def _goods(config: SimConfig, rng: np.random.Generator) -> Goods:
    items = config.items
    leaf = rng.permutation(np.arange(items) % len(LEAVES)).astype(np.int32)
    department = np.repeat(rng.standard_normal((len(DEPARTMENTS), _DIM)), len(LEAVES) // len(DEPARTMENTS), axis=0)
    centre = 0.75 * department + 0.66 * rng.standard_normal((len(LEAVES), _DIM))
    looks = 0.8 * centre[leaf] + 0.6 * rng.standard_normal((items, _DIM))
    usual = np.array([leaf.price for _, leaf in LEAVES])[leaf]
    created, gone = _on_sale_times(config, rng)
    return Goods(
        looks=looks,
        serves=_RHO * looks + np.sqrt(1 - _RHO**2) * rng.standard_normal((items, _DIM)),
        pull=rng.standard_normal(items),
        leaf=leaf,
        shelf=(rng.permutation(items) % config.slots).astype(np.int32),
        price_minor=_price_points(usual * np.exp(rng.normal(0.0, 0.35, items))),
        margin=np.round(rng.uniform(0.1, 0.6, items), 3),
        created_ms=created,
        gone_ms=gone,
        cycle_days=np.array([leaf.cycle_days or np.nan for _, leaf in LEAVES])[leaf],
    )


def _on_sale_times(config: SimConfig, rng: np.random.Generator) -> tuple[Times, Times]:
    """One item in twelve comes during the log, one in twenty sells out in its last third; the rest are always there."""
    items, span = config.items, config.end_ms - config.start_ms
    before = config.start_ms - rng.integers(1, 720, items) * DAY_MS
    late = config.start_ms + (span * rng.random(items)).astype(np.int64)
    created = np.where(rng.random(items) < 1 / 12, late, before)
    sold_out = config.start_ms + (span * (2 / 3 + rng.random(items) / 3)).astype(np.int64)
    sells_out = (rng.random(items) < 1 / 20) & (created < config.start_ms)
    return created, np.where(sells_out, sold_out, NEVER)


def _price_points(major: Values) -> Times:
    """Return prices as shops write them, in minor units: 3.49, 24.99, 180.00 becomes 179.00."""
    small = np.ceil(major * 2) * 50 - 1
    large = np.ceil(major / 10) * 1000 - 100
    return np.asarray(np.where(major < 100, small, large), dtype=np.int64)


def _logistic(x: Values) -> Values:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
