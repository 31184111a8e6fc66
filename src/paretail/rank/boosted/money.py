"""Money: what a purchase of an item by a user is worth, from the lines that were bought.

    log value(u, i) = m + item_i + user_u
    item_i = Σ (y - m) / (n_i + ITEMS),   user_u = Σ (y - m - item_i) / (n_u + USERS)

y is the logarithm of what a line cost; means shrink towards 0 by so many lines. Values are multiplied by one number, so
that their sum over all lines is the sum that was paid, less what came back (a refund without a price takes back what
was usual). Source: none (empirical Bayes of a two-way table, one pass).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows, Vocabulary
from paretail.data.types import Events

Floats = NDArray[np.float64]

ITEMS, USERS = 3.0, 5.0
#: Values are learned from so many lines with a price at least.
FEWEST: Final = 20
#: The least share of the money that is taken to stay, whatever came back.
LEAST_KEPT: Final = 0.01


@dataclass(frozen=True, eq=False)
class Money:
    """Logarithms of each item's and each user's usual line, in minor units."""

    item: Floats
    user: Floats
    sigma: float = 0.0  # of the logarithms of single lines

    @classmethod
    def of(cls, events: Events, users: Vocabulary, items: Vocabulary) -> Self | None:
        """Learn from the purchases that have a price; None where there are too few."""
        if "price_minor" not in events.frame.columns:
            return None
        amount = pl.col("price_minor") * pl.col("quantity").fill_null(1.0)
        every = events.frame.select("user_id", "item_id", "kind", amount=amount)
        lines = every.filter((pl.col("kind") == "purchase") & (pl.col("amount") > 0))
        user, item = users.rows(lines["user_id"]), items.rows(lines["item_id"])
        there = (user >= 0) & (item >= 0)
        if there.sum() < FEWEST:
            return None
        user, item, paid = user[there], item[there], lines["amount"].to_numpy()[there].astype(np.float64)
        y = np.log(paid)
        of_item, y = _shrunk(item, y - y.mean(), len(items), ITEMS), y - y.mean()
        of_user = _shrunk(user, y - of_item[item], len(users), USERS)
        told = cls(of_item, of_user)
        spread = float((y - of_item[item] - of_user[user]).std())
        gross = cls(of_item + np.log(paid.sum() / told.values(user, item).sum()), of_user, spread)
        bought = pl.DataFrame({"user": user, "item": item}).unique()
        back = gross._came_back(every.filter(pl.col("kind") == "refund"), bought, users, items)
        kept = max(LEAST_KEPT, 1 - back / paid.sum())
        return cls(gross.item + np.log(kept), of_user, spread)

    def _came_back(self, refunds: pl.DataFrame, bought: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> float:
        """Return the sum of the refunds of pairs `bought`, of those without a price what such a purchase usually costs.

        What was bought without a price, or before the log, is no part of the money that was paid.
        """
        rows = refunds.select("amount", user=users.rows(refunds["user_id"]), item=items.rows(refunds["item_id"]))
        of_paid = rows.join(bought, on=["user", "item"], how="semi")
        usual = self.values(of_paid["user"].to_numpy(), of_paid["item"].to_numpy())
        told = of_paid["amount"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return float(np.where(np.isfinite(told), told, usual).sum())

    def values(self, user: Rows, item: Rows) -> Floats:
        """Return what purchases are worth in minor units; user -1 is somebody unknown."""
        habit = np.append(self.user, 0.0)[user]
        return np.asarray(np.exp(self.item[item] + habit))

    def quantiles(self, user: Rows, item: Rows, levels: Sequence[float]) -> Floats:
        """Return quantiles `[pairs, levels]` of a lognormal whose mean is that value."""
        z = np.array([NormalDist().inv_cdf(level) for level in levels])
        spread = np.exp(z * self.sigma - 0.5 * self.sigma**2)
        return np.asarray(self.values(user, item)[:, None] * spread)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps."""
        return {"item": self.item, "user": self.user, "sigma": np.array(self.sigma)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays()`."""
        return cls(np.array(arrays["item"]), np.array(arrays["user"]), float(arrays["sigma"]))


def _shrunk(row: Rows, y: Floats, rows: int, pseudo: float) -> Floats:
    return np.asarray(np.bincount(row, y, rows) / (np.bincount(row, minlength=rows) + pseudo))
