"""A shop's visits as sessions that agents learn from: lists by request in their order, and what followed from each.

A visit is a run of a user's lists of which none follows more than 30 minutes after the one before. It ended with its
last list, unless the log ends before that could be known. Items are vectors of what the shop knows:

    [16 components of who had what | log of how many had it | log price | a column for each category]

and a user is the mean of the first 18 over the newest `NEWEST` items turned to before the visit, with the log of how
many. A list brings clicks, purchases and revenue (`GOALS`, in the currency's minor units); its reward is clicks +
purchases. The next list of the visit knows of it what happened before that one was shown: later clicks count in the
reward alone. What of a log makes no visit is counted (`Visited.account`).
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.eigen import eigenpairs
from paretail.core.errors import DataError, Problem
from paretail.core.rng import rng_for
from paretail.data.attribution import following, outcomes, tie, window_ms
from paretail.data.kinds import NOT_TARGETS
from paretail.data.sessions import SessionLog
from paretail.data.types import Events, History
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.wares import codes
from paretail.rank.config import RankConfig

GAP_MS: Final = 30 * 60_000
COMPONENTS: Final = 16
#: Items of a user's past that are looked at.
NEWEST: Final = 50
#: More categories than this are left out: the items' groups are then found by their components.
MOST_CATEGORIES: Final = 128
FEWEST_SESSIONS: Final = 20
#: What each slot of a list brings.
GOALS: Final = ("clicks", "purchases", "revenue")
_LARGEST: Final = 10.0
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Wares:
    """Items as agents see them, `vectors[items, features]`, of which the first `leading` describe users too; `ids` are
    the shop's, in the order of the rows."""

    vectors: Values
    leading: int
    ids: pl.Series

    @classmethod
    def of(cls, recommender: Recommender) -> "Wares":
        """Return what a bundle knows of its items."""
        history, items = recommender.history, recommender.catalogue
        had = _had(history, len(recommender.items))
        components = eigenpairs(had, COMPONENTS, 2, rng_for("pipeline/sessions", 0)).vectors
        components = components * np.sqrt(len(recommender.items))
        known = [components, _scaled(np.log1p(np.asarray(had.sum(axis=0)).ravel()))[:, None]]
        if "price_minor" in items.columns:
            price = items["price_minor"].cast(pl.Float64).fill_null(strategy="mean").fill_null(0).to_numpy()
            known.append(_scaled(np.log1p(np.maximum(price, 0)))[:, None])
        leading = sum(column.shape[1] for column in known)
        vectors = np.hstack([*known, _categories(items)])
        return cls(np.clip(vectors, -_LARGEST, _LARGEST).astype(np.float32), leading, recommender.items.ids)

    @property
    def width(self) -> int:
        """How many numbers describe a user."""
        return self.leading + 1

    def user(self, rows: NDArray[np.integer]) -> Values:
        """Return what somebody is who turned to these items, the newest last."""
        rows = rows[rows < len(self.vectors)]
        newest = rows[-NEWEST:]
        if not len(newest):
            return np.zeros(self.width, np.float32)
        mean = self.vectors[newest, : self.leading].mean(axis=0)
        return np.append(mean, np.log1p(len(rows)) / 3).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Visited:
    """The visits of a log, when each of their lists was shown, and what became of the log's lists, all counted."""

    log: SessionLog
    ts_ms: NDArray[np.int64]
    account: dict[str, int]

    def pick(self, sessions: NDArray[np.bool_]) -> "Visited":
        """Return some visits; the account is that of the log."""
        which = np.repeat(sessions, self.log.lengths)
        return Visited(self.log.pick(sessions), self.ts_ms[which], self.account)

    def told(self) -> str:
        """Return the account in words."""
        return ", ".join(f"{count:,} {what}" for what, count in self.account.items() if count)


def sessions_of(recommender: Recommender, events: Events, slots: int, wares: Wares) -> SessionLog:
    """Return the visits of a log that the bundle was not trained on, as `visits_of` does."""
    return visits_of(recommender, events, slots, wares).log


