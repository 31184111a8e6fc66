"""Checks: what is wrong with a shop's data, one check a file."""

from collections.abc import Mapping

from paretail.data.checks import (
    bots,
    coarse_times,
    duplicate_events,
    duplicate_ids,
    encoding,
    future_times,
    items_not_in_catalogue,
    items_without_events,
    links_to_unknown_users,
    margins,
    missing_days,
    missing_ids,
    missing_times,
    mixed_currencies,
    negative_amounts,
    orphaned_orders,
    positions,
    propensities,
    refunds,
    self_links,
    target_without_lead,
    time_unit,
    too_few_events,
    unknown_kinds,
    unreadable_cells,
    users_not_in_file,
    vectors,
)
from paretail.data.checks.base import Check
from paretail.data.report import CheckResult
from paretail.data.tables import Tables

#: In the order in which `paretail check` prints them.
CHECKS: Mapping[str, Check] = {
    "unknown_kinds": unknown_kinds.CHECK,
    "missing_ids": missing_ids.CHECK,
    "missing_times": missing_times.CHECK,
    "unreadable_cells": unreadable_cells.CHECK,
    "duplicate_ids": duplicate_ids.CHECK,
    "duplicate_events": duplicate_events.CHECK,
    "time_unit": time_unit.CHECK,
    "future_times": future_times.CHECK,
    "coarse_times": coarse_times.CHECK,
    "missing_days": missing_days.CHECK,
    "negative_amounts": negative_amounts.CHECK,
    "refunds": refunds.CHECK,
    "mixed_currencies": mixed_currencies.CHECK,
    "margins": margins.CHECK,
    "orphaned_orders": orphaned_orders.CHECK,
    "items_not_in_catalogue": items_not_in_catalogue.CHECK,
    "items_without_events": items_without_events.CHECK,
    "users_not_in_file": users_not_in_file.CHECK,
    "self_links": self_links.CHECK,
    "links_to_unknown_users": links_to_unknown_users.CHECK,
    "too_few_events": too_few_events.CHECK,
    "bots": bots.CHECK,
    "target_without_lead": target_without_lead.CHECK,
    "propensities": propensities.CHECK,
    "positions": positions.CHECK,
    "vectors": vectors.CHECK,
    "encoding": encoding.CHECK,
}


def run(tables: Tables) -> tuple[CheckResult, ...]:
    """Run every check."""
    return tuple(CheckResult(name, check.consequence, tuple(check.run(tables))) for name, check in CHECKS.items())
