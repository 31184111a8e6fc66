"""Too little to learn from."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check
from paretail.data.kinds import NOT_TARGETS, strongest
from paretail.data.tables import Tables

LEAST_EVENTS, LEAST_USERS, LEAST_ITEMS = 20, 2, 2
GOOD_EVENTS, GOOD_SHARE = 1000, 0.05


def check(tables: Tables) -> list[Problem]:
    """Fail where nothing can be learned; warn where little can, or where hardly anyone touched two items."""
    wished = (
        tables.events.lazy().filter(~pl.col("kind").is_in(NOT_TARGETS)).select("user_id", "item_id", "kind").collect()
    )
    users, items = wished["user_id"].n_unique(), wished["item_id"].n_unique()
    seen = f"{wished.height:,} events of {users:,} users on {items:,} items"
    if wished.height < LEAST_EVENTS or users < LEAST_USERS or items < LEAST_ITEMS:
        expected = f"At least {LEAST_EVENTS} events, {LEAST_USERS} users and {LEAST_ITEMS} items"
        left = f"; {tables.rows('events') - tables.events.height:,} rows are quarantined"
        if passive := tables.events.height - wished.height:
            left += f", and {passive:,} are impressions or refunds, which show no wish"
        return [Problem("CHECK-13", f"events: only {seen}{left}", expected, "Import more, or see the other checks")]
    found = []
    target = strongest(wished["kind"].unique())
    if (n := int((wished["kind"] == target).sum())) < GOOD_EVENTS:
        text = f"events: only {n:,} of the kind to predict, {target!r} (in all {seen})"
        do = "Import a longer time, or predict a more frequent kind: [goal] target"
        found.append(Problem("CHECK-13", text, f"Expected {GOOD_EVENTS:,} or more", do, "warn"))
    return [*found, *_lonely(wished, users)]


def _lonely(wished: pl.DataFrame, users: int) -> list[Problem]:
    several = wished.lazy().select("user_id", "item_id").unique().group_by("user_id").len().filter(pl.col("len") > 1)
    n = several.collect().height
    if n >= GOOD_SHARE * users:
        return []
    found = f"events: only {n:,} of {users:,} users have events on two items or more"
    do = "Check user_id: a session or an order number in its place looks like this"
    return [Problem("CHECK-13", found, f"Expected {100 * GOOD_SHARE:.0f} % or more", do, "warn")]


CHECK = Check(check, "With so little the lists are hardly better than the most popular items.")
