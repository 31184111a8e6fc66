"""Tables: all that was read and mapped, sorted into good, faulty and left out, for the checks to look at."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from paretail.data.config import DataConfig, Table
from paretail.data.types import Time


@dataclass(frozen=True)
class Tables:
    """What a check sees.

    `events` has EVENT_COLUMNS, `word`, `currency`, FILE and LINE; `items`, `users` and `links` their columns with
    FILE and LINE (vectors as lists still). `bad[table]` holds the rows that go to the quarantine, with `fault`;
    `broken[table]` the lines that were no row at all, with `reason`.
    """

    config: DataConfig
    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    links: pl.DataFrame
    bad: Mapping[Table, pl.DataFrame]
    broken: Mapping[Table, pl.DataFrame]
    time: Time
    now_ms: int

    def good(self, table: Table) -> pl.DataFrame:
        """Return the rows of one table that go on."""
        found: pl.DataFrame = getattr(self, table)
        return found

    def rows(self, table: Table) -> int:
        """Return how many rows of a table were not left out by a rule."""
        return self.good(table).height + self.bad[table].height + self.broken[table].height

    def faulty(self, table: Table, *faults: str) -> pl.DataFrame:
        """Return the quarantined rows of a table with one of these faults."""
        return self.bad[table].filter(pl.col("_fault").is_in(faults))
