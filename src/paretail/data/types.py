"""The contracts between stations: what flows down the line, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows, Vocabulary

#: What `ts_ms` means: milliseconds UTC; only an order within a user; nothing (the column is 0).
Time = Literal["clock", "order", "none"]

#: Columns of `Events.frame`; those after `ts_ms` are null where the shop does not know them.
EVENT_COLUMNS: dict[str, pl.DataType] = {
    "user_id": pl.String(),
    "item_id": pl.String(),
    "kind": pl.String(),  # one of data/kinds.py STANDARD, or declared by the shop
    "ts_ms": pl.Int64(),
    "event_id": pl.String(),
    "order_id": pl.String(),
    "quantity": pl.Float64(),  # 0 or more; null counts as 1
    "price_minor": pl.Int64(),  # per unit, in minor units of the reporting currency
    "request_id": pl.String(),  # ties impressions to what followed
    "position": pl.Int32(),  # 1 is the first slot
    "propensity": pl.Float64(),  # probability with which the logging policy showed it, in (0, 1]
    "dwell_ms": pl.Int64(),
}

#: Columns of `Catalogue.frame` that have a meaning; any other column is an attribute of the shop's own.
ITEM_COLUMNS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "parent_id": pl.String(),  # the product of which this is a variant
    "title": pl.String(),
    "category": pl.List(pl.String()),  # from the widest to the narrowest
    "brand": pl.String(),
    "price_minor": pl.Int64(),
    "margin": pl.Float64(),  # share of the price that is profit, at most 1
    "in_stock": pl.Boolean(),
    "created_ts_ms": pl.Int64(),
}


@dataclass(frozen=True)
class Events:
    """The event log: one row an event, columns as in EVENT_COLUMNS, every row checked."""

    frame: pl.DataFrame
    time: Time = "none"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that occur, sorted."""
        return tuple(sorted(self.frame["kind"].unique().to_list()))


@dataclass(frozen=True)
class Catalogue:
    """One row an item: those of ITEM_COLUMNS that the shop has, then its own attributes.

    A column of type Array(Float32) is a vector (image, text); List(String) and String columns are categorical.
    """

    frame: pl.DataFrame


@dataclass(frozen=True)
class Users:
    """One row a user: `user_id` and the shop's own attributes."""

    frame: pl.DataFrame


@dataclass(frozen=True)
class Links:
    """Who knows whom: `user_id`, `friend_id`, one row a pair, undirected."""

    frame: pl.DataFrame


@dataclass(frozen=True)
class Shop:
    """All that one shop has told us; a table that it does not have is empty but for its id column."""

    events: Events
    catalogue: Catalogue = field(default_factory=lambda: Catalogue(_empty("item_id")))
    users: Users = field(default_factory=lambda: Users(_empty("user_id")))
    links: Links = field(default_factory=lambda: Links(_empty("user_id", "friend_id")))
    currency: str = "EUR"
    timezone: str = "UTC"

    def user_vocabulary(self) -> Vocabulary:
        """All users of events, users file and links."""
        links = self.links.frame
        return Vocabulary.of(
            self.events.frame["user_id"], self.users.frame["user_id"], links["user_id"], links["friend_id"]
        )

    def item_vocabulary(self) -> Vocabulary:
        """All items of events and catalogue."""
        return Vocabulary.of(self.events.frame["item_id"], self.catalogue.frame["item_id"])


