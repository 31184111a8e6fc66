"""Items of the catalogue that nobody ever touched."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, share
from paretail.data.tables import Tables

TOO_MANY = 0.5


def check(tables: Tables) -> list[Problem]:
    """Warn where over half of the catalogue has no event."""
    items = tables.items["item_id"]
    if not len(items) or not tables.events.height:
        return []
    silent = items.filter(~items.is_in(tables.events["item_id"].unique().implode()))
    if len(silent) <= TOO_MANY * len(items):
        return []
    found = f"items: {share(len(silent), len(items))} have no event, among them {silent.head(3).to_list()}"
    do = "Check that the events cover the whole shop; otherwise nothing need be done"
    return [Problem("CHECK-11", found, "Expected events for most items", do, "warn")]


CHECK = Check(check, "They can be recommended by their content or their newness only, never by what others did.")
