"""Predictions for pairs of users and items from a bundle to a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.core.money import minor_per_major
from paretail.data.config import Source
from paretail.data.sources import read
from paretail.data.types import RARER
from paretail.pipeline.explaining import explanations
from paretail.pipeline.recommend import check_out, write_table
from paretail.pipeline.recommender import Recommender

ENDS: Final = ("user_id", "item_id")
#: Tasks of which a column may be asked for beside the usual ones.
GIVEN_CLICK: Final = (*RARER, "cart")


def predict_to_file(bundle: Path, pairs: Path, out: Path, explain: Path | None = None,
                    quantiles: Sequence[float] = (), tasks: Sequence[str] = ()) -> dict[str, Any]:  # fmt: skip
    """Write `user_id, item_id, p_click, p_purchase, expected_value`, a row a pair in the order of `pairs`.

    With `tasks` (of GIVEN_CLICK) also `p_favourite` and the like, empty where a task was not learned; with `quantiles`
    `order_value`, expected of a purchase, and those of it, such as `order_value_p10`. What each
    prediction comes from goes to the file `explain`, see `explanations`. A user whom the bundle does not know is
    predicted as somebody new. Raises DataError RANK-06 where a column is missing or an id empty, RANK-07 where items
    are unknown, BundleError RANK-05 where the bundle has no ranker.
    """
    check_out(out)
    if explain is not None:
        check_out(explain, "--explain")
    recommender = Recommender.load(bundle)
    ranker = recommender.ranker
    asked = read_pairs(pairs, recommender)
    item_idx = recommender.items.rows(asked["item_id"])
    _check_items(asked, item_idx, pairs, recommender)
    users = asked["user_id"].unique(maintain_order=True)
    place = pl.DataFrame({"user_id": users, "place": np.arange(len(users), dtype=np.int32)})
    user_idx = asked.join(place, on="user_id", how="left", maintain_order="left")["place"].to_numpy()
    known = recommender.users.rows(users)
    moment = np.full(asked.height, recommender.moment_ms, np.int64)
    asked_of = recommender.history_of(users), known, user_idx, item_idx, moment
    told = ranker.predict(*asked_of)
    minor = minor_per_major(recommender.manifest.config["data"]["currency"])
    rows = asked.with_columns(
        p_click=pl.Series(told.p_click), p_purchase=pl.Series(told.p_purchase),
        expected_value=pl.Series(told.value / minor),
    ).with_columns(pl.col("p_click", "p_purchase", "expected_value").fill_nan(None))  # fmt: skip
    rows = rows.with_columns(pl.Series(f"p_{task}", told.given_click(task)).fill_nan(None) for task in tasks)
    if quantiles:
        rows = rows.with_columns(
            _orders(told.order_value, ranker.order_quantiles(*asked_of, quantiles), quantiles, minor)
        )
    write_table(rows, out)
    if explain is not None:
        write_table(explanations(asked, ranker.explain(*asked_of), minor), explain)
    new = int((known < 0).sum())
    explained = {} if explain is None else {"explanations": str(explain)}
    return {"version": recommender.version, "pairs": rows.height, "users": len(users), "new_users": new,
            "tasks": list(ranker.tasks), "file": str(out), **explained}  # fmt: skip


def _orders(mean: Any, spread: Any, quantiles: Sequence[float], minor: float) -> list[pl.Series]:
    """Return the columns of an order's value: its mean, and a quantile each."""
    names = ["order_value", *(f"order_value_p{100 * level:g}" for level in quantiles)]
    return [
        pl.Series(name, column / minor).fill_nan(None) for name, column in zip(names, (mean, *spread.T), strict=True)
    ]


def read_pairs(pairs: Path, recommender: Recommender) -> pl.DataFrame:
    """Return `user_id, item_id` of a table (Parquet, CSV ...) of pairs; other columns are ignored."""
    frame = read(Source(path=str(pairs.absolute())), Path()).frame
    names = {}
    for end, table in zip(ENDS, ("users", "items"), strict=True):
        found = [name for name in recommender.columns(end, table, "events") if name in frame.columns]
        if not found:
            seen = ", ".join(frame.columns[:10])
            raise DataError(Problem("RANK-06", f"{pairs.name} has no column {end!r}, but {seen}",
                                    "Expected columns user_id and item_id", "Rename the column"))  # fmt: skip
        names[end] = found[0]
    asked = frame.select(pl.col(name).cast(pl.String).alias(end) for end, name in names.items())
    if empty := asked.filter(pl.any_horizontal(pl.all().is_null())).height:
        raise DataError(Problem("RANK-06", f"{pairs.name}: {empty:,} of {asked.height:,} rows lack an id",
                                "Expected a user and an item in each row", "Fill or remove them"))  # fmt: skip
    return asked


def _check_items(asked: pl.DataFrame, item_idx: Any, pairs: Path, recommender: Recommender) -> None:
    unknown = asked["item_id"].filter(pl.Series(item_idx < 0)).unique(maintain_order=True)
    if len(unknown):
        found = f"{pairs.name} asks for {len(unknown):,} items that the bundle does not know (first: {unknown[0]!r})"
        expected = f"Items of the catalogue or of training events, such as {recommender.items.ids.first()!r}"
        raise DataError(Problem("RANK-07", found, expected, "Remove them, or train again with them in the catalogue"))
