"""Lines and cells that cannot be read."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, over_limit, place, share
from paretail.data.config import TABLES, Table
from paretail.data.tables import Tables

WORDS = {"too_many_cells": "have more cells than the header", "not_json": "are no JSON object"}


def check(tables: Tables) -> list[Problem]:
    """Tell, by column, of cells that are no number or time, and of lines that are no row."""
    cells = [problem for table in TABLES for problem in _cells(tables, table)]
    return [*cells, *(problem for table in TABLES for problem in _lines(tables, table))]


def _cells(tables: Tables, table: Table) -> list[Problem]:
    bad, found = tables.faulty(table, "unreadable"), []
    if not bad.height:
        return []
    for name, rows in sorted(bad.with_columns(pl.col("_unreadable").fill_null("quantity")).group_by("_unreadable")):
        text = f"{table}: {share(rows.height, tables.rows(table))} cells of {name[0]} cannot be read ({place(rows)})"
        do = "See the quarantine for the rows; set decimal, time, time_format or the right column"
        severity = over_limit(tables, table, rows.height)
        found.append(Problem("CHECK-21", text, "Expected numbers, or times of one form", do, severity))
    return found


def _lines(tables: Tables, table: Table) -> list[Problem]:
    found = []
    for reason, rows in sorted(tables.broken[table].group_by("reason"), key=lambda group: str(group[0])):
        words = WORDS.get(str(reason[0]), str(reason[0]))
        text = f"{table}: {share(rows.height, tables.rows(table))} lines {words} ({place(rows)})"
        do = "Correct these lines, or set separator or format for that source"
        severity = over_limit(tables, table, rows.height)
        found.append(Problem("CHECK-21", text, "Expected one row a line", do, severity))
    return found


CHECK = Check(check, "Such rows are left aside; many of them mean that a format, a separator or a column is wrong.")