@dataclass(frozen=True, eq=False)
class History:
    """The events of many users as row numbers, user by user, each user's oldest event first (CSR by user).

    `indptr[users + 1]` bounds each user's slice of the event arrays; users may have no event. `kind[events]`
    indexes `kinds`. Equal times keep the order of the log. Without time `ts_ms` is 0 and the order means nothing.
    `about` is what is known of the users apart from events: by type of node (`country`, `user` for friends) a matrix
    `[users, nodes]`; a type of which nothing is known is absent.
    """

    indptr: NDArray[np.int64]
    item_idx: Rows
    kind: NDArray[np.uint8]
    ts_ms: NDArray[np.int64]
    quantity: NDArray[np.float32]
    kinds: tuple[str, ...]
    time: Time
    about: Mapping[str, sparse.csr_array] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Events, users: Vocabulary, items: Vocabulary, kinds: Sequence[str] | None = None) -> Self:
        """Index `events`; rows of a user or item outside the vocabularies, or of a kind outside `kinds`, are left out.

        `kinds` defaults to those that occur, sorted.
        """
        names = tuple(kinds) if kinds is not None else events.kinds
        frame = events.frame.select(
            user=pl.Series(users.rows(events.frame["user_id"])),
            item=pl.Series(items.rows(events.frame["item_id"])),
            kind=pl.col("kind").replace_strict({k: n for n, k in enumerate(names)}, default=255, return_dtype=pl.UInt8),
            ts_ms=pl.col("ts_ms").fill_null(0),
            quantity=pl.col("quantity").fill_null(1.0).cast(pl.Float32),
        )  # fmt: skip
        frame = frame.filter((pl.col("user") >= 0) & (pl.col("item") >= 0) & (pl.col("kind") != 255))
        frame = frame.sort("user", "ts_ms", maintain_order=True)
        counts = np.bincount(frame["user"].to_numpy(), minlength=len(users))
        return cls(
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            item_idx=frame["item"].to_numpy().astype(np.int32),
            kind=frame["kind"].to_numpy(),
            ts_ms=frame["ts_ms"].to_numpy(),
            quantity=frame["quantity"].to_numpy(),
            kinds=names,
            time=events.time,
        )

    @property
    def users(self) -> int:
        """How many users there are, with or without events."""
        return len(self.indptr) - 1

    @property
    def user_idx(self) -> Rows:
        """The user of each event."""
        return np.repeat(np.arange(self.users, dtype=np.int32), np.diff(self.indptr))

    def of_users(self, rows: NDArray[np.integer]) -> Self:
        """Return the histories of `rows` alone, in their order."""
        starts, counts = self.indptr[rows], np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        pick = np.repeat(starts - indptr[:-1], counts) + np.arange(indptr[-1])
        return replace(self.picked(pick, indptr), about={name: known[rows] for name, known in self.about.items()})

    def where(self, keep: NDArray[np.bool_]) -> Self:
        """Return the same users with only the events where `keep[events]`."""
        kept = np.concatenate([[0], np.cumsum(keep)])
        return replace(self.picked(np.flatnonzero(keep), kept[self.indptr]), about=self.about)

    def beside(self, others: Self) -> Self:
        """Return the events of these users and of `others`, who come after them; nothing else is known of either."""
        assert self.kinds == others.kinds
        return replace(
            self, indptr=np.concatenate([self.indptr, self.indptr[-1] + others.indptr[1:]]),
            item_idx=np.concatenate([self.item_idx, others.item_idx]), kind=np.concatenate([self.kind, others.kind]),
            ts_ms=np.concatenate([self.ts_ms, others.ts_ms]),
            quantity=np.concatenate([self.quantity, others.quantity]), about={},
        )  # fmt: skip

    def picked(self, pick: NDArray[np.integer], indptr: NDArray[np.integer]) -> Self:
        """Return the events `pick` as the histories of users whom `indptr` bounds, of whom nothing else is known."""
        return replace(
            self, indptr=indptr.astype(np.int64), item_idx=self.item_idx[pick], kind=self.kind[pick],
            ts_ms=self.ts_ms[pick], quantity=self.quantity[pick], about={},
        )  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why an item is in a list, as data; `serve` and `cli` turn it into words (`pipeline/reasons.py`).

    `code` is one of `because` (the user's own event on `item_idx` with `kind`, `count` others did both), `akin` (nobody
    did both, and it shares the label `node_idx` of type `node_type` with `item_idx`; `count` of the `out_of` items that
    the user had carry it), `new` (nobody did anything with it yet; a label shared with `item_idx` is told as for
    `akin`, without one it reads or looks like `item_idx`; where nothing is alike `node_idx` is its own category, if it
    has one), `again` (the user had it before), `friends` (`count` of the user's `out_of` friends had it), `among`
    (`count` of the `out_of` people with the user's trait `node_idx` of type `node_type` had it), `popular`; counts are
    exact, from the data; `share` is the part of the item's score that this reason explains, 0 to 1.
    """

    code: Literal["because", "akin", "new", "again", "friends", "among", "popular"]
    item_idx: int | None = None
    kind: str | None = None
    count: int | None = None
    share: float | None = None
    out_of: int | None = None
    node_type: str | None = None
    node_idx: int | None = None


@dataclass(frozen=True, eq=False)
class Candidates:
    """What retrieval hands on for `users` rows: up to `cands` items each, best first.

    `item_idx[users, cands]` is -1 past the end of a list; `scores[users, cands]` is the blended score (-inf past
    the end).
    """

    item_idx: Rows
    scores: NDArray[np.float32]


#: Tasks that follow a click and that few logs tell of: what was clicked was looked at for long, became a favourite.
RARER: tuple[str, ...] = ("long_view", "favourite")


@dataclass(frozen=True, eq=False)
class Predictions:
    """What ranking tells of pairs: probabilities at position 1, and money; of a task that was not learned NaN.

    `p_click`; `p_cart`, `p_purchase` and `more`, of RARER, given a click, whoever clicks; `p_both` of click and
    purchase: more than the product, as far as what is not known of a pair lifts both; `order_value` in minor units, of
    a purchase; `value` in minor units, expected of showing the item: p_both x order_value. All `[pairs]`.
    """

    p_click: NDArray[np.float64]
    p_cart: NDArray[np.float64]
    p_purchase: NDArray[np.float64]
    p_both: NDArray[np.float64]
    order_value: NDArray[np.float64]
    more: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def given_click(self, task: str) -> NDArray[np.float64]:
        """Return the probability of a task given a click; NaN where it was not learned."""
        known = {"cart": self.p_cart, "purchase": self.p_purchase, **self.more}
        return known.get(task, np.full(len(self.p_click), np.nan))

    @property
    def following(self) -> NDArray[np.float64]:
        """The share of those who click that will buy: `p_purchase` of them, whose click speaks for the pair."""
        return np.asarray(self.p_both / self.p_click)

    @property
    def value(self) -> NDArray[np.float64]:
        """Money expected of showing the item, in minor units."""
        return np.asarray(self.p_both * self.order_value)

    def split(self, sizes: Sequence[int]) -> "list[Predictions]":
        """Return the predictions of so many pairs each, in their order."""
        ends = [0, *accumulate(sizes)]
        return [self._part(slice(start, end)) for start, end in pairwise(ends)]

    def _part(self, at: slice) -> "Predictions":
        more = {task: column[at] for task, column in self.more.items()}
        return Predictions(
            self.p_click[at], self.p_cart[at], self.p_purchase[at], self.p_both[at], self.order_value[at], more
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Explanations:
    """What each group of what a ranker knows adds to its predictions, over those of the usual pair.

    `contributions[pairs, tasks, groups]` sum over groups to the difference of log-odds, of `value` (the value of an
    order, in minor units) of logarithms, between `predicted[pairs, tasks]` and `usual[tasks]`. `given` says whether
    carts and purchases are those given a click, else of all pairs.
    """

    tasks: tuple[str, ...]
    groups: tuple[str, ...]
    contributions: NDArray[np.float64]
    predicted: NDArray[np.float64]
    usual: NDArray[np.float64]
    given: bool = True


def _empty(*columns: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
