"""Looking: the first rows of the shop's files, and what a first shop.toml should say of them."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.progress import Progress
from paretail.data.columns import EventColumns
from paretail.data.config import IGNORED, DataConfig, Preset, Source, Table
from paretail.data.guess import Behaviour, Guess, guess_behaviour, guess_columns, several
from paretail.data.kinds import STANDARD
from paretail.data.presets import preset_of
from paretail.data.sources import read
from paretail.data.starter import Draft

#: Rows of each file that are looked at: words that come later are found by `paretail check`.
LOOK = 2_000_000


def look(
    places: Mapping[Table, Sequence[str]], told: Sequence[str], preset: Preset | None, query: str | None, out: Path,
    progress: Progress,
) -> Draft:  # fmt: skip
    """Read what `places` name (relative to the working folder) and draft the file `out`."""
    if not places["events"]:
        do = "Name a file, folder, glob or postgresql:// address"
        raise UsageError(Problem("CLI-12", "--events names nothing", "Expected the event log", do))
    words = dict(_told(entry) for entry in told)
    config = _config(words, preset)
    guesses: dict[Table, Guess] = {}
    behaviour = Behaviour({}, "none")
    for table, paths in places.items():
        sources = [_source(path, preset, query) for path in paths]
        frames = []
        for source in sources:
            progress(f"Looking at {source.label}")
            frames.append(_rows(table, source, config))
        if frames:
            pairs = zip(frames, sources, strict=True)
            guesses[table] = several([guess_columns(table, frame, source) for frame, source in pairs])
        if table == "events":
            behaviour = _behaviour(frames, sources, guesses[table], config)
    listed = {table: [_place(path, query, out) for path in paths] for table, paths in places.items() if paths}
    return Draft(listed, guesses, behaviour, words, preset, _kind(guesses["events"], preset))


def _rows(table: Table, source: Source[Any], config: DataConfig) -> pl.DataFrame:
    frame = read(source, Path(), LOOK).frame
    unnest = preset_of(source, config).unnest
    return unnest(frame) if unnest is not None and table == "events" else frame


def _behaviour(
    frames: Sequence[pl.DataFrame], sources: Sequence[Source[Any]], guess: Guess, config: DataConfig
) -> Behaviour:
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    columns = dict(guess.columns)
    known = preset_of(sources[0], config).columns.get("events", {})
    columns |= {ours: name for ours, names in known.items() for name in reversed(names) if name in frame.columns}
    return guess_behaviour(frame, columns, sources[0], config)


def _kind(guess: Guess, preset: Preset | None) -> str | None:
    """Say what every row is where no column does: lines with an order, price or quantity are sales."""
    if "event" in guess.columns or preset == "ga4":
        return None
    return "purchase" if {"order_id", "price", "quantity"} & set(guess.columns) else "view"


def _source(path: str, preset: Preset | None, query: str | None) -> Source[EventColumns]:
    if "://" not in path:
        return Source[EventColumns](path=path, preset=preset)
    if query is None:
        expected, do = "A database needs a query", 'Add --query "select ..."'
        raise UsageError(Problem("CLI-12", "--events is an address", expected, do))
    return Source[EventColumns](url=path, query=query, preset=preset)


def _place(path: str, query: str | None, out: Path) -> str:
    """Return a source as a TOML value, its path relative to the file where both lie in one tree."""
    if "://" in path:
        return f"{{ url = {json.dumps(path)}, query = {json.dumps(query)} }}"
    full, folder = os.path.abspath(path), os.path.abspath(out.parent)
    near = os.path.commonpath([full, folder]) != os.path.sep
    return json.dumps((os.path.relpath(full, folder) if near else full).replace(os.path.sep, "/"), ensure_ascii=False)


def _told(entry: str) -> tuple[str, str | float]:
    word, _, meaning = entry.rpartition("=") if "=" in entry else (entry, "=", "1.0")
    try:
        weight = float(meaning)
    except ValueError:
        if meaning in (*STANDARD, IGNORED):
            return word, meaning
        expected = f"Expected {nearest(meaning, (*STANDARD, IGNORED))}, or a weight for a kind of your own"
        found = f"--kind {entry}: {meaning!r} is no kind"
        raise UsageError(Problem("CLI-13", found, expected, "Correct it")) from None
    return word, weight


def _config(words: Mapping[str, str | float], preset: Preset | None) -> DataConfig:
    kinds = {word: value if isinstance(value, str) else {"weight": value} for word, value in words.items()}
    return DataConfig.parse({"events": [], "kinds": kinds, **({"preset": preset} if preset else {})}, where="--kind")
