"""What a check is, and how it says what it found."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from paretail.core.errors import Problem, Severity
from paretail.data.config import Table
from paretail.data.sources.raw import FILE, LINE
from paretail.data.tables import Tables


@dataclass(frozen=True)
class Check:
    """One question to the data.

    `consequence` says what happens to the recommendations where the answer is bad.
    """

    run: Callable[[Tables], list[Problem]]
    consequence: str


def place(rows: pl.DataFrame) -> str:
    """Say where the first of `rows` stands."""
    first = rows.row(0, named=True)
    return f"first: {first[FILE]} row {first[LINE]}"


def share(part: int, whole: int) -> str:
    """Say `1,204 of 88,310 (1.4 %)`."""
    return f"{part:,} of {whole:,} ({100 * part / max(whole, 1):.1f} %)"


def quarantined(
    tables: Tables, table: Table, fault: str, code: str, *, what: str, expected: str, do: str, column: str | None = None
) -> list[Problem]:
    """Tell of the rows of one fault; more than `quarantine_limit` of the table is a fail."""
    rows = tables.faulty(table, fault)
    if not rows.height:
        return []
    value = "" if column is None else f", {rows[column][0]}"
    found = f"{table}: {share(rows.height, tables.rows(table))} rows {what} ({place(rows)}{value})"
    return [Problem(code, found, expected, do, over_limit(tables, table, rows.height))]


def over_limit(tables: Tables, table: Table, rows: int) -> Severity:
    """Return `fail` where more rows are faulty than the shop lets pass."""
    return "fail" if rows > tables.config.quarantine_limit * tables.rows(table) else "warn"
