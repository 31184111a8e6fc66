"""Events that do not say when."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of empty times where others have one."""
    return quarantined(
        tables, "events", "missing_time", "CHECK-22", what="have no time", expected="All events have a time, or none",
        do='Complete the column, leave the rows out by a rule, or set [data] time = "none"',
    )  # fmt: skip


CHECK = Check(check, "An event without a time cannot be put into its user's history and is left aside.")
