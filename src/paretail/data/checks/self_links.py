"""Users who are their own friends."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, quarantined
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of links from a user to the same user."""
    return quarantined(
        tables, "links", "self_link", "CHECK-23", what="link a user to itself", column="user_id",
        expected="A link joins two users", do="Remove these rows, or name the right column as friend_id",
    )  # fmt: skip


CHECK = Check(check, "They say nothing and are left aside; many of them mean that one column is mapped twice.")