def visits_of(recommender: Recommender, events: Events, slots: int, wares: Wares) -> Visited:
    """Return the visits of a log that the bundle was not trained on; lists of fewer than `slots` items are left out.

    Raises DataError (SESS-02) where there are too few.
    """
    lists, account = _lists(recommender, events, slots)
    if lists.height == 0 or lists["session"].n_unique() < FEWEST_SESSIONS:
        raise too_few(f"the log has {lists['session'].n_unique() if lists.height else 0} visits with lists of {slots} "
                      f"items ({', '.join(f'{count:,} {what}' for what, count in account.items())})")  # fmt: skip
    rows, clicks = (np.stack(lists[name].to_list()) for name in ("rows", "clicks"))
    brought = np.stack([clicks, *(np.stack(lists[name].to_list()) for name in ("bought", "revenue"))], 2)
    session = lists["session"].to_numpy().astype(np.int64)
    began = np.r_[True, np.diff(session) != 0]
    last = np.r_[began[1:], True]
    ts_ms = lists["ts_ms"].to_numpy().astype(np.int64)
    until = np.where(last, np.iinfo(np.int64).max, np.roll(ts_ms, -1))
    soon = (np.stack(lists["first_ms"].to_list()) < until[:, None]).astype(np.int8)
    before = np.where(began[:, None], -1, np.roll(rows, 1, axis=0))
    clicked = np.where(began[:, None], 0, np.roll(soon, 1, axis=0)).astype(np.int8)
    user = _users(recommender, events, lists, began, wares)
    open_still = ts_ms + GAP_MS > int(events.frame["ts_ms"].max() or 0)  # type: ignore[arg-type]  # milliseconds
    seen: dict[str, NDArray[Any]] = {"user": user, "slate": before.astype(np.int64), "clicked": clicked}
    after: dict[str, NDArray[Any]] = {"user": user, "slate": rows.astype(np.int64), "clicked": soon}
    propensity = np.array(lists["propensity"].to_list(), np.float64)
    log = SessionLog(
        session, _hashed(lists["user_id"]), seen, after, rows.astype(np.int64), clicks.astype(np.float32), propensity,
        lists["reward"].to_numpy().astype(np.float64), last & ~open_still, brought.astype(np.float64),
    )  # fmt: skip
    return Visited(log, ts_ms, {**account, "visits": len(log.starts)})


def too_few(found: str) -> DataError:
    """Return the error of a log with too few visits (SESS-02)."""
    expected = f"Expected {FEWEST_SESSIONS} at least: impressions with request_id and position"
    return DataError(
        Problem("SESS-02", found, expected, "Log what is shown, for longer, or ask for shorter slates (-k)")
    )


def _hashed(user_id: pl.Series) -> NDArray[np.int64]:
    """Return a number a user that follows from the id alone, so that it is the same in every log."""
    ids = user_id.unique().to_list()
    number = {one: int.from_bytes(blake2b(str(one).encode(), digest_size=8).digest(), "big") >> 1 for one in ids}
    return np.array([number[one] for one in user_id.to_list()], np.int64)


