"""Margins that exceed the price."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of margins above 1; a percentage looks like this."""
    return quarantined(
        tables, "items", "margin_above_1", "CHECK-26", what="have a margin above 1", column="margin",
        expected="A share of the price, at most 1 (below 0 is a loss)", do="Divide percentages by 100",
    )  # fmt: skip


CHECK = Check(check, "Profit would be counted higher than the price that is paid.")
