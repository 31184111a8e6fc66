"""What a row must be, as dataframely schemas, and the name of each way to fail."""

from collections.abc import Mapping

import dataframely as dy
import polars as pl

#: Rule of a schema -> name of the fault, in the order in which a row with several is counted.
FAULTS: Mapping[str, str] = {
    "user_id|nullability": "missing_user_id",
    "item_id|nullability": "missing_item_id",
    "friend_id|nullability": "missing_friend_id",
    "readable": "unreadable",
    "kind|nullability": "unknown_kind",
    "ts_ms|nullability": "missing_time",
    "in_the_past": "future_time",
    "price_minor|min": "negative_price",
    "quantity|min": "negative_quantity",
    "quantity|inf": "unreadable",
    "position|min": "position_below_1",
    "propensity|min_exclusive": "propensity_out_of_range",
    "propensity|max": "propensity_out_of_range",
    "dwell_ms|min": "negative_dwell",
    "margin|max": "margin_above_1",
    "not_oneself": "self_link",
    "first_of_its_id": "duplicate_id",
}

#: Columns of the import's own that a row is judged by, `_unreadable` and `_duplicate` in the frame.
MARKS = ("unreadable", "duplicate")


class EventRow(dy.Schema):
    """One event; `latest_ms` is the time after which an event lies in the future."""

    user_id = dy.String(nullable=False)
    item_id = dy.String(nullable=False)
    kind = dy.String(nullable=False)
    ts_ms = dy.Int64(nullable=False)
    latest_ms = dy.Int64(nullable=False)
    quantity = dy.Float64(nullable=True, min=0, allow_inf=False, allow_nan=False)
    price_minor = dy.Int64(nullable=True, min=0)
    position = dy.Int32(nullable=True, min=1)
    propensity = dy.Float64(nullable=True, min_exclusive=0, max=1, allow_nan=False)
    dwell_ms = dy.Int64(nullable=True, min=0)
    unreadable = dy.String(nullable=True)
    duplicate = dy.Bool(nullable=False)

    @dy.rule()
    def readable(cls) -> pl.Expr:
        """Every cell that is given could be read."""
        return pl.col("unreadable").is_null()

    @dy.rule()
    def in_the_past(cls) -> pl.Expr:
        """It has happened."""
        return pl.col("ts_ms") <= pl.col("latest_ms")

    @dy.rule()
    def first_of_its_id(cls) -> pl.Expr:
        """No earlier row has its event id and item."""
        return ~pl.col("duplicate")


class ItemRow(dy.Schema):
    """One item."""

    item_id = dy.String(nullable=False)
    price_minor = dy.Int64(nullable=True, min=0)
    margin = dy.Float64(nullable=True, max=1, allow_nan=False, allow_inf=True)
    unreadable = dy.String(nullable=True)
    duplicate = dy.Bool(nullable=False)

    @dy.rule()
    def readable(cls) -> pl.Expr:
        """Every cell that is given could be read."""
        return pl.col("unreadable").is_null()

    @dy.rule()
    def first_of_its_id(cls) -> pl.Expr:
        """No earlier row has its id."""
        return ~pl.col("duplicate")


class UserRow(dy.Schema):
    """One user."""

    user_id = dy.String(nullable=False)
    duplicate = dy.Bool(nullable=False)

    @dy.rule()
    def first_of_its_id(cls) -> pl.Expr:
        """No earlier row has its id."""
        return ~pl.col("duplicate")


class LinkRow(dy.Schema):
    """One pair of users."""

    user_id = dy.String(nullable=False)
    friend_id = dy.String(nullable=False)

    @dy.rule()
    def not_oneself(cls) -> pl.Expr:
        """Two different users."""
        return pl.col("user_id") != pl.col("friend_id")


def faults(schema: type[dy.Schema], frame: pl.DataFrame) -> pl.Series:
    """Return for each row the name of the first rule that it breaks, null where it breaks none.

    A column of the schema that `frame` lacks counts as null; its own marks carry an underscore there.
    """
    frame = frame.select(pl.all().exclude(MARKS), *(pl.col(f"_{mark}").alias(mark) for mark in MARKS))
    wanted = {name: column.dtype for name, column in schema.columns().items()}
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in wanted.items() if name not in frame.columns]
    whole = frame.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in wanted.items())
    _, failure = _with_row(schema).filter(whole.with_row_index("row").cast({"row": pl.UInt32}))
    if not len(failure):
        return pl.Series("fault", [None], dtype=pl.String).new_from_index(0, frame.height)
    details = failure.details()
    broken = [rule for rule in FAULTS if rule in details.columns]
    named = pl.coalesce(pl.when(pl.col(rule) == "invalid").then(pl.lit(FAULTS[rule])) for rule in broken)
    found = details.select("row", fault=named.fill_null("unreadable"))
    rows = pl.DataFrame({"row": pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
    return rows.join(found, on="row", how="left", maintain_order="left")["fault"]


def _with_row(schema: type[dy.Schema]) -> type[dy.Schema]:
    """Add the row's number, which tells a failing row from the others."""
    return type(f"Numbered{schema.__name__}", (schema,), {"row": dy.UInt32(nullable=False)})
