"""The boosted ranker: click, cart, purchase and value of any pair where the log does not tell what was shown.

    p_click = max_l P_l,   p_cart = P_cart / p_click,   p_purchase = P_purchase / p_click,   P_l of `levels.py`

What a probability is of follows from how the question was asked (`report`): that it happens within so many days, or
with the next pair that the user turns to. Each mode that lists are made in has levels of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError
from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.types import Explanations, History, Predictions
from paretail.rank.boosted.columns import Columns, Retrieve
from paretail.rank.boosted.explain import GROUPS, split, with_money
from paretail.rank.boosted.levels import Funnel, Gain, Level
from paretail.rank.boosted.money import Money
from paretail.rank.boosted.questions import LEVELS, blocks, level_of
from paretail.rank.boosted.trees import Trees
from paretail.rank.calibration import Platt

Floats = NDArray[np.float64]
#: The word by which a manifest tells this ranker from the network.
KIND = "boosted"
MONEY = "money/"
#: Directions of `item_vectors`.
DIM = 32


@dataclass(frozen=True, eq=False)
class BoostedRanker:
    """See the module. `mode` is that which predictions are for; `items`, `log` and `retrieve` are the bundle's."""

    modes: Mapping[Mode, Mapping[str, Level]]
    mode: Mode
    money: Money | None
    items: pl.DataFrame
    log: History
    target: str
    retrieve: Retrieve
    report: Mapping[str, Any] = field(default_factory=dict)

    def under(self, mode: Mode) -> Self:
        """Return the ranker of lists made in another mode; where that was not learned, the same."""
        return replace(self, mode=mode) if mode in self.modes and mode != self.mode else self

    def places(self, history: History, user_idx: Rows, item_idx: Rows, ts_ms: NDArray[np.int64]) -> Floats:
        """Return what lists are ordered by where training was sure of a gain, between 0 and 1: no probability.

        Of the level that lists are for, with that share of the trees which was surest (`levels.py`); as in `predict`.
        """
        level, share = self.modes[self.mode][level_of(self.target)], self._share
        found = np.empty(len(user_idx))
        for pairs, x in self._blocks(history, user_idx, item_idx, ts_ms):
            found[pairs] = 1 / (1 + np.exp(-level.logits(x, share)))
        return found

    @property
    def _share(self) -> float:
        return Gain(**self.report["modes"][self.mode]["gain"]).share

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is predicted."""
        levels = self.modes[self.mode]
        value = ("value",) if self.money is not None and "purchase" in levels else ()
        return ("click", *(level for level in LEVELS[1:] if level in levels), *value)

    def predict(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows,
                ts_ms: NDArray[np.int64]) -> Predictions:  # fmt: skip
        """Return what is expected of users of `history` (`known` rows of the bundle, -1 new) and items.

        All of a user as of the newest of its `ts_ms`; every event of `history` counts as before it.
        """
        reached = {level: np.full(len(user_idx), np.nan) for level in LEVELS}
        for pairs, x in self._blocks(history, user_idx, item_idx, ts_ms):
            for name, level in self.modes[self.mode].items():
                reached[name][pairs] = level.probabilities(x)
        click = np.fmax.reduce(list(reached.values()))
        paid = np.full(len(user_idx), np.nan)
        if self.money is not None:
            paid = self.money.values(known[user_idx], item_idx)
        return Predictions(click, reached["cart"] / click, reached["purchase"] / click, reached["purchase"], paid)

    def order_quantiles(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows, ts_ms: NDArray[np.int64],
                        levels: Sequence[float]) -> Floats:  # fmt: skip
        """Return quantiles `[pairs, levels]` of what a purchase is worth in minor units; NaN without `value`."""
        if self.money is None:
            return np.full((len(user_idx), len(levels)), np.nan)
        return self.money.quantiles(known[user_idx], item_idx, levels)

    def explain(self, history: History, known: Rows, user_idx: Rows, item_idx: Rows,
                ts_ms: NDArray[np.int64]) -> Explanations:  # fmt: skip
        """Explain the levels of the same pairs, by Shapley values of their trees (`explain.py`).

        Cost: 500 pairs take .12 s a level on one thread. Raises UsageError (RANK-17) where the bundle was made
        by a version that did not keep what explanations need.
        """
        levels = self.modes[self.mode]
        if any(not level.trees.cover.any() for level in levels.values()):
            found = "the bundle's trees do not tell how many pairs reached their leaves: an earlier version made them"
            raise UsageError(Problem("RANK-17", found, "A bundle of this version", "Train again"))
        pairs = len(user_idx)
        predicted = np.empty((pairs, len(levels)))
        adds, usual = np.empty((pairs, len(levels), len(GROUPS))), np.zeros(len(levels))
        for at, x in self._blocks(history, user_idx, item_idx, ts_ms):
            predicted[at], adds[at], usual = split(levels, x, self._columns.names)
        told = Explanations(tuple(levels), GROUPS, adds, predicted, usual, given=False)
        if "value" not in self.tasks or self.money is None:
            return told
        often = np.bincount(self.log.item_idx, minlength=self.items.height).astype(np.float64) + 1e-9
        return with_money(told, self.money, known[user_idx], item_idx, often)

    def _blocks(self, history: History, user_idx: Rows, item_idx: Rows,
                ts_ms: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:  # fmt: skip
        """Yield which pairs, and their columns, as many users of one moment at once as fit into memory."""
        moment = np.zeros(history.users, np.int64)
        np.maximum.at(moment, user_idx, ts_ms)
        row = np.empty(history.users, np.int32)
        for now in np.unique(moment[user_idx]):
            together = np.flatnonzero(moment == now)
            for block in blocks(len(together), self._cells):
                users = together[block]
                row[:] = -1
                row[users] = np.arange(len(users))
                pairs = np.flatnonzero(row[user_idx] >= 0)
                yield pairs, self._matrix(history.of_users(users), row[user_idx[pairs]], item_idx[pairs], int(now))

    def _matrix(self, history: History, user: Rows, item: Rows, moment_ms: int) -> NDArray[np.float32]:
        told = self.retrieve(history, self.mode).columns(user, item)
        own = self._columns.matrix(history, user, item, moment_ms)
        return np.concatenate([told, own], axis=1, dtype=np.float32)

    @property
    def end_ms(self) -> int:
        """The end of the log."""
        return int(self.log.ts_ms.max(initial=0))

    def attention(self, slots: int) -> Floats:
        """Return P(seen at a position): the discount of NDCG, since nothing tells where items were shown."""
        return np.asarray(1 / np.log2(np.arange(2, slots + 2)))

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """Each item's users in DIM random directions: cosines are about those of the sets of users."""
        users = np.random.default_rng(0).normal(size=(self.log.users, DIM)).astype(np.float32)
        vectors = np.zeros((self.items.height, DIM), np.float32)
        np.add.at(vectors, self.log.item_idx, users[self.log.user_idx])
        return vectors

    @cached_property
    def _columns(self) -> Columns:
        return Columns.of(self.items, self.log, self.target)

    @property
    def _cells(self) -> int:
        return 12 * len(self._columns.of_items)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps beside its model, catalogue and log."""
        found = {
            f"{mode}/{name}/{key}": array
            for mode, levels in self.modes.items() for name, level in levels.items()
            for key, array in level.trees.arrays().items()
        }  # fmt: skip
        money = {} if self.money is None else self.money.arrays()
        return found | {f"{MONEY}{key}": array for key, array in money.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest tells of the ranker, as plain values."""
        numbers = {
            mode: {
                name: {"a": level.a, "b": level.b, "platt": vars(level.platt), "usual": level.usual}
                for name, level in levels.items()
            }
            for mode, levels in self.modes.items()
        }
        return {"kind": KIND, "tasks": list(self.tasks), "mode": self.mode, "levels": numbers,
                "report": dict(self.report)}  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], items: pl.DataFrame,
                    history: History, target: str, retrieve: Retrieve) -> Self:  # fmt: skip
        """Rebuild from `arrays()` and `facts`, the bundle's catalogue, its log, and what asks its model."""

        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

        modes = {
            mode: {
                name: Level(told["a"], told["b"], Trees.from_arrays(part(f"{mode}/{name}/")), Platt(**told["platt"]),
                            told.get("usual", 0.0))
                for name, told in levels.items()
            }
            for mode, levels in facts["levels"].items()
        }  # fmt: skip
        money = Money.from_arrays(part(MONEY)) if part(MONEY) else None
        return cls(modes, facts["mode"], money, items, history, target, retrieve, facts["report"])


