"""What a recommender can observe of a visit, for one user or many: never weariness, appeal or satisfaction.

- `user` [19]: tastes for looking and for buying (8 each), thrift, budget and activity, as a shop has learnt them: with
  an error of standard deviation `blur`, fixed for each user.
- `session` [2 categories + 3]: the share of the slots, and of the clicks, of this visit that each category had; slates
  seen / `longest`, days since the first visit / `days`, and whether this is a later visit.
- `last` [features]: the vector of the item clicked last in this visit, 0 where none was.
- `slate` [slots]: rows of the last slate, in a life that of the visit before too; -1 where there was none.
- `clicked` [slots]: 1 where the last slate was clicked on.

`item_vectors[items, features]`: vectors for looking and for buying (8 each), popularity, log of the price relative to
what is usual in the category, margin, and one column for each category.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.rng import rng_for
from paretail.sim.truth import Matrix
from paretail.sim.visits import State, Visits

Observation = dict[str, NDArray[Any]]
#: No number of an observation is larger.
LARGEST: Final = 10.0


class Observer:
    """Turns states into observations of one shop; reading costs a few gathers."""

    def __init__(self, shop: Visits) -> None:
        self.shop = shop
        self.users = _learnt(shop)
        self.items = item_vectors(shop)
        self._with_none = np.vstack([self.items, np.zeros(self.items.shape[1], dtype=np.float32)])

    def __call__(self, state: State) -> Observation:
        """Return the observation of every lane, rows first."""
        return {
            "user": self.users[state.user],
            "session": self._session(state),
            "last": self._with_none[state.last],
            "slate": state.slate.astype(np.int64),
            "clicked": state.clicked.astype(np.int8),
        }

    def _session(self, state: State) -> NDArray[np.float32]:
        config = self.shop.config
        share = state.told / np.maximum(state.told.sum(axis=2, keepdims=True), 1.0)
        where = [state.step / config.longest, np.minimum(state.day / config.days, 1.0), state.visit > 0]
        return np.hstack([share.reshape(len(state), -1), np.stack(where, axis=1)]).astype(np.float32)


def item_vectors(shop: Visits) -> NDArray[np.float32]:
    """Return `[items, features]`: what a shop knows of its items."""
    goods = shop.truth.goods
    category = np.eye(shop.categories)[shop.leaf]
    numbers = np.stack([goods.pull, shop.dear, goods.margin], axis=1)
    return _bounded(np.hstack([goods.looks, goods.serves, numbers, category]))


def _learnt(shop: Visits) -> NDArray[np.float32]:
    people = shop.truth.people
    numbers = np.stack([people.thrift, people.budget, people.activity], axis=1)
    true = np.hstack([people.likes, people.wants, numbers])
    error = rng_for("sim/observe", 0).standard_normal(true.shape)
    return _bounded(true + shop.config.blur * error)


def _bounded(values: Matrix) -> NDArray[np.float32]:
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32)
