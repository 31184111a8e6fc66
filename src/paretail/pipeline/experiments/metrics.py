"""Metrics of an experiment, each a number a user: what they did since their first list, and what their lists held.

`sign` is 1 where more is better and -1 where less is; statistics see sign times the value. Money is net of refunds; a
refund that tells no price takes back what the user paid for the item on average. Profit is money times the item's
margin, and an item whose margin nobody tells brings none. Diversity is the share of pairs of a list that differ in
category, a mean over the user's lists; an item without a category differs from all others, and who saw only lists of
one item counts as 0. Coverage counts the different items that they were shown.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.data.documents import ItemDocument
from paretail.data.stores.base import Store

#: What a store can tell of each user.
Metric = Literal["clicks", "purchases", "revenue", "profit", "refunds", "diversity", "coverage"]
#: Columns of what metrics read of items.
FACTS: Final = {"item_id": pl.String(), "margin": pl.Float64(), "category": pl.String()}
#: Kinds of events that metrics count.
KINDS: Final = ("click", "view", "purchase", "refund")


@dataclass(frozen=True)
class Told:
    """What a metric counts, which way is better, and from where it is read."""

    unit: str
    sign: int = 1
    money: bool = False
    of_lists: bool = False
    needs: str | None = None


METRICS: Final[dict[Metric, Told]] = {
    "clicks": Told("clicks"),
    "purchases": Told("purchases"),
    "revenue": Told("money", money=True),
    "profit": Told("money", money=True, needs="margin"),
    "refunds": Told("refunds", sign=-1),
    "diversity": Told("share of pairs", of_lists=True, needs="category"),
    "coverage": Told("items", of_lists=True),
}


def facts(store: Store, catalogue: pl.DataFrame | None) -> pl.DataFrame:
    """Return FACTS of the items, as the store tells them, else the catalogue of a bundle."""
    told = [(item_id, msgspec.json.decode(text, type=ItemDocument))
            for item_id, text in store.documents("items") if text is not None]  # fmt: skip
    rows = [(item_id, one.margin, one.category[-1] if one.category else None) for item_id, one in told]
    mine = pl.DataFrame(rows, schema=FACTS, orient="row")
    if catalogue is None:
        return mine
    known = catalogue.select("item_id", **{name: _of(catalogue, name) for name in ("margin", "category")})
    return pl.concat([mine, known.cast(FACTS)]).group_by("item_id").agg(pl.all().drop_nulls().first())  # type: ignore[arg-type]


def check(metrics: tuple[Metric, ...], items: pl.DataFrame) -> None:
    """Raise DataError (EXPT-08) for a metric of which nothing is told."""
    for name in metrics:
        needs = METRICS[name].needs
        if needs is not None and not items[needs].count():
            found = f"no item tells its {needs}, which {name} needs"
            do = f"Tell it (PUT /v1/items, or in the items file), or leave {name} out of the goal and guardrails"
            raise DataError(Problem("EXPT-08", found, f"Expected a {needs} of items", do))


def of_events(events: pl.DataFrame) -> dict[Metric, pl.Expr]:
    """Return what each of `events` (with the columns of FACTS) adds to each metric."""
    click = "click" if (events["kind"] == "click").any() else "view"
    clicked, bought, back = (pl.col("kind") == kind for kind in (click, "purchase", "refund"))
    usual = pl.col("price_minor").filter(bought).mean().over("user_id", "item_id")
    price = pl.when(back).then(pl.coalesce("price_minor", usual)).otherwise(pl.col("price_minor"))
    money = price.fill_null(0) * pl.col("quantity").fill_null(1.0)
    net = money * (bought.cast(pl.Float64) - back.cast(pl.Float64))
    return {"clicks": clicked.cast(pl.Float64), "purchases": bought.cast(pl.Float64), "revenue": net,
            "profit": net * pl.col("margin").fill_null(0.0), "refunds": back.cast(pl.Float64)}  # fmt: skip


def of_lists(lists: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return user_id, diversity and coverage of lists that were shown: user_id, item_ids."""
    shown = lists.with_row_index("list").explode("item_ids").rename({"item_ids": "item_id"})
    shown = shown.join(items.select("item_id", "category"), on="item_id", how="left")
    size, known = pl.len().cast(pl.Float64), pl.col("category").is_not_null().cast(pl.Float64)
    groups = shown.group_by("list", "user_id", "category").agg(size=size, known=known.first())
    alike = (pl.col("known") * pl.col("size") * (pl.col("size") - 1)).sum()
    pairs = pl.col("size").sum() * (pl.col("size").sum() - 1)
    each = groups.group_by("list", "user_id").agg(diversity=1 - alike / pairs).filter(pl.col("diversity").is_finite())
    wide = shown.group_by("user_id").agg(coverage=pl.col("item_id").n_unique().cast(pl.Float64))
    return wide.join(each.group_by("user_id").agg(pl.col("diversity").mean()), on="user_id", how="left")


def _of(catalogue: pl.DataFrame, name: str) -> pl.Expr:
    if name not in catalogue.columns:
        return pl.lit(None, FACTS[name])
    column = pl.col(name)
    return column.list.last() if isinstance(catalogue.schema[name], pl.List) else column.cast(FACTS[name])