def told(funnels: Mapping[Mode, Funnel], asks: Mapping[Mode, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the report of what was learned in each mode."""
    return {mode: {**funnel.report, "gain": vars(funnel.gain), **asks[mode]} for mode, funnel in funnels.items()}


def levels_of(funnels: Mapping[Mode, Funnel]) -> dict[Mode, Mapping[str, Level]]:
    """Return the levels of each mode."""
    return {mode: funnel.levels for mode, funnel in funnels.items()}


def lines_of(facts: Mapping[str, Any], names: Mapping[Mode, str]) -> Sequence[str]:
    """Say in a line a mode what was learned and whether lists gain by it."""
    lines = []
    for mode, line in facts["report"]["modes"].items():
        gain = Gain(**line["gain"])
        use = f"lists are put in its order, by {gain.share:g} of what trees add" if gain.sure else _unsure(gain)
        lines.append(
            f"{names[mode]}: NDCG@20 {gain.ndcg:.4f}, {gain.gain:+.4f} ± {gain.error:.4f} in the ranker's order on "
            f"{gain.questions:,} users; {use}"
        )
    return lines


def _unsure(gain: Gain) -> str:
    """Say why lists keep the model's order."""
    if not gain.ahead:
        return "lists keep the model's order: it could not be judged on two later windows of time"
    if min(gain.each, default=0.0) < 0:
        worse = ", ".join(f"{one:+.4f}" for one in gain.each)
        return f"lists keep the model's order: it was better on one window and worse on another ({worse})"
    return "lists keep the model's order: not above 2 standard errors"
