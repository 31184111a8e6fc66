"""What goals read of items as the shelf has them now: margins, prices, ages, columns of numbers.

An order of an item whose price has changed since the bundle was trained is worth as many times more or less as the
price: what the ranker expects is of the old one. Labels (category, brand) are those of the bundle: what it learned of
users is about them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.shelf import Shelf
from paretail.data.types import Explanations, Predictions
from paretail.policy.pool import Floats, Wares

#: What a price is called among columns of numbers.
PRICE = "price_minor"


@dataclass(eq=False)
class LiveWares:
    """See the module; safe to share by threads. What was made is kept until the shelf changes."""

    shelf: Shelf
    first_price: NDArray[np.int64]
    _times: tuple[int, NDArray[np.float64] | None] = (-1, None)
    _made: tuple[int, Wares | None] = (-1, None)

    @classmethod
    def of(cls, shelf: Shelf) -> "LiveWares":
        """Take the prices of the bundle down, before documents are put on its shelf."""
        return cls(shelf, shelf.price_minor[: shelf.learned].copy())

    def dearer(self, rows: Rows) -> NDArray[np.float64]:
        """Return how many times the price that the bundle knows items cost now; 1 where either is unknown."""
        version, known = self.shelf.version, self._times
        if known[0] != version:
            now = self.shelf.price_minor[: self.shelf.learned]
            there = (now > 0) & (self.first_price > 0)
            times = np.divide(now, self.first_price, out=np.ones(len(now)), where=there)
            known = self._times = (version, None if (times == 1).all() else times)
        return np.ones(len(rows)) if known[1] is None else known[1][rows]

    def priced(self, told: Predictions, rows: Rows) -> Predictions:
        """Return predictions for `rows` with orders at the prices of now."""
        return replace(told, order_value=told.order_value * self.dearer(rows))

    def explained(self, told: Explanations, rows: Rows) -> Explanations:
        """Return explanations for `rows` with orders at the prices of now: what these move counts for the price."""
        times = self.dearer(rows)
        if "value" not in told.tasks or (times == 1).all():
            return told
        task, group = told.tasks.index("value"), told.groups.index("price")
        predicted, parts = told.predicted.copy(), told.contributions.copy()
        predicted[:, task] *= times
        parts[:, task, group] += np.log(times)
        return replace(told, predicted=predicted, contributions=parts)

    def now(self, wares: Wares) -> Wares:
        """Return what goals read, `wares` being the bundle's."""
        version, made = self.shelf.version, self._made
        if made[0] == version and made[1] is not None:
            return made[1]
        shelf, size = self.shelf, self.shelf.learned
        price = shelf.price_minor[:size]
        columns = {name: values if (told := shelf.numbers(name)) is None else _floats(told[:size])
                   for name, values in wares.columns.items()}  # fmt: skip
        if PRICE in columns:
            columns[PRICE] = np.where(price < 0, np.nan, price).astype(np.float32)
        found = replace(wares, margin=_floats(shelf.margin[:size]), columns=columns,
                        created_ts_ms=shelf.created_ts_ms[:size].astype(np.int64))  # fmt: skip
        self._made = (version, found)
        return found


def _floats(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)
