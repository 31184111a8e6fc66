"""Pools: the candidates of several users, with all that objectives read of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.policy.exposure import Exposures

Floats = NDArray[np.float32]
#: So many candidates stand for the usual one.
USUAL: Final = 50


@dataclass(frozen=True, eq=False)
class Wares:
    """What objectives read of items, by row; a fact that the shop does not tell is NaN, -1 or absent.

    `labels[name][items]` number an attribute's values (`category` is the narrowest one); `parents[items]` are the
    same for variants of one product; `kept[items]` is the share of purchases that are not taken back;
    `seen_by[items]` the share of users who had an item; `vectors[items, dim]` have length 1, or 0 where nothing is
    known; `columns` are the shop's own numbers.
    """

    labels: Mapping[str, Rows]
    parents: Rows
    margin: Floats
    kept: Floats
    seen_by: Floats
    created_ts_ms: NDArray[np.int64]
    vectors: Floats
    columns: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.margin)

    # What follows is read in every answer: looked up in the whole catalogue once

    @cached_property
    def has_vectors(self) -> bool:
        """Whether anything is known of how alike items are."""
        return bool(self.vectors.any())

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many values each attribute has; 0 where no item has one."""
        return {name: int(codes.max(initial=-1)) + 1 for name, codes in self.labels.items()}


@dataclass(frozen=True, eq=False)
class Pool:
    """One row a user. `item_idx[users, cands]` is -1 past the end; predictions (NaN: not learned) are at position 1.

    `p_purchase` is that of those who click, `order_value` in minor units given a purchase; `attention[slots]` is P(seen
    at that position), 1 at the first. `past` are the users' events.
    """

    item_idx: Rows
    p_click: Floats
    p_purchase: Floats
    order_value: Floats
    wares: Wares
    attention: NDArray[np.float64]
    past: History
    now_ms: int
    exposures: Exposures

    @property
    def shape(self) -> tuple[int, int]:
        """Users, candidates."""
        return self.item_idx.shape[0], self.item_idx.shape[1]

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Which places hold a candidate, `[users, cands]`."""
        return self.item_idx >= 0

    def of(self, facts: NDArray[Any]) -> NDArray[Any]:
        """Return what `facts[items]` say of each candidate, `[users, cands]`; past the end, of any item."""
        return np.asarray(facts[self.item_idx])

    def at(self, values: NDArray[Any], places: Rows) -> NDArray[Any]:
        """Return `values[users, cands]` at `places[users, slots]`, 0 where a place is -1."""
        if _is_full(places):
            return np.asarray(values[_users(places), places])
        return np.where(places >= 0, values[_users(places), np.maximum(places, 0)], 0)

    def items(self, places: Rows) -> Rows:
        """Return the items at `places[users, slots]`, -1 for none."""
        if _is_full(places):
            return self.item_idx[_users(places), places]
        return np.where(places >= 0, self.item_idx[_users(places), np.maximum(places, 0)], np.int32(-1))

    def narrowed(self, places: Rows) -> Self:
        """Return the pools of the candidates at `places[users, cands]` alone, in that order; -1 stays none."""
        p_click, p_purchase, order_value = (
            self.at(values, places) for values in (self.p_click, self.p_purchase, self.order_value)
        )
        return replace(
            self, item_idx=self.items(places), p_click=p_click, p_purchase=p_purchase, order_value=order_value
        )

    def told_apart(self, places: Rows, usual: int = USUAL) -> tuple[Self, Rows]:
        """Return the pools of the slates at `places[users, slots]` with some usual candidates, and their places there.

        What slates are worth and what pulled their items in are told from these few, at a fifth of the time.
        """
        others = np.broadcast_to(_evenly(self.shape[1], usual), (len(places), min(usual, self.shape[1])))
        near = np.concatenate([places, others], axis=1)
        slots = np.arange(places.shape[1], dtype=np.int32)
        return self.narrowed(near), np.where(places >= 0, slots, np.int32(-1))

    def rows(self, users: NDArray[np.integer]) -> Self:
        """Return the pools of some of the users, in that order."""
        return replace(
            self, item_idx=self.item_idx[users], p_click=self.p_click[users], p_purchase=self.p_purchase[users],
            order_value=self.order_value[users], past=self.past.of_users(users),
        )  # fmt: skip

    def beside(self, others: Self) -> Self:
        """Return the pools of these users and of `others`, who come after them; wares and the rest stay as here."""
        width = max(self.shape[1], others.shape[1])

        def both(mine: NDArray[Any], theirs: NDArray[Any], empty: float) -> NDArray[Any]:
            wide = [
                np.pad(each, ((0, 0), (0, width - each.shape[1])), constant_values=empty) for each in (mine, theirs)
            ]
            return np.concatenate(wide)

        return replace(
            self, item_idx=both(self.item_idx, others.item_idx, -1),
            p_click=both(self.p_click, others.p_click, np.nan),
            p_purchase=both(self.p_purchase, others.p_purchase, np.nan),
            order_value=both(self.order_value, others.order_value, np.nan), past=self.past.beside(others.past),
        )  # fmt: skip

    def with_exposures(self, exposures: Exposures) -> Self:
        """Return the same with other exposures."""
        return replace(self, exposures=exposures)


def _is_full(places: Rows) -> bool:
    """Whether there is a candidate at all places, as in most slates."""
    return places.size > 0 and int(places.min()) >= 0


@lru_cache(maxsize=64)
def _evenly(cands: int, count: int) -> Rows:
    """Return `count` candidates of many, evenly spread; all, where there are fewer."""
    found = np.unique(np.linspace(0, cands - 1, min(count, cands)).astype(np.int32))
    found.flags.writeable = False
    return found


def _users(places: Rows) -> NDArray[np.intp]:
    return np.arange(len(places))[:, None]