def _lists(recommender: Recommender, events: Events, slots: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return one row a whole list, visit by visit, and how many lists there were, whole or not.

    Columns: session, user_id, ts_ms, rows, clicks, first_ms (when each was first clicked), bought, revenue, propensity,
    reward.
    """
    every = events.frame.filter(pl.col("kind") == "impression")
    named = every.filter(pl.col("request_id").is_not_null() & pl.col("position").is_not_null())
    shown = named.filter(pl.col("position").is_between(1, slots)).with_row_index("impression")
    hours = RankConfig.parse(recommender.manifest.config.get("rank", {}), "the bundle").attribution_hours
    told = following([events.frame])
    tied = tie(shown, told.filter(pl.col("kind") != "refund"), window_ms(hours))
    first = tied.group_by("impression").agg(first_ms=pl.col("ts_ms").min())
    followed = outcomes(shown, told, window_ms(hours)).join(first, on="impression", how="left")
    joined = shown.join(followed, on="impression", how="left", maintain_order="left").with_columns(
        row=pl.Series(recommender.items.rows(shown["item_id"])),
        first_ms=pl.col("first_ms").fill_null(np.iinfo(np.int64).max),
        click=(pl.col("clicked") | pl.col("carted") | pl.col("purchased")).fill_null(False).cast(pl.Float32),
        bought=pl.col("purchased").fill_null(False).cast(pl.Float64), odds=pl.col("propensity").fill_null(np.nan),
        revenue=pl.col("revenue_minor").fill_null(0).cast(pl.Float64),
    )  # fmt: skip
    lists = joined.sort("position").group_by("request_id", "user_id", maintain_order=True).agg(
        pl.col("ts_ms").min(), "first_ms", "bought", "revenue", rows="row", clicks="click", propensity="odds",
        reward=pl.col("click").sum().cast(pl.Float64) + pl.col("bought").sum(),
    )  # fmt: skip
    short, strange = pl.col("rows").list.len() != slots, pl.col("rows").list.min() < 0
    whole = lists.filter(~short & ~strange)
    account = {
        "lists": lists.height, f"of other lengths than {slots}": lists.filter(short).height,
        "with items that the bundle does not know": lists.filter(~short & strange).height,
        "impressions without request_id or position": every.height - named.height,
    }  # fmt: skip
    gap = (pl.col("ts_ms").diff().over("user_id") > GAP_MS).fill_null(True)
    whole = whole.sort("user_id", "ts_ms", "request_id").with_columns(fresh=gap)
    return whole.with_columns(session=pl.col("fresh").cum_sum()), account


def _users(recommender: Recommender, events: Events, lists: pl.DataFrame, began: NDArray[np.bool_],
           wares: Wares) -> Values:  # fmt: skip
    """Return who each list is for: what the user did before the visit, in the bundle and in the log."""
    done = events.frame.filter(~pl.col("kind").is_in(list(NOT_TARGETS))).sort("ts_ms")
    done = done.with_columns(row=pl.Series(recommender.items.rows(done["item_id"]))).filter(pl.col("row") >= 0)
    live = {str(key[0]): part for key, part in done.partition_by("user_id", as_dict=True).items()}
    history, found = recommender.history, np.zeros((lists.height, wares.width), np.float32)
    wishes = np.array([kind not in NOT_TARGETS for kind in history.kinds] or [False])
    for place in np.flatnonzero(began).tolist():
        user_id, now = lists["user_id"][place], int(lists["ts_ms"][place])
        row = recommender.users.row(user_id)
        start, end = (history.indptr[row], history.indptr[row + 1]) if row >= 0 else (0, 0)
        past = history.item_idx[start:end][wishes[history.kind[start:end]]]
        if (mine := live.get(user_id)) is not None:
            past = np.concatenate([past, mine.filter(pl.col("ts_ms") < now)["row"].to_numpy()])
        found[place] = wares.user(past)
    first = np.maximum.accumulate(np.where(began, np.arange(lists.height), 0))
    return np.asarray(found[first], np.float32)


def _had(history: History, items: int) -> sparse.csr_array:
    """Return who turned to what, 1 for each pair."""
    wishes = np.array([kind not in NOT_TARGETS for kind in history.kinds] or [False])
    kept = history.where(wishes[history.kind])
    cells = (np.ones(len(kept.item_idx), np.float32), (kept.user_idx, kept.item_idx))
    matrix = sparse.csr_array(sparse.coo_array(cells, (history.users, items)))
    matrix.data[:] = 1.0
    return matrix


def _categories(items: pl.DataFrame) -> Values:
    if "category" not in items.columns:
        return np.zeros((items.height, 0), np.float32)
    found = codes(items["category"]) + 1
    count = int(found.max(initial=0)) + 1
    return (
        np.eye(count, dtype=np.float32)[found] if count <= MOST_CATEGORIES else np.zeros((items.height, 0), np.float32)
    )


def _scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / (spread if spread > 0 else 1.0), np.float64)
