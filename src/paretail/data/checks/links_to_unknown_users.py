"""Friends of whom nothing else is known: no event, and no row in the users file."""

import polars as pl

from paretail.core.errors import Problem, Severity
from paretail.data.checks.base import Check, share
from paretail.data.tables import Tables

TOO_MANY = 0.95


def check(tables: Tables) -> list[Problem]:
    """Warn of any linked user who is unknown; over 95 % the ids are not the same and it is a fail."""
    if not tables.links.height or not tables.events.height:
        return []
    linked = pl.concat([tables.links["user_id"], tables.links["friend_id"].alias("user_id")]).unique().sort()
    known = pl.concat([tables.events["user_id"], tables.users["user_id"]])
    absent = linked.filter(~linked.is_in(known.implode()))
    if not len(absent):
        return []
    found = f"links: {share(len(absent), len(linked))} users have no event and no row, as {absent.head(3).to_list()}"
    some = tables.events["user_id"].unique(maintain_order=True).head(3).to_list()
    expected = f"The ids of the events' users, as {some}"
    severity: Severity = "fail" if len(absent) > TOO_MANY * len(linked) else "warn"
    return [Problem("CHECK-27", found, expected, "Correct the ids, or give the source an id map", severity)]


CHECK = Check(check, "They may be listed as people to befriend, and say nothing about what their friends may like.")
