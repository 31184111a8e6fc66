"""Ids that should be unique and are not."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.config import Table
from paretail.data.tables import Tables

IDS: tuple[tuple[Table, str], ...] = (("items", "item_id"), ("users", "user_id"), ("events", "event_id"))


def check(tables: Tables) -> list[Problem]:
    """Tell of items, users and events whose id an earlier row has."""
    return [problem for table, column in IDS for problem in _of(tables, table, column)]


def _of(tables: Tables, table: Table, column: str) -> list[Problem]:
    if column not in tables.bad[table].columns:
        return []
    return quarantined(
        tables, table, "duplicate_id", "CHECK-03", what=f"repeat the {column} of an earlier row", column=column,
        expected="The first row of an id is kept", do="Remove the others, or name the right id column",
    )  # fmt: skip


CHECK = Check(check, "Only the first row of each id counts, so that an older title, price or stock may be shown.")
