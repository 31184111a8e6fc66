"""Events that a bundle has not seen: read in the columns and words of training, or as a store writes them."""

from pathlib import Path
from typing import Any

from paretail.core.errors import DataError
from paretail.data.config import DataConfig
from paretail.data.ingest import Examined, examine
from paretail.data.sources import read
from paretail.data.types import EVENT_COLUMNS, Events
from paretail.graph.targets import friendships

#: Columns that a file of events must have; the others may be absent though the training events have them.
NEEDED = frozenset({"user_id", "item_id", "event"})
#: Columns by which a file that `paretail events export` wrote is known; its columns and words are ours.
EXPORTED = frozenset({"user_id", "item_id", "kind", "ts_ms", "event_id", "price_minor"})
#: Checks that speak of a whole log; a few new events cannot satisfy them, nor need they.
OF_A_WHOLE_LOG = frozenset(
    {"too_few_events", "missing_days", "target_without_lead", "orphaned_orders", "items_not_in_catalogue"}
)


def read_events(path: Path, config: dict[str, Any]) -> Events:
    """Read `path` as the event source of the bundle's `config` was read; all columns but NEEDED may be absent.

    A file that a store wrote (EXPORTED) is read in our columns and words, unless it has all that the source needs.
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


def read_links(path: Path, config: dict[str, Any]) -> Events:
    """Read `path` as the links of the bundle's `config` were read, each in both directions; raises DataError."""
    data = config["data"]
    first = (data["links"] or [{}])[0] | {"path": str(path.absolute()), "url": None, "query": None, "format": None}
    values = data | {"events": [], "items": [], "users": [], "links": [first]}
    examined = examine(DataConfig.parse(values, "the bundle"), Path())
    return friendships(examined.shop(OF_A_WHOLE_LOG).links)


def _examined(path: Path, data: dict[str, Any]) -> Examined:
    """Read `path` as the first event source, and no other table; without what it has no column for."""
    first = data["events"][0] | {"path": str(path.absolute()), "url": None, "query": None, "format": None}
    values = data | {"events": [first], "items": [], "users": [], "links": []}
    there = set(read(DataConfig.parse(values, "the bundle").events[0], Path(), 1).frame.columns)
    named = _pruned(data["columns"]["events"], there)
    if there >= EXPORTED and not _has_needed(first, data, there):
        ours = {"events": [{"path": str(path.absolute())}], "currency": data["currency"]}
        return examine(DataConfig.parse(ours, "the bundle"), Path())
    first["columns"] = first["columns"] and _pruned(first["columns"], there)
    values["columns"] = data["columns"] | {"events": named}
    ts = (first["columns"] or {}).get("ts") or named["ts"] or "ts"
    if not (first["preset"] or data["preset"] or _present(ts, there)):
        first["time"] = values["time"] = "none"
    return examine(DataConfig.parse(values, "the bundle"), Path())


def _has_needed(source: dict[str, Any], data: dict[str, Any], there: set[str]) -> bool:
    """Return whether a file has the columns by which the source names what every event has."""
    named = data["columns"]["events"] | {ours: theirs for ours, theirs in (source["columns"] or {}).items() if theirs}
    return all(_present(named.get(ours) or ours, there) for ours in NEEDED)


def _pruned(named: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """Return the names of columns that are there; a column that must be there keeps its name in any case."""
    return {ours: _present(theirs, there) or (theirs if ours in NEEDED else None) for ours, theirs in named.items()}


def _present(theirs: str | list[str] | None, there: set[str]) -> list[str] | None:
    """Return those of the names that lead to a column; `a.b` leads into the column a."""
    names = [theirs] if isinstance(theirs, str) else theirs or []
    return [name for name in names if name in there or name.split(".")[0] in there] or None
