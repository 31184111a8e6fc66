"""A kind of behaviour that never comes before the one to predict."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.kinds import NOT_TARGETS, strongest
from paretail.data.tables import Tables

#: Fewer events of either kind say nothing.
ENOUGH = 100


def check(tables: Tables) -> list[Problem]:
    """Warn where no user ever did `kind` to an item before (without time: beside) the target on it."""
    counts = dict(tables.events["kind"].value_counts().iter_rows())
    target = strongest(counts)
    if target is None or counts[target] < ENOUGH:
        return []
    others = [kind for kind, n in sorted(counts.items()) if kind != target and n >= ENOUGH and kind not in NOT_TARGETS]
    return [_problem(kind, target, counts) for kind in others if not _leads(tables, kind, target)]


def _leads(tables: Tables, kind: str, target: str) -> bool:
    pair = ["user_id", "item_id"]
    chosen = tables.events.lazy().select(*pair, "kind", "ts_ms")
    last = chosen.filter(pl.col("kind") == target).group_by(pair).agg(last=pl.col("ts_ms").max())
    first = chosen.filter(pl.col("kind") == kind).group_by(pair).agg(first=pl.col("ts_ms").min())
    return first.join(last, on=pair).filter(pl.col("first") <= pl.col("last")).head(1).collect().height > 0


def _problem(kind: str, target: str, counts: dict[str, int]) -> Problem:
    found = (
        f"events: none of {counts[kind]:,} {kind!r} ever comes before one of {counts[target]:,} {target!r} on its item"
    )
    do = "Check that both kinds use the same user and item ids and the same clock, or give a source an id map"
    return Problem("CHECK-17", found, f"Expected some {target} to follow a {kind} of that user and item", do, "warn")


CHECK = Check(
    check, "Such a kind cannot help to predict; mostly two systems use two sets of ids, and half the data is lost."
)
