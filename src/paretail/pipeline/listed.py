"""Lists of a log: what was shown at each place, with which odds, and what it brought.

A list is a request at one placement: the lists of a page share their request. The store's exports keep the placement in
the names of impressions (`data/stores/lists.py`); of another log a request is one list. Lists of a page that choose
among something else than the retriever's candidates (what is trending, new, ...) are left out unless they are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.data.attribution import following, outcomes, window_ms
from paretail.data.stores.lists import PLACEMENT
from paretail.data.types import Events
from paretail.pipeline.live.bodies.words import Placement
from paretail.pipeline.recommender import Recommender

FEWEST_LISTS: Final = 100
#: What is at a place: no item, or one that the bundle does not know.
NOTHING, UNKNOWN = -1, -2
#: Places at the end that fewer than this share of the lists have are not looked at.
RARE: Final = 0.05
LIST: Final = ("request_id", "placement")
#: Lists of a page with candidates of their own; a second one of a placement has a number after its name.
OWN: Final = tuple(name for name in get_args(Placement) if name != "for-you")
_IS_OWN: Final = pl.col("placement").str.replace(r" \d+$", "").is_in(OWN).fill_null(False)
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists that were shown, `[lists, slots]`: items (or NOTHING, UNKNOWN), propensities (NaN: not told), what came.

    `brought[goal]` is money in minor units or a count. `remarks` tell what of the log is left out.
    """

    user_ids: pl.Series
    item_idx: NDArray[np.int32]
    propensity: Floats
    brought: Mapping[str, Floats]
    remarks: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """Length of the longest list."""
        return int(self.item_idx.shape[1])

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which places each list has, `[lists, slots]`."""
        return np.asarray(self.item_idx != NOTHING)

    @classmethod
    def of(cls, events: Events, recommender: Recommender, window_hours: float, slots: int,
           placement: str | None = None) -> "Lists":  # fmt: skip
        """Gather lists up to `slots` positions, of one placement or all.

        Raises DataError (POL-11) where there are too few.
        """
        found, left = _impressions(events, window_hours, slots, placement)
        lists = found.select(*LIST, "user_id").unique(LIST, maintain_order=True).with_row_index("list")
        if lists.height < FEWEST_LISTS:
            raise DataError(_few(lists.height, events, placement))
        found = found.join(lists.select(*LIST, "list"), on=LIST, nulls_equal=True, maintain_order="left")
        at = found["list"].to_numpy(), found["position"].to_numpy() - 1

        def spread(values: Any, empty: float) -> Any:
            full = np.full((lists.height, slots), empty)
            full[at] = values
            return full

        item = recommender.items.rows(found["item_id"])
        happened = _happened(found, np.nan_to_num(recommender.steering.wares.margin), item)
        propensity = found["propensity"].to_numpy().astype(np.float64)
        rows = spread(np.where(item >= 0, item, UNKNOWN), NOTHING).astype(np.int32)
        brought = {goal: spread(values, 0.0) for goal, values in happened.items()}
        return cls(lists["user_id"], rows, spread(propensity, np.nan), brought, tuple(left)).common().with_odds()

    def common(self) -> "Lists":
        """Return the lists without places at their end that hardly any list has."""
        share = self.there.mean(axis=0)
        slots = int(np.flatnonzero(share >= RARE)[-1]) + 1
        rare = self.item_idx.shape[1] > slots and share[slots] > 0
        told = [f"places below {slots} are not looked at: fewer than {RARE:.0%} of the lists have them"] if rare else []
        brought = {goal: values[:, :slots] for goal, values in self.brought.items()}
        kept = replace(self, item_idx=self.item_idx[:, :slots], propensity=self.propensity[:, :slots], brought=brought)
        return replace(kept, remarks=(*self.remarks, *told)).of_lists(np.asarray(kept.there.any(axis=1)))

    def with_odds(self) -> "Lists":
        """Return the lists of which all odds are told; all, where too few are."""
        told = np.asarray(~(np.isnan(self.propensity) & self.there).any(axis=1))
        if told.all() or told.sum() < FEWEST_LISTS:
            return self
        remark = f"{(~told).sum():,} lists are left out: their odds are not told"
        return replace(self.of_lists(told), remarks=(*self.remarks, remark))

    def of_lists(self, keep: NDArray[np.bool_]) -> "Lists":
        """Return some of the lists."""
        brought = {goal: values[keep] for goal, values in self.brought.items()}
        users = self.user_ids.filter(pl.Series(keep))
        return replace(self, user_ids=users, item_idx=self.item_idx[keep], propensity=self.propensity[keep],
                       brought=brought)  # fmt: skip


def alone(events: Events, placement: str | None) -> str | None:
    """Return the placement by whose lists alone a log was judged, None where it tells of no others that change alike.

    Lists with candidates of their own never stand for others, and what tells no placement may be another's.
    """
    if placement is None:
        return None
    shown = events.frame.filter(pl.col("kind") == "impression").select(PLACEMENT)
    others = shown.filter(pl.col("placement").is_null() | ((pl.col("placement") != placement) & ~_IS_OWN))
    own = not shown.filter(_IS_OWN & (pl.col("placement") == placement)).is_empty()
    return placement if own or not others.is_empty() else None


def placements(events: Events, own: bool = True) -> dict[str, int]:
    """Return how many lists of each placement a log tells of; without `own`, of those that are judged unnamed."""
    shown = events.frame.filter(pl.col("kind") == "impression").select("request_id", PLACEMENT).drop_nulls().unique()
    shown = shown if own else shown.filter(~_IS_OWN)
    return dict(shown["placement"].value_counts(sort=True).iter_rows())


def _impressions(
    events: Events, window_hours: float, slots: int, placement: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """Return the impressions at the first positions with what followed, one a place, and what was left out."""
    every = events.frame.filter(pl.col("kind") == "impression").with_columns(PLACEMENT)
    named = every.filter(pl.col("request_id").is_not_null() & (pl.col("position") >= 1))
    shown = named.with_row_index("impression")
    followed = outcomes(shown.select("impression", *events.frame.columns), following([events.frame]),
                        window_ms(window_hours))  # fmt: skip
    found = shown.join(followed, on="impression", how="left", maintain_order="left")
    found = found.filter(pl.col("position") <= slots)
    every_place = found.height
    found = found.filter(~_IS_OWN if placement is None else pl.col("placement") == placement)
    own = every_place - found.height if placement is None else 0
    once = found.unique([*LIST, "position"], keep="first", maintain_order=True)
    counts = {
        "impressions are left out: they tell no request_id or position": every.height - named.height,
        f"impressions are left out: lists of {', '.join(OWN)} choose among candidates of their own": own,
        "impressions are left out: their place in their list is told twice": found.height - once.height,
    }
    return once, [f"{count:,} {why}" for why, count in counts.items() if count]


def _happened(found: pl.DataFrame, margin: NDArray[Any], item: NDArray[np.int32]) -> dict[str, Floats]:
    """Return what each impression brought in every goal that a log tells of, money in minor units."""
    clicked = (found["clicked"] | found["carted"] | found["purchased"]).fill_null(False)
    revenue = found["revenue_minor"].fill_null(0).to_numpy().astype(np.float64)
    return {"clicks": clicked.to_numpy(), "purchases": found["purchased"].fill_null(False).to_numpy(),
            "revenue": revenue, "profit": revenue * np.where(item >= 0, margin[np.maximum(item, 0)], 0.0)}  # fmt: skip


def _few(lists: int, events: Events, placement: str | None) -> Problem:
    told = f"the log has {lists:,} lists with request ids and positions"
    do = "Log what is shown (a store's: paretail events export --impressions), with request_id and position"
    if placement is None and (own := set(placements(events)) - set(placements(events, own=False))):
        do = f"Those of {', '.join(sorted(own))} choose among candidates of their own; log other lists too"
    if placement is not None:
        there = ", ".join(f"{name} ({count:,})" for name, count in placements(events).items())
        told += f" of the placement {placement!r}"
        do = f"Name one of: {there}" if there else "Leave --placement out: only exports of a store tell placements"
    return Problem("POL-11", told, f"Expected {FEWEST_LISTS} at least", do)
