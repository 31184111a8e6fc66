"""Features of (user, item) pairs as of a moment: what the user did around the item's kind before, price, age, time.

    lift(u, l) = log ((n_ul + a s_l) / ((n_u + a) s_l)),   s_l the share of label l in all events of that sort

is how much more a user meets a label (category, brand) than people do, drawn towards 0 by a pseudo-events. Ratios and
not counts, because counts grow with the log: a ranker would be asked about larger ones than it ever saw.

One code for training and serving: both give a History and the moment of each pair, and every figure counts what lies
strictly before that moment. Only the shares s_l and the standard of each column (mean, deviation) are of a whole log;
a bundle keeps them. What all people did with an item is counted in the log itself, which the bundle keeps too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.data.features import past, windows
from paretail.data.features.windows import WEEK_MS, Demand
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import History

Dense = NDArray[np.float32]
Ints = NDArray[np.int64]

#: Groups of features, as explanations name them, and the columns of each.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "exposure": ("shown_lift", "shown_often"),
    "interest": ("category_lift", "brand_lift"),
    "past with the item": ("had", "seen", "last"),
    "price": ("price_ratio", "price_level"),
    "freshness": ("new", "trend"),
    "recent activity": windows.ACTIVITY,
    "recent demand": windows.LIFTS,
    "moment": ("day_sin", "day_cos", "week_sin", "week_cos"),
}
NAMES: Final = tuple(name for names in GROUPS.values() for name in names)
#: Pseudo-events of lifts, by what is counted, and of the price level.
SHOWN, WISHED, PRICED = 20.0, 5.0, 5.0
#: A category is shown to a user more than so many times as often as to people: it is one of the user's own.
OFTEN: Final = 2.0
MONTH_WEEKS: Final = 4
#: Standardised features end here.
FARTHEST: Final = 5.0


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """What a catalogue says of each item, as numbers: codes are -1, prices NaN and times 0 where it says nothing."""

    category: Rows
    brand: Rows
    log_price: Dense
    price_ratio: Dense  # to the median of the category, as a logarithm; 0 unknown
    created_ms: Ints

    @classmethod
    def of(cls, items: pl.DataFrame) -> Self:
        """Read a catalogue whose rows are the items' rows."""
        there = items.columns
        nothing = pl.lit(None, pl.String)
        price = pl.col("price_minor") if "price_minor" in there else pl.lit(None, pl.Int64)
        created = pl.col("created_ts_ms") if "created_ts_ms" in there else pl.lit(None, pl.Int64)
        found = items.select(
            "item_id",  # of one that tells nothing else there would be one row for all
            category=pl.col("category").list.join(" > ") if "category" in there else nothing,
            brand=pl.col("brand") if "brand" in there else nothing,
            log=pl.when(price > 0).then(price.cast(pl.Float64).log()),
            created=created.fill_null(0),
        ).with_columns(ratio=pl.col("log") - pl.col("log").median().over("category"))
        numbers = {name: found[name].to_numpy().astype(np.float32) for name in ("log", "ratio")}
        return cls(
            _codes(found["category"]), _codes(found["brand"]), numbers["log"],
            np.nan_to_num(numbers["ratio"]), found["created"].to_numpy().astype(np.int64),
        )  # fmt: skip


def standard_of(raw: Dense) -> tuple[Dense, Dense]:
    """Return the mean of each column and one over its deviation, 0 where it is constant, or nothing is known."""
    if not len(raw):
        return np.zeros(raw.shape[1], np.float32), np.zeros(raw.shape[1], np.float32)
    mean, deviation = raw.mean(axis=0, dtype=np.float64), raw.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0.0)
    return mean.astype(np.float32), scale.astype(np.float32)


