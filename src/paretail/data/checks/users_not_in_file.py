"""Users who have events and no row in the users file."""

from paretail.core.errors import Problem, Severity
from paretail.data.checks.base import Check, share
from paretail.data.tables import Tables

SOME, TOO_MANY = 0.05, 0.95


def check(tables: Tables) -> list[Problem]:
    """Warn where over 5 % are unknown; over 95 % the ids are not the same and it is a fail."""
    if not tables.users.height or not tables.events.height:
        return []
    active = tables.events["user_id"].unique().sort()
    absent = active.filter(~active.is_in(tables.users["user_id"].implode()))
    if len(absent) <= SOME * len(active):
        return []
    found = f"events: {share(len(absent), len(active))} users are not in the users file, as {absent.head(3).to_list()}"
    expected = f"The same ids in both; the users file has {tables.users['user_id'].head(3).to_list()}"
    severity: Severity = "fail" if len(absent) > TOO_MANY * len(active) else "warn"
    return [Problem("CHECK-24", found, expected, "Complete the file, or give the source an id map", severity)]


CHECK = Check(check, "What is known of these users (country, segment) cannot be used for them.")
