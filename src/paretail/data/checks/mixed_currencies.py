"""Prices in a currency that has no rate."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.amounts import without_rate
from paretail.data.checks.base import Check
from paretail.data.config import Table
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Fail with the currencies that are neither the reporting one nor in the table of rates."""
    tables_with_prices: tuple[Table, ...] = ("events", "items")
    return [problem for table in tables_with_prices for problem in _of(tables, table)]


def _of(tables: Tables, table: Table) -> list[Problem]:
    codes = tables.good(table)["currency"].cast(pl.String).drop_nulls()
    foreign = codes.filter(without_rate(codes, tables.config)).value_counts(sort=True, name="n")
    if not foreign.height:
        return []
    listed = ", ".join(f"{code} ({n:,})" for code, n in foreign.iter_rows())
    lines = ", ".join(f"{code} = ..." for code in foreign["currency"])
    found = f"{table}: {int(foreign['n'].sum()):,} prices are in currencies without a rate: {listed}"
    expected = f"Amounts are reported in {tables.config.currency}"
    return [Problem("CHECK-09", found, expected, f"Add the worth of one unit to [data.rates]: {lines}")]


CHECK = Check(check, "Amounts of different currencies cannot be added, so every figure in money would be meaningless.")
