"""Outflow: the events of a store as a file that can be imported again as it is."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.files import atomic_file, check_writable
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.stores.lists import PLACEMENT

ENDINGS = (".parquet", ".csv", ".jsonl")


def export_events(store: Path, file: Path, *, since: str | None = None, until: str | None = None,
                  kinds: Sequence[str] | None = None, impressions: bool = False) -> int:  # fmt: skip
    """Write the events with since <= time < until, in the columns of `data/types.py`; return how many.

    `impressions`: those too, whichever `kinds` are asked for, and a column `placement`: of the list that held each.
    Raises UsageError for an ending or a moment that says
    nothing, or for a kind that does not occur.
    """
    if file.suffix not in ENDINGS or file.is_dir():
        found = f"{file} is a folder" if file.is_dir() else f"{file} ends in {file.suffix or 'nothing'}"
        raise UsageError(Problem("CLI-23", found, f"Expected a file ending in {', '.join(ENDINGS)}", "Rename it"))
    check_writable(file)
    start, end = moment(since) if since is not None else 0, None if until is None else moment(until)
    with closing(EmbeddedStore.open(store, create=False)) as opened:
        events = opened.events(start, end, impressions)
    if impressions:
        shown = pl.when(pl.col("kind") == "impression").then(PLACEMENT)
        events = events.with_columns(shown.alias("placement"))
    if kinds:
        events = _of_kinds(events, kinds, impressions)
    with atomic_file(file) as aside:
        _write(events, aside, file.suffix)
    return events.height


def moment(text: str) -> int:
    """Return a date or time (ISO 8601; UTC where it names no zone) in milliseconds; raises UsageError."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        expected = "A date or time such as 2026-11-22 or 2026-11-22T08:00+01:00"
        raise UsageError(Problem("CLI-24", f"{text!r} is no moment", expected, "Correct it")) from None
    return round((told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp() * 1000)


def _of_kinds(events: pl.DataFrame, kinds: Sequence[str], impressions: bool) -> pl.DataFrame:
    besides = ["impression"] if impressions else []
    wanted = [word.strip() for kind in kinds for word in kind.split(",")]
    there = [*events["kind"].unique().to_list(), *besides]
    if unknown := [kind for kind in wanted if kind not in there]:
        found = f"no event of the kind {unknown[0]!r} in that time"
        raise UsageError(Problem("CLI-25", found, f"Expected {nearest(unknown[0], there)}", "Correct --kind"))
    return events.filter(pl.col("kind").is_in([*wanted, *besides]))


def _write(events: pl.DataFrame, file: Path, ending: str) -> None:
    if ending == ".parquet":
        events.write_parquet(file)
    elif ending == ".csv":
        events.write_csv(file)
    else:
        events.write_ndjson(file)
