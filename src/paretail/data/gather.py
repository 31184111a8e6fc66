"""Gathering: all sources of all tables read, mapped, joined and judged row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from paretail.core.clock import DAY_MS
from paretail.core.errors import DataError, ParetailError, Problem, nearest
from paretail.core.progress import Progress
from paretail.data.config import TABLES, DataConfig, Source, Table
from paretail.data.joining import mark_duplicates, mark_joined, with_mapped_ids
from paretail.data.map_events import EXTRA, Mapped, map_events
from paretail.data.map_items import IDS, map_table
from paretail.data.presets import preset_of
from paretail.data.schemas import EventRow, ItemRow, LinkRow, UserRow, faults
from paretail.data.sources import STORES, read
from paretail.data.sources.raw import FILE, LINE, Raw
from paretail.data.sources.store import in_our_words, recognised
from paretail.data.types import EVENT_COLUMNS, Time

SCHEMAS = {"events": EventRow, "items": ItemRow, "users": UserRow, "links": LinkRow}
NEVER_MS = 2**62


@dataclass(frozen=True)
class Joined:
    """One table from all its sources: every row with `part`, `row`, `excluded` and `fault`, and the raw rows."""

    frame: pl.DataFrame
    raws: tuple[Raw, ...]
    mapped: tuple[Mapped, ...]

    @property
    def broken(self) -> pl.DataFrame:
        """The lines that are no row."""
        return pl.concat([raw.broken for raw in self.raws])


def gather(config: DataConfig, base: Path, now: int, progress: Progress) -> tuple[dict[Table, Joined], Time]:
    """Read and judge every row that `config` names; raises DataError with every problem of files and columns."""
    problems: list[Problem] = []
    parts: dict[Table, list[tuple[Raw, Mapped]]] = {table: [] for table in TABLES}
    every = [(table, source) for table in TABLES for source in _by_precedence(config.sources(table))]
    for number, (table, source) in enumerate(every):
        progress(f"Reading {source.label}", 0.5 * number / len(every))
        try:
            parts[table].append(_part(table, source, config, base))
        except ParetailError as error:
            problems += error.problems
    for table, found in parts.items():
        problems += _problems(found, complete=len(found) == len(config.sources(table)))
    time = _time([mapped for _, mapped in parts["events"]], problems)
    problems += _rules_without_column(config, parts)
    if problems:
        raise DataError(list(dict.fromkeys(problems)))
    progress("Validating", 0.5)
    return {table: _table(table, found, config, time, now) for table, found in parts.items()}, time


def _by_precedence(sources: Sequence[Source[Any]]) -> list[Source[Any]]:
    return sorted(sources, key=lambda source: -source.precedence)


def _part(table: Table, source: Source[Any], config: DataConfig, base: Path) -> tuple[Raw, Mapped]:
    source = recognised(table, source, base)
    if source.format in STORES:
        config = in_our_words(config)
    source = _with_preset(table, source, config)
    raw = read(source, base)
    unnest = preset_of(source, config).unnest
    if unnest is not None and table == "events":
        raw = Raw(unnest(raw.frame), raw.broken)
    mapped = map_events(raw.frame, source, config) if table == "events" else map_table(table, raw.frame, source, config)
    frame = with_mapped_ids(mapped.frame, source, base)
    return raw, Mapped(frame, mapped.problems, mapped.lacking, mapped.unit)


def _with_preset(table: Table, source: Source[Any], config: DataConfig) -> Source[Any]:
    """Give a source the preset of `[data]` where it has none; schema.org describes items alone."""
    preset = source.preset or config.preset
    return source.model_copy(update={"preset": None if preset == "schema_org" and table != "items" else preset})


def _problems(parts: Sequence[tuple[Raw, Mapped]], complete: bool) -> list[Problem]:
    """Problems of the columns; one that `[data.columns]` names must be in one source at least."""
    found = [problem for _, mapped in parts for problem in mapped.problems]
    lacking = [mapped.lacking or {} for _, mapped in parts]
    if complete and lacking:
        found += [problem for field, problem in lacking[0].items() if all(field in other for other in lacking)]
    return found


def _time(mapped: Sequence[Mapped], problems: list[Problem]) -> Time:
    """Say what the times of the joined history mean; sources that disagree cannot be joined."""
    units = {part.unit for part in mapped}
    times: set[Time] = {"clock" if unit not in ("order", "none") else unit for unit in units}
    if len(times) > 1:
        found = f"some event sources have time = {' and some '.join(sorted(units))}"
        do = 'Give all of them a clock, or set time = "none" for all'
        problems.append(Problem("DATA-10", found, "One history needs one kind of time", do))
    return next(iter(times), "none")


def _rules_without_column(config: DataConfig, parts: dict[Table, list[tuple[Raw, Mapped]]]) -> list[Problem]:
    found = []
    for rule in config.exclude:
        names = {name for raw, mapped in parts[rule.table] for name in (*raw.frame.columns, *mapped.frame.columns)}
        ours = type(getattr(config.columns, rule.table)).model_fields
        if parts[rule.table] and rule.column not in names and rule.column not in ours:
            text = f"[data.exclude] {rule.name}: no {rule.table} source has the column {rule.column!r}"
            expected = f"Expected {nearest(rule.column, [name for name in names if not name.startswith('_')])}"
            found.append(Problem("DATA-12", text, expected, "Correct the rule's column"))
    return found


def _table(table: Table, parts: Sequence[tuple[Raw, Mapped]], config: DataConfig, time: Time, now: int) -> Joined:
    frames = [
        mapped.frame.with_columns(_part=pl.lit(number, pl.UInt16)).with_row_index("_row")
        for number, (_, mapped) in enumerate(parts)
    ]
    frame = pl.concat(frames, how="diagonal_relaxed") if frames else _nothing(table)
    frame = mark_joined(table, frame, time == "clock")
    if table == "events" and config.drop_duplicates:
        frame = mark_duplicates(frame)
    fault = _faults(table, frame, now + DAY_MS if time == "clock" else NEVER_MS)
    raws = tuple(raw for raw, _ in parts) or (Raw(pl.DataFrame()),)
    return Joined(frame.with_columns(fault), raws, tuple(mapped for _, mapped in parts))


def _faults(table: Table, frame: pl.DataFrame, latest_ms: int) -> pl.Series:
    """Judge the rows that no rule leaves out."""
    looked_at = pl.col("_excluded").is_null()
    key = {"events": ["event_id", "item_id"], "links": []}.get(table, list(IDS.get(table, ())))
    again = pl.lit(False)
    if key and (table != "events" or frame["event_id"].count()):
        given = looked_at & pl.col(key[0]).is_not_null()
        again = given & ~pl.when(given).then(pl.struct(key)).is_first_distinct()
    judged = frame.with_columns(_duplicate=again, latest_ms=pl.lit(latest_ms, pl.Int64))
    fault = faults(SCHEMAS[table], judged)
    return fault.set(frame["_excluded"].is_not_null(), None).alias("_fault")


def _nothing(table: Table) -> pl.DataFrame:
    text = dict.fromkeys((*IDS.get(table, ()), "_excluded", "currency", "_unreadable"), pl.String())
    ours = {**EVENT_COLUMNS, **EXTRA} if table == "events" else text
    return pl.DataFrame(
        schema={"_part": pl.UInt16(), "_row": pl.UInt32(), LINE: pl.Int64(), FILE: pl.Categorical(), **ours}
    )
