"""Attribution: which click, cart and purchase followed from which item that was shown.

An event is tied to one impression (an item in a list that was shown) at most, by the first rule that finds one:

1. `request_id`: the list that it names, where that list holds the item; of several lists of one answer the last.
2. User, item and window: the newest list with the item that was shown to the user at or before the event.

The event comes at most the window after the list; by the first rule up to a day before it too, since the shop's clock
may be slow (`early` finds those: what counts events before a list must not count them). A refund goes where its
purchase went: by `order_id` and item where it tells an order, else by `request_id` and item, else to the user's newest
purchase of the item; it lowers revenue, not the count of purchases.
This is last-touch attribution (B. Dalessandro et al., "Causally motivated attribution for online advertising", ADKDD
2012, tell its limits): it says what followed, not what was caused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.data.types import EVENT_COLUMNS, Events

HOUR_MS: Final = 3_600_000
#: How far an event that names its request may lie before the list: the shop's clock against ours.
SKEW_MS: Final = DAY_MS
#: What followed from an impression.
FOLLOWED: dict[str, pl.DataType] = {
    "clicked": pl.Boolean(),
    "carted": pl.Boolean(),
    "purchased": pl.Boolean(),
    "revenue_minor": pl.Int64(),
}
#: Columns of `attribute`: one row an impression.
IMPRESSION_COLUMNS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "placement": pl.String(),
    "model_version": pl.String(),
    "policy": pl.String(),
    "experiment": pl.String(),
    "arm": pl.String(),
    "position": pl.Int32(),
    "item_id": pl.String(),
    "user_id": pl.String(),
    "ts_ms": pl.Int64(),
    "propensity": pl.Float64(),
    **FOLLOWED,
}
#: Kinds and columns of events that count.
KINDS: Final = ("click", "cart", "purchase", "refund")
USED: Final = ("user_id", "item_id", "kind", "ts_ms", "order_id", "quantity", "price_minor", "request_id")
BY_REQUEST: Final = ["request_id", "item_id"]
BY_USER: Final = ["user_id", "item_id"]
BY_ORDER: Final = ["order_id", "item_id"]


def attribute(answers: pl.DataFrame, events: pl.DataFrame, window_hours: float) -> pl.DataFrame:
    """Return IMPRESSION_COLUMNS for every item of `answers` (ANSWER_COLUMNS), given `events` (EVENT_COLUMNS).

    Cost: a few joins; 1 million impressions and 200,000 events take about a second on two cores.
    """
    shown = impressions(answers)
    found = outcomes(shown, following([events]), window_ms(window_hours))
    joined = shown.join(found, on="impression", how="left", maintain_order="left")
    flags = pl.col("clicked", "carted", "purchased").fill_null(False)
    return joined.with_columns(flags, pl.col("revenue_minor").fill_null(0)).select(*IMPRESSION_COLUMNS)


def window_ms(window_hours: float) -> int:
    """Return the window in milliseconds."""
    return round(window_hours * HOUR_MS)


def following(logs: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the events that may follow from an impression, with their number `event`, given parts of one log.

    A click is a `click` where the shop tells any, else a `view`: the item's page was opened.
    """
    parts = [pl.DataFrame(schema={name: EVENT_COLUMNS[name] for name in USED})]
    clicks = False
    for log in logs:
        words = KINDS if clicks else [*KINDS, "view"]
        parts.append(log.lazy().filter(pl.col("kind").is_in(words)).select(USED).collect())
        clicks = clicks or bool((parts[-1]["kind"] == "click").any())
    told = pl.concat(parts).lazy()
    told = (
        told.filter(pl.col("kind") != "view") if clicks else told.with_columns(pl.col("kind").replace("view", "click"))
    )
    return told.collect().with_row_index("event")


def impressions(answers: pl.DataFrame) -> pl.DataFrame:
    """Return one row an item of each list, in the order of the lists: `impression` (its number) and what was shown."""
    size = pl.col("item_ids").list.len()
    whole = pl.col("propensities").fill_null(pl.lit(1.0).repeat_by(size))
    lists = answers.filter(size > 0).with_columns(propensity=whole, position=pl.int_ranges(1, size + 1, dtype=pl.Int32))
    shown = lists.rename({"item_ids": "item_id"}).explode("item_id", "propensity", "position")
    names = [name for name in IMPRESSION_COLUMNS if name not in FOLLOWED]
    return shown.select(*names, "session_id").with_row_index("impression")