def standardised(raw: Dense, mean: Dense, scale: Dense) -> Dense:
    """Return features by the standard of `standard_of`, cut FARTHEST deviations from the mean."""
    found = raw - mean
    found *= scale
    return np.asarray(np.clip(found, -FARTHEST, FARTHEST, out=found), np.float32)


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Computes features; `shares` are those of the labels in the log that it learned from, `mean` and `scale` its own.

    `rates` are that log's (`Demand.rates`), `demand` what happened to each item in the log that a bundle keeps.
    """

    facts: ItemFacts
    shares: Mapping[str, Dense]
    rates: NDArray[np.float64]
    demand: Demand
    mean: Dense = field(default_factory=lambda: np.zeros(len(NAMES), np.float32))
    scale: Dense = field(default_factory=lambda: np.ones(len(NAMES), np.float32))

    @classmethod
    def of(cls, items: pl.DataFrame, history: History) -> Self:
        """Take the shares of labels from a log; features are not standardised yet."""
        facts = ItemFacts.of(items)
        told = says(history)
        shown, turned = told == past.SHOWN, told >= past.TURNED
        shares = {
            "shown": _share(facts.category[history.item_idx[shown]], facts.category),
            "category": _share(facts.category[history.item_idx[turned]], facts.category),
            "brand": _share(facts.brand[history.item_idx[turned]], facts.brand),
        }
        demand = _demand(items.height, history)
        return cls(facts, shares, demand.rates, demand)

    def standardised_by(self, raw: Dense) -> Self:
        """Return the same with the mean and deviation of these features; one that is constant becomes 0."""
        mean, scale = standard_of(raw)
        return replace(self, mean=mean, scale=scale)

    @property
    def constant(self) -> tuple[str, ...]:
        """What is said of the columns that were the same for every pair, and so count nothing; empty without any."""
        names = [name for name, scale in zip(NAMES, self.scale, strict=True) if scale == 0]
        return (f"the same for every impression, and so without a say: {', '.join(names)}",) if names else ()

    def matrix(self, history: History, user_idx: Rows, item_idx: Rows, ts_ms: Ints) -> Dense:
        """Return standardised features `[pairs, NAMES]` of users of `history` and items, as of `ts_ms[pairs]`."""
        return self.standard(self.raw(history, user_idx, item_idx, ts_ms))

    def standard(self, raw: Dense) -> Dense:
        """Standardise what `raw` returned."""
        return standardised(raw, self.mean, self.scale)

    def raw(self, history: History, user_idx: Rows, item_idx: Rows, ts_ms: Ints) -> Dense:
        """Return the features as they are."""
        user, item = user_idx.astype(np.int64), item_idx.astype(np.int64)
        columns = {
            **self._of_users(history, user, item, ts_ms), **self._of_items(item, ts_ms), **_moment(ts_ms),
        }  # fmt: skip
        found = np.empty((len(NAMES), len(item)), np.float32)
        for place, name in enumerate(NAMES):
            found[place] = columns[name]
        return np.ascontiguousarray(found.T)

    def _of_users(self, history: History, user: Ints, item: Ints, ts_ms: Ints) -> dict[str, NDArray[Any]]:
        """Return what users did of late, and of what was between them and items before, what `_of_pairs` makes."""
        order, told = np.lexsort((ts_ms, user)), says(history)
        facts, events = self.facts, (history.indptr, history.item_idx, told, history.ts_ms)
        sums = past.gathered(events, (facts.category, facts.brand, facts.log_price), user, item, ts_ms, order)
        lately = windows.activity(history.indptr, told, history.ts_ms, user, ts_ms, order)
        return self._of_pairs(sums, item) | dict(zip(windows.ACTIVITY, lately.T, strict=True))

    def _of_pairs(self, told: Mapping[str, NDArray[Any]], item: Ints) -> dict[str, NDArray[Any]]:
        """Return how much more the user meets, and likes, the item's kind than people do; their past; its price."""
        facts = self.facts
        category, brand, level = facts.category[item], facts.brand[item], np.zeros(len(item))
        lift = self._lift("shown", category, told["category_shown"], told["shown"], SHOWN)
        _fill_level(facts.log_price, item, told["paid"], told["priced"], level)
        return {
            "shown_lift": lift, "shown_often": lift > np.log(OFTEN),
            "category_lift": self._lift("category", category, told["category_turned"], told["turned"], WISHED),
            "brand_lift": self._lift("brand", brand, told["brand_turned"], told["branded"], WISHED),
            "had": np.log1p(told["had"]), "seen": np.log1p(told["seen"]),
            "last": 1 / (1 + told["since_last_ms"] / DAY_MS),
            "price_ratio": facts.price_ratio[item], "price_level": level,
        }  # fmt: skip

    def _lift(self, name: str, label: Rows, of_label: NDArray[Any], of_user: NDArray[Any],
              pseudo: float) -> NDArray[Any]:  # fmt: skip
        found = np.zeros(len(label))
        _fill_lift(self.shares[name], label, of_label, of_user, pseudo, found)
        return found

    def _of_items(self, item: Ints, ts_ms: Ints) -> dict[str, NDArray[Any]]:
        """Return how new the item is (1 on its first day, 0 for ever), its week against its month, what came of it."""
        known = self.demand.known(ts_ms)
        counts, ages = self.demand.before(item, known), np.zeros((2, len(item)))
        _fill_ages(self.facts.created_ms, item, ts_ms, known - self.demand.start_ms, counts, *ages)
        return {"new": ages[0], "trend": np.log(ages[1])} | windows.lifts(counts, self.rates)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a bundle keeps beside the catalogue."""
        shares = {f"share_{name}": part for name, part in self.shares.items()}
        return {"mean": self.mean, "scale": self.scale, "rates": self.rates, **shares}

    @classmethod
    def from_arrays(cls, items: pl.DataFrame, history: History, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays()`, and the catalogue and the log that the bundle keeps."""
        shares = {name: arrays[f"share_{name}"] for name in ("shown", "category", "brand")}
        told = arrays["rates"], _demand(items.height, history), arrays["mean"], arrays["scale"]
        return cls(ItemFacts.of(items), shares, *told)


