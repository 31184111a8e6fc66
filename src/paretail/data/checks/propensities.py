"""Propensities that are no probability."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of values outside (0, 1]."""
    return quarantined(
        tables, "events", "propensity_out_of_range", "CHECK-18", what="have a propensity outside (0, 1]",
        column="propensity", expected="A probability above 0 and at most 1",
        do="Write the probability with which the item was shown at that slot, or leave the cell empty",
    )  # fmt: skip


CHECK = Check(check, "Estimates of what another policy would have earned divide by the propensity and would be wrong.")