def outcomes(shown: pl.DataFrame, told: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return `impression` and FOLLOWED for those of `shown` (`impressions`) from which some of `told` followed.

    `told` is what `following` returns, `window` in milliseconds.
    """
    tied = tie(shown, told.filter(pl.col("kind") != "refund"), window)
    every = pl.concat([_worth(tied), _worth(refunds(shown, told, tied, window))])
    kinds = {"clicked": "click", "carted": "cart", "purchased": "purchase"}
    happened = {name: (pl.col("kind") == kind).any() for name, kind in kinds.items()}
    return every.group_by("impression").agg(**happened, revenue_minor=pl.col("amount_minor").sum())


def tie(shown: pl.DataFrame, events: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the rows of `events` that follow from something shown, with `impression` and `shown_ms`; each row once."""
    named = _by_request(shown, events, window)
    others = events.join(named, on="event", how="anti", maintain_order="left")
    return pl.concat([named, _by_user(shown, others, window)])


def early(shown: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `events` that name what was shown and yet lie before it, with `impression` and `shown_ms`."""
    named = events.filter(pl.col("request_id").is_not_null() & (pl.col("kind") != "impression"))
    return _by_request(shown, named, 0).filter(pl.col("ts_ms") < pl.col("shown_ms"))


def in_order(events: Events) -> Events:
    """Return a log in which what follows from a list lies behind it, the same log where it all does.

    An answer that `early` finds is dated as its list and stands behind what else has that time: a slow clock would put
    it into the past that the list was made from, and features of the list count all that lies before it. Features as of
    the earlier of the two would not do: the moments of answered lists would lie before those of others, and tell the
    answer themselves. Those that name no list stay where they are, since nothing tells.
    """
    frame = events.frame
    if events.time != "clock" or "request_id" not in frame.columns or not (frame["kind"] == "impression").any():
        return events
    shown = frame.filter(pl.col("kind") == "impression").select(*BY_REQUEST, "ts_ms").with_row_index("impression")
    numbered = frame.with_row_index("event")
    late = early(shown, numbered).select("event", "shown_ms")
    if not late.height:
        return events
    moved = numbered.join(late, on="event", how="left", maintain_order="left")
    moved = moved.with_columns(is_moved=pl.col("shown_ms").is_not_null(), ts_ms=pl.coalesce("shown_ms", "ts_ms"))
    return replace(events, frame=moved.sort("ts_ms", "is_moved", maintain_order=True).select(frame.columns))


def concerned(shown: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Return the impressions that some of `told` may be tied to, in their order; the others change no outcome."""
    found = [shown.join(told, on=keys, how="semi").select("impression") for keys in (BY_REQUEST, BY_USER)]
    return shown.join(pl.concat(found), on="impression", how="semi", maintain_order="left")


def _by_request(shown: pl.DataFrame, events: pl.DataFrame, window: int) -> pl.DataFrame:
    lists = shown.join(events, on=BY_REQUEST, how="semi", maintain_order="left")
    lists = lists.unique(BY_REQUEST, keep="last", maintain_order=True)
    named = events.join(lists.select("impression", *BY_REQUEST, shown_ms="ts_ms"), on=BY_REQUEST, maintain_order="left")
    return named.filter((pl.col("ts_ms") - pl.col("shown_ms")).is_between(-SKEW_MS, window))


def _by_user(shown: pl.DataFrame, events: pl.DataFrame, window: int) -> pl.DataFrame:
    lists = shown.join(events, on=BY_USER, how="semi", maintain_order="left")
    lists = lists.select("impression", *BY_USER, shown_ms="ts_ms").sort("shown_ms", maintain_order=True)
    found = events.sort("ts_ms", maintain_order=True).join_asof(
        lists, left_on="ts_ms", right_on="shown_ms", by=BY_USER, strategy="backward", tolerance=window,
        coalesce=False, check_sortedness=False,
    )  # fmt: skip
    return found.filter(pl.col("impression").is_not_null()).select(*events.columns, "impression", "shown_ms")


def refunds(shown: pl.DataFrame, told: pl.DataFrame, tied: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the refunds among `told`, with the `impression` and `shown_ms` of their purchases; see `outcomes`.

    `tied` is what `tie` returns of the others. A refund without a price takes back what was paid, without a quantity
    either all of it. One whose order no purchase of the item names goes to the newest purchase without an order, one
    alone to each.
    """
    back = told.filter(pl.col("kind") == "refund")
    where = tied.select("event", "impression", "shown_ms")
    bought = told.filter(pl.col("kind") == "purchase").join(where, on="event", how="left", maintain_order="left")
    bought = bought.rename({"price_minor": "paid_minor", "quantity": "bought"})
    bought = bought.with_columns(purchase="event")
    facts = ["impression", "shown_ms", "paid_minor", "bought", "purchase"]
    orders = bought.unique(BY_ORDER, keep="last", maintain_order=True).select(*BY_ORDER, *facts)
    by_order = back.join(orders, on=BY_ORDER, maintain_order="left")
    strange = back.filter(pl.col("order_id").is_not_null()).join(orders, on=BY_ORDER, how="anti", maintain_order="left")
    plain = back.filter(pl.col("order_id").is_null())
    by_request = _newest(_by_request(shown, plain, window), bought, facts[2:], ["impression"])
    unnamed = plain.filter(pl.col("request_id").is_null())
    nameless = bought.filter(pl.col("order_id").is_null())
    once = _newest(strange, nameless, facts).unique("purchase", keep="first", maintain_order=True)
    by_user = (_newest(unnamed, bought, facts), once)
    found = pl.concat([part.select(*back.columns, *facts) for part in (by_order, by_request, *by_user)])
    in_time = found.filter((pl.col("ts_ms") - pl.col("shown_ms") <= window) & pl.col("impression").is_not_null())
    whole = pl.when(pl.col("price_minor").is_null()).then(pl.coalesce("quantity", "bought")).otherwise("quantity")
    return in_time.with_columns(price_minor=pl.coalesce("price_minor", "paid_minor"), quantity=whole)


def _newest(back: pl.DataFrame, bought: pl.DataFrame, facts: Sequence[str],
            by: Sequence[str] = BY_USER) -> pl.DataFrame:  # fmt: skip
    """Return refunds with `facts` of the newest purchase before them, by default of the user and item."""
    return back.sort("ts_ms", maintain_order=True).join_asof(
        bought.sort("ts_ms", maintain_order=True).select("ts_ms", *by, *facts),
        on="ts_ms", by=by, strategy="backward", check_sortedness=False,
    )  # fmt: skip


def _worth(tied: pl.DataFrame) -> pl.DataFrame:
    """Return kind, impression and the amount that an event adds; an unknown quantity is 1, an unknown price adds 0."""
    amount = (pl.col("quantity").fill_null(1.0) * pl.col("price_minor").fill_null(0)).round().cast(pl.Int64)
    sign = pl.col("kind").replace_strict({"purchase": 1, "refund": -1}, default=0, return_dtype=pl.Int64)
    return tied.select("kind", "impression", amount_minor=amount * sign)
