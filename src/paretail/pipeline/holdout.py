"""Events that a bundle has not seen: read with the columns and words of the training events."""

from pathlib import Path
from typing import Any

from paretail.core.errors import DataError
from paretail.data.config import DataConfig
from paretail.data.ingest import Examined, examine
from paretail.data.sources import read
from paretail.data.types import EVENT_COLUMNS, Events

#: Columns that a file of events must have; the others may be absent though the training events have them.
NEEDED = frozenset({"user_id", "item_id", "event"})
#: Checks that speak of a whole log; a few new events cannot satisfy them, nor need they.
OF_A_WHOLE_LOG = frozenset(
    {"too_few_events", "missing_days", "target_without_lead", "orphaned_orders", "items_not_in_catalogue"}
)


def read_events(path: Path, config: dict[str, Any]) -> Events:
    """Read `path` as the event source of the bundle's `config` was read; all columns but NEEDED may be absent.

    Raises DataError with every problem that would make the answer wrong.
    """
    examined = _examined(path, config["data"])
    failed = [
        problem for check in examined.report.checks if check.name not in OF_A_WHOLE_LOG
        for problem in check.problems if problem.severity == "fail"
    ]  # fmt: skip
    if failed:
        raise DataError(failed)
    return Events(examined.tables.events.select(*EVENT_COLUMNS), examined.tables.time)


def _examined(path: Path, data: dict[str, Any]) -> Examined:
    """Read `path` as the first event source, and no other table; without what it has no column for."""
    first = data["events"][0] | {"path": str(path.absolute()), "url": None, "query": None, "format": None}
    values = data | {"events": [first], "items": [], "users": [], "links": []}
    there = set(read(DataConfig.parse(values, "the bundle").events[0], Path(), 1).frame.columns)
    named = values["columns"]["events"] | {k: v for k, v in (first["columns"] or {}).items() if v}
    absent = {ours for ours, theirs in named.items() if theirs and not _leads_to(theirs) & there}
    if "ts" in absent or not (named["ts"] or first["preset"] or data["preset"] or "ts" in there):
        first["time"] = values["time"] = "none"
    nothing = dict.fromkeys(absent - NEEDED)
    first["columns"] = first["columns"] and first["columns"] | nothing
    values["columns"] = values["columns"] | {"events": values["columns"]["events"] | nothing}
    return examine(DataConfig.parse(values, "the bundle"), Path())


def _leads_to(theirs: str | list[str]) -> set[str]:
    """Return the columns of a file that a name in [data.columns] may mean; `a.b` leads into the column a."""
    names = [theirs] if isinstance(theirs, str) else theirs
    return {part for name in names for part in (name, name.split(".")[0])}