@njit(cache=True, nogil=True)
def _fill_lift(share, label, of_label, of_user, pseudo, found):  # type: ignore[no-untyped-def]
    """Fill the lifts of pairs; those of items without a label, and of a log without labels, stay."""
    for pair in range(len(label)):
        if 0 <= label[pair] < len(share):
            usual = np.float64(share[label[pair]])
            found[pair] = np.log((of_label[pair] + pseudo * usual) / ((of_user[pair] + pseudo) * usual))


@njit(cache=True, nogil=True)
def _fill_level(log_price, item, paid, priced, found):  # type: ignore[no-untyped-def]
    """Fill how far items' prices are from what their users pay; those of items without a price stay."""
    for pair in range(len(item)):
        price = np.float64(log_price[item[pair]])
        if np.isfinite(price) and priced[pair] > 0:
            found[pair] = (price - paid[pair] / priced[pair]) * priced[pair] / (priced[pair] + PRICED)


@njit(cache=True, nogil=True)
def _fill_ages(created, item, now, told_ms, counts, new, trend):  # type: ignore[no-untyped-def]
    """Fill how new items are, and their week over their month; the log may be younger (`told_ms`) than that."""
    for pair in range(len(item)):
        born, weeks = created[item[pair]], min(max(told_ms[pair] / WEEK_MS, 1.0), MONTH_WEEKS)
        if born > 0:
            new[pair] = 1 / (1 + max(now[pair] - born, 0) / WEEK_MS)
        trend[pair] = (counts[0, pair] + 1) / (counts[1, pair] / weeks + 1)


def wished(history: History) -> NDArray[np.bool_]:
    """Say of each event whether somebody turned to the item."""
    return np.asarray(says(history) >= past.TURNED)


def says(history: History) -> NDArray[np.uint8]:
    """Return what each event says: SHOWN, TURNED (to the item), BOUGHT (which is that too), or NOTHING (`past.py`)."""
    return _saying(history.kinds)[history.kind]


@lru_cache
def _saying(kinds: tuple[str, ...]) -> NDArray[np.uint8]:
    told = {kind: past.TURNED for kind in kinds if kind not in NOT_TARGETS}
    told |= {"impression": past.SHOWN, "purchase": past.BOUGHT}
    return np.array([told.get(kind, past.NOTHING) for kind in kinds] or [past.NOTHING], np.uint8)


def _demand(items: int, history: History) -> Demand:
    return Demand.counted(items, history.item_idx, says(history), history.ts_ms)


def _codes(column: pl.Series) -> Rows:
    """Return the place of each value among the distinct ones in order, -1 for none."""
    values = column.drop_nulls().unique().sort()
    places = pl.DataFrame({"value": values, "code": np.arange(len(values), dtype=np.int32)})
    joined = pl.DataFrame({"value": column}).join(places, on="value", how="left", maintain_order="left")
    return joined["code"].fill_null(-1).to_numpy().astype(np.int32)


def _share(codes: Rows, labels: Rows) -> Dense:
    """Return the share of each label among `codes`, each label counted once more than it occurs."""
    size = int(labels.max(initial=-1)) + 1
    counts = np.bincount(codes[codes >= 0], minlength=size).astype(np.float64) + 1
    return np.asarray(counts / max(counts.sum(), 1), np.float32)


def _moment(ts_ms: Ints) -> dict[str, NDArray[Any]]:
    """Return the time of day and week as points of a circle; Monday 1970-01-05 begins a week."""
    if len(ts_ms) and (ts_ms == ts_ms[0]).all():
        ts_ms = ts_ms[:1]  # of all pairs, as in an answer
    day, week = 2 * np.pi * (ts_ms % DAY_MS) / DAY_MS, 2 * np.pi * ((ts_ms - 4 * DAY_MS) % WEEK_MS) / WEEK_MS
    return {"day_sin": np.sin(day), "day_cos": np.cos(day), "week_sin": np.sin(week), "week_cos": np.cos(week)}
