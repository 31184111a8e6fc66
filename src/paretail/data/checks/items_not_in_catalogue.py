"""Items that have events and no row in the catalogue."""

from paretail.core.errors import Problem, Severity
from paretail.data.checks.base import Check, share
from paretail.data.tables import Tables

TOO_MANY = 0.5


def check(tables: Tables) -> list[Problem]:
    """Tell of unknown items; where they have over half of the events, the ids are not the same and it is a fail."""
    if not tables.items.height or not tables.events.height:
        return []
    counts = tables.events["item_id"].value_counts(sort=True, name="n")
    absent = counts.join(tables.items.select("item_id"), on="item_id", how="anti", maintain_order="left")
    if not absent.height:
        return []
    of_all = int(absent["n"].sum()) / tables.events.height
    some, known = absent["item_id"].head(3).to_list(), tables.items["item_id"].head(3).to_list()
    found = (
        f"events: {share(absent.height, counts.height)} items are not in the catalogue, among them {some}; they have "
        f"{100 * of_all:.1f} % of the events"
    )
    severity: Severity = "fail" if of_all > TOO_MANY else "warn"
    expected = f"The same ids in both; the catalogue has {known}"
    return [Problem("CHECK-10", found, expected, "Complete the catalogue, or give the source an id map", severity)]


CHECK = Check(
    check, "Such items have no category, price or stock: they cannot be filtered, explained or shown properly."
)
