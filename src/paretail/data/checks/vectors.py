"""Vectors with gaps or of different lengths."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.attributes import is_faulty, usual_length
from paretail.data.checks.base import Check, over_limit, place, share
from paretail.data.config import Table
from paretail.data.tables import Tables


def check(tables: Tables) -> list[Problem]:
    """Tell of vector columns with NaN, infinity or an unusual length; those cells are emptied, the rows go on."""
    tables_with_vectors: tuple[Table, ...] = ("items", "users")
    return [problem for table in tables_with_vectors for problem in _of(tables, table)]


def _of(tables: Tables, table: Table) -> list[Problem]:
    frame, found = tables.good(table), []
    for name in [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.Float32)]:
        size = usual_length(frame[name])
        bad = frame.filter(is_faulty(name, size))
        if bad.height:
            text = f"{table}: {share(bad.height, frame.height)} vectors in {name} are unusable ({place(bad)})"
            expected = f"Expected {size} finite numbers, as in most rows"
            severity = over_limit(tables, table, bad.height)
            found.append(Problem("CHECK-20", text, expected, "Compute these vectors again", severity))
    return found


CHECK = Check(check, "Similarity by content cannot be computed for these items; they count as having no vector.")
