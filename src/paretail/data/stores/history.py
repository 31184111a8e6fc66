"""History: the compacted events as one Parquet file, sorted by user and time, and hashes of what is in it.

Files never change: a compaction writes new ones under the next number, and the database says which number counts. Row
groups are small, so that the events of one user cost a read of 8,192 rows (2 ms among 10 million); the hashes of users
spare that read for a user who has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from paretail.core.files import flush
from paretail.data.stores.disk import Moved, damaged
from paretail.data.stores.index import user_hashes
from paretail.data.stores.runs import Hashes, contains
from paretail.data.types import EVENT_COLUMNS

ROW_GROUP = 8_192
#: Held by the one process that writes history, or copies it.
LOCK = "compact.lock"
#: The files of one number: the events; the sorted digests of their ids; the sorted hashes of their users.
EVENTS, IDS, USERS = "parquet", "ids.npy", "users.npy"


class History:
    """The history of one number."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number, self._path = number, path(folder, number, EVENTS)
        self.digests, self._users = _mapped(path(folder, number, IDS)), _mapped(path(folder, number, USERS))
        self._scan = pl.scan_parquet(self._path)  # kept: it remembers where the row groups are

    def read(self, keep: pl.Expr, columns: Sequence[str] = tuple(EVENT_COLUMNS)) -> pl.DataFrame:
        """Return the rows that `keep` holds for, by user, each user's oldest first."""
        return self._collect(self._scan.filter(keep).select(columns))

    def of_users(self, user_ids: Sequence[str], keep: pl.Expr) -> pl.DataFrame:
        """Return the rows of users that `keep` holds for, by user, each user's oldest first."""
        there = contains(self._users, user_hashes(user_ids))
        names = [user for user, known in zip(user_ids, there, strict=True) if known]
        return self.read(pl.col("user_id").is_in(names) & keep) if names else pl.DataFrame(schema=EVENT_COLUMNS)

    @cached_property
    def tells_shown(self) -> bool:
        """Whether there are impressions; looked for once."""
        return self._collect(self._scan.filter(pl.col("kind") == "impression").select("kind").head(1)).height > 0

    def pieces(self, rows: int) -> Iterator[pl.DataFrame]:
        """Return all rows, piece by piece."""
        count = self._collect(self._scan.select(pl.len())).item()
        for first in range(0, count, rows):
            yield self._collect(self._scan.slice(first, rows))

    def _collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        try:
            return frame.collect()
        except FileNotFoundError:
            raise Moved from None
        except pl.exceptions.PolarsError as error:
            raise damaged(self._path, str(error)) from error


def path(folder: Path, number: int, what: str) -> Path:
    """Return the place of a file of history `number`."""
    return folder / f"history-{number:06d}.{what}"


def files(folder: Path, number: int) -> list[Path]:
    """Return the places of all files of history `number`, none for 0."""
    return [path(folder, number, what) for what in (EVENTS, IDS, USERS)] if number else []


def write_events(folder: Path, number: int, pieces: Iterable[pl.DataFrame]) -> None:
    """Write the events of history `number`, `pieces` after each other, and flush them."""

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from pieces

    table = path(folder, number, EVENTS)
    scan = register_io_source(source, schema=EVENT_COLUMNS)
    scan.sink_parquet(table, compression="zstd", row_group_size=ROW_GROUP, statistics=True, maintain_order=True)
    flush(table)


def write_hashes(folder: Path, number: int, digests: Hashes, users: Hashes) -> None:
    """Write the sorted hashes of history `number`, and flush them."""
    for what, hashes in ((IDS, digests), (USERS, users)):
        with path(folder, number, what).open("wb") as file:
            np.save(file, hashes)
        flush(path(folder, number, what))
    flush(folder)


def remove_others(folder: Path, number: int) -> None:
    """Remove all history files but those of `number`; only whoever may compact may call it."""
    for file in set(folder.glob("history-*")) - set(files(folder, number)):
        file.unlink(missing_ok=True)


def _mapped(file: Path) -> Hashes:
    try:
        empty = file.stat().st_size < 1024  # an empty array cannot be mapped
        hashes: Hashes = np.load(file, mmap_mode=None if empty else "r")
    except FileNotFoundError:
        raise Moved from None
    except (ValueError, EOFError) as error:
        raise damaged(file, str(error)) from error
    return hashes
