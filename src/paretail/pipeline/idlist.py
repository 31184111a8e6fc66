"""Which users or items a command is about: `all`, a file of ids, or one id."""

from pathlib import Path

import polars as pl

from paretail.core.errors import DataError, Problem, UsageError


def read_ids(wanted: str, column: str, everyone: pl.Series) -> pl.Series:
    """Return the ids that `wanted` means, distinct, in the order given.

    `all` is `everyone`; the path of an existing file is Parquet or CSV with `column`, or one id a line; anything
    else is one id. Raises UsageError for a path that does not exist, DataError for a file without ids.
    """
    if wanted == "all":
        return everyone
    path = Path(wanted)
    if path.is_file():
        ids = _from_file(path, column).cast(pl.String).drop_nulls().unique(maintain_order=True)
        if ids.is_empty():
            raise DataError(
                Problem("CLI-02", f"{wanted} holds no id", f"Expected a column {column!r} of ids", "Fill it")
            )
        return ids.rename(column)
    if path.suffix in {".parquet", ".csv", ".txt"} or "/" in wanted:
        expected = f"Expected `all`, a file (Parquet, CSV, or a line an id), or an id such as {everyone.first()!r}"
        raise UsageError(Problem("CLI-01", f"{wanted} does not exist", expected, "Correct the path"))
    return pl.Series(column, [wanted])


def _from_file(path: Path, column: str) -> pl.Series:
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
    elif path.suffix in {".csv", ".gz"}:
        frame = pl.read_csv(path, infer_schema=False)
    else:
        return pl.Series([line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])
    if column not in frame.columns:
        found = f"{path.name} has no column {column!r}, but {', '.join(frame.columns)}"
        raise DataError(Problem("CLI-03", found, f"Expected a column {column!r}", "Rename the column"))
    return frame[column]
