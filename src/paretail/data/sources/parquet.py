"""Parquet files."""

from typing import Any

import polars as pl

from paretail.data.config import Source
from paretail.data.sources.raw import LINE, Raw, placed, unreadable


def read(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read one Parquet file."""
    try:
        frame = pl.read_parquet(location, n_rows=limit, row_index_name=LINE, row_index_offset=1, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(location, "Parquet", error) from None
    return Raw(placed(frame, location))
