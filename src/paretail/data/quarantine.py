"""Quarantine: the rows that did not go on, each with the reason, the file, the line and the row as it was."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from paretail.core.errors import Problem, UsageError
from paretail.core.files import folder_aside, settle
from paretail.data.config import Table
from paretail.data.sources.raw import FILE, LINE, Raw

#: Marks a folder as ours, so that no other is ever replaced.
SUMMARY = "summary.json"


def write_quarantine(bad: Mapping[Table, pl.DataFrame], raws: Mapping[Table, Sequence[Raw]], folder: Path) -> None:
    """Write a CSV (reason, file, line, row as JSON) a table with bad rows, and a summary; replaces an older one."""
    if folder.exists() and not (folder / SUMMARY).is_file():
        found = f"{folder} is there already and holds no quarantine"
        raise UsageError(Problem("CLI-11", found, "Expected a new folder", "Name another"))
    rows = {table: quarantined(bad[table], raws[table]) for table in bad}
    with folder_aside(folder.parent) as grave, folder_aside(folder.parent) as aside:
        for table, frame in rows.items():
            if frame.height:
                frame.write_csv(aside / f"{table}.csv")
        counts = {table: dict(frame["reason"].value_counts(sort=True).iter_rows()) for table, frame in rows.items()}
        (aside / SUMMARY).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(grave / "older")
        settle(aside, folder)


def quarantined(bad: pl.DataFrame, raws: Sequence[Raw]) -> pl.DataFrame:
    """Return reason, file, line and row of every bad row of one table."""
    parts = [_of_part(bad.filter(pl.col("_part") == number), raw) for number, raw in enumerate(raws)]
    broken = [raw.broken.select("reason", file=pl.col(FILE).cast(pl.String), line=LINE, row="row") for raw in raws]
    return pl.concat([*parts, *broken])


def _of_part(bad: pl.DataFrame, raw: Raw) -> pl.DataFrame:
    schema = {"reason": pl.String(), "file": pl.String(), "line": pl.Int64(), "row": pl.String()}
    if not bad.height:
        return pl.DataFrame(schema=schema)
    rows = raw.frame[bad["_row"].cast(pl.Int64)].drop(FILE, LINE)
    text = rows.with_columns(pl.col(pl.Categorical, pl.Decimal, pl.Binary).cast(pl.String))
    encoded = text.select(row=pl.struct(pl.all()).struct.json_encode())["row"]
    return pl.DataFrame(
        {"reason": bad["_fault"], "file": bad[FILE].cast(pl.String), "line": bad[LINE], "row": encoded}, schema
    )
