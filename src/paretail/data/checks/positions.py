"""Slots that are counted from 0, or not at all."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of positions below 1; where they begin at 0 it is a fail, since every other is one too low as well."""
    rows = tables.faulty("events", "position_below_1")
    if rows.height and rows.filter(pl.col("position") != 0).height == 0:
        found = f"events: positions are counted from 0 ({rows.height:,} rows)"
        do = "Add 1 to the column, or leave it out of [data.columns.events]"
        return [Problem("CHECK-19", found, "The first slot is 1", do)]
    return quarantined(
        tables, "events", "position_below_1", "CHECK-19", what="have a position below 1", column="position",
        expected="The first slot is 1", do="Correct the column, or leave the cell empty",
    )  # fmt: skip


CHECK = Check(check, "The effect of the slot on clicks would be learned one slot off.")
