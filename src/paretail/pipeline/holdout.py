"""Events that a bundle has not seen: read with the columns and words of the training events."""

from pathlib import Path
from typing import Any

from paretail.core.errors import DataError
from paretail.data.config import DataConfig
from paretail.data.ingest import Examined, examine
from paretail.data.types import EVENT_COLUMNS, Events

#: Checks that speak of a whole log; a few new events cannot satisfy them, nor need they.
NO_TIME = "DATA-08"
OF_A_WHOLE_LOG = frozenset(
    {"too_few_events", "missing_days", "target_without_lead", "orphaned_orders", "items_not_in_catalogue"}
)


def read_events(path: Path, config: dict[str, Any]) -> Events:
    """Read `path` as the event source of the bundle's `config` was read; a time column may be absent.

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
    """Read `path` as the first event source, and no other table; without time where it has no such column."""
    first = data["events"][0] | {"path": str(path.absolute()), "url": None, "query": None, "format": None}
    values = data | {"events": [first], "items": [], "users": [], "links": []}
    try:
        return examine(DataConfig.parse(values, "the bundle"), Path())
    except DataError as error:
        if {problem.code for problem in error.problems} != {NO_TIME}:
            raise
    first["columns"] = None if first["columns"] is None else first["columns"] | {"ts": None}
    columns = values["columns"] | {"events": values["columns"]["events"] | {"ts": None}}
    untimed = values | {"events": [first | {"time": "none"}], "time": "none", "columns": columns}
    return examine(DataConfig.parse(untimed, "the bundle"), Path())
