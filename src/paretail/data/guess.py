"""Guessing: which of the shop's columns is what, from their names and first cells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from paretail.data.cells import as_number, as_text
from paretail.data.config import DataConfig, Source, Table, Unit
from paretail.data.presets import preset_of
from paretail.data.resolve import reach
from paretail.data.sources.raw import FILE, LINE
from paretail.data.times import unit_of
from paretail.data.words import kind_of, known_words

#: Our name -> names that shops use, the surest first; compared without case and punctuation.
NAMES: Mapping[Table, Mapping[str, tuple[str, ...]]] = {
    "events": {
        "user_id": ("user_id", "userid", "visitorid", "customerid", "customer", "user", "uid", "memberid", "accountid",
                    "clientid", "reviewerid", "shopperid", "userpseudoid", "sessionid"),
        "item_id": ("item_id", "itemid", "productid", "sku", "stockcode", "asin", "articleid", "variantid", "movieid",
                    "trackid", "artistid", "item", "product", "iid", "pid", "description", "productname", "title"),
        "event": ("event", "eventtype", "eventname", "behavior", "behaviour", "behaviortype", "action", "actiontype",
                  "interaction", "kind", "type"),
        "ts": ("ts", "timestamp", "tsms", "eventtime", "eventtimestamp", "datetime", "time", "date", "createdat",
               "occurredat", "invoicedate", "orderdate", "purchasedate", "timestampms", "unixreviewtime", "day"),
        "event_id": ("event_id", "eventid", "eventuuid"),
        "order_id": ("order_id", "orderid", "orderno", "ordernumber", "transactionid", "invoiceno", "invoice",
                     "invoiceid", "basketid", "receiptid"),
        "quantity": ("quantity", "qty", "units", "count", "plays", "playcount"),
        "price": ("price", "unitprice", "itemprice", "saleprice"),
        "currency": ("currency", "currencycode", "pricecurrency"),
        "request_id": ("request_id", "requestid", "impressionid", "slateid"),
        "position": ("position", "slot"),
        "propensity": ("propensity", "propensityscore", "pscore"),
        "dwell_ms": ("dwell_ms", "dwelltimems"),
    },
    "items": {
        "item_id": ("item_id", "itemid", "productid", "sku", "stockcode", "asin", "articleid", "variantid", "movieid",
                    "artistid", "id", "item"),
        "parent_id": ("parent_id", "parentid", "itemgroupid", "productgroupid", "parentasin", "parentsku"),
        "title": ("title", "name", "productname", "itemname", "description"),
        "category": ("category", "categories", "categorypath", "producttype", "googleproductcategory", "categoryname"),
        "brand": ("brand", "brandname", "manufacturer", "vendor"),
        "price": ("price", "unitprice", "listprice", "saleprice"),
        "currency": ("currency", "currencycode", "pricecurrency"),
        "margin": ("margin", "marginrate"),
        "in_stock": ("in_stock", "instock", "availability", "stock", "inventory", "available"),
        "created": ("created", "createdat", "createdts", "createdtsms", "releasedate", "dateadded", "firstseen"),
    },
    "users": {
        "user_id": ("user_id", "userid", "visitorid", "customerid", "customer", "user", "uid", "memberid", "id"),
    },
    "links": {
        "user_id": ("user_id", "userid", "user", "follower", "source", "sourceid", "from", "user1", "usera"),
        "friend_id": ("friend_id", "friendid", "friend", "followee", "target", "targetid", "to", "user2", "userb"),
    },
}  # fmt: skip
NEEDED: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id"), "items": ("item_id",), "users": ("user_id",), "links": ("user_id", "friend_id"),
}  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """What a table's columns seem to be: our name -> theirs, those not used, and those needed but not found."""

    columns: Mapping[str, str]
    unused: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Behaviour:
    """What the events seem to say: words with their count and kind (None: unknown), the unit and currencies."""

    words: Mapping[str, tuple[int, str | None]]
    unit: Unit
    currencies: tuple[str, ...] = ()
    remarks: Mapping[str, int] = field(default_factory=dict)


def guess_columns(table: Table, frame: pl.DataFrame, source: Source[Any]) -> Guess:
    """Match the columns of `frame` with the names that we know; what a preset explains needs no guess."""
    theirs = [name for name in frame.columns if name not in (FILE, LINE)]
    plain = {_plain(name): name for name in reversed(theirs)}
    known = preset_of(source, DataConfig(events=())).columns.get(table, {})
    by_preset = {ours for ours, names in known.items() if any(reach(frame, name) is not None for name in names)}
    columns: dict[str, str] = {}
    for ours, names in NAMES[table].items():
        match = next((plain[name] for name in map(_plain, names) if name in plain), None)
        if match is not None and match not in columns.values() and ours not in by_preset:
            columns[ours] = match
    missing = tuple(ours for ours in NEEDED[table] if ours not in columns and ours not in by_preset)
    return Guess(columns, tuple(name for name in theirs if name not in columns.values()), missing)


def guess_behaviour(
    frame: pl.DataFrame, columns: Mapping[str, str], source: Source[Any], told: DataConfig
) -> Behaviour:
    """Look at the cells: which words there are, what the times count, which currencies and oddities occur."""
    cells = {ours: frame[theirs] for ours, theirs in columns.items() if theirs in frame.columns}
    unit: Unit = (unit_of(cells["ts"].head(100_000)) or "none") if "ts" in cells else "none"
    codes = as_text(cells["currency"]).value_counts(sort=True) if "currency" in cells else pl.DataFrame()
    listed = tuple(str(code) for code in codes.to_series(0).drop_nulls()) if codes.height else ()
    words = _words(as_text(cells["event"]), source, told) if "event" in cells else {}
    return Behaviour(words, unit, listed, _remarks(cells))


def _words(column: pl.Series, source: Source[Any], told: DataConfig) -> dict[str, tuple[int, str | None]]:
    counts = (
        column.alias("word").drop_nulls().value_counts(sort=True, name="n").sort("n", "word", descending=[True, False])
    )
    kinds = kind_of(counts["word"], source, told)
    words = {word: (n, kind) for (word, n), kind in zip(counts.iter_rows(), kinds, strict=True)}
    if len(words) == 1 and not known_words(source, told):
        return {word: (n, kind or word) for word, (n, kind) in words.items()}
    return words


def _remarks(cells: Mapping[str, pl.Series]) -> dict[str, int]:
    found = {
        f"{ours} below 0": int((as_number(cells[ours]) < 0).sum()) for ours in ("quantity", "price") if ours in cells
    }
    found |= {f"no {ours}": as_text(cells[ours]).null_count() for ours in ("user_id", "item_id") if ours in cells}
    return {what: n for what, n in found.items() if n}


def several(guesses: Sequence[Guess]) -> Guess:
    """Join the guesses of several sources of one table: a column counts where the first has it."""
    columns = {ours: theirs for guess in reversed(guesses) for ours, theirs in guess.columns.items()}
    unused = dict.fromkeys(name for guess in guesses for name in guess.unused if name not in columns.values())
    missing = dict.fromkeys(ours for guess in guesses for ours in guess.missing)
    return Guess(columns, tuple(unused), tuple(missing))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
