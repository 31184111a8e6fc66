"""Rows that do not say who or what."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.config import Table
from paretail.data.tables import Tables

IDS: tuple[tuple[Table, str], ...] = (
    ("events", "user_id"), ("events", "item_id"), ("items", "item_id"), ("users", "user_id"),
    ("links", "user_id"), ("links", "friend_id"),
)  # fmt: skip


def check(tables: Tables) -> list[Problem]:
    """Tell of empty ids in every table."""
    return [problem for table, column in IDS for problem in _of(tables, table, column)]


def _of(tables: Tables, table: Table, column: str) -> list[Problem]:
    rule = f'exclude = [{{ name = "no {column}", table = "{table}", column = "{column}", missing = true }}]'
    return quarantined(
        tables, table, f"missing_{column}", "CHECK-02", what=f"have no {column}",
        expected=f"Every row of {table} needs one", do=f"Fill it, or leave the rows out on purpose: [data] {rule}",
    )  # fmt: skip


CHECK = Check(check, "Such rows teach nothing and are left aside; many of them mean that the wrong column is mapped.")
