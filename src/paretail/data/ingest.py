"""Ingest: from the sources that shop.toml names to one checked shop, with an account of every row."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from paretail.core.clock import now_ms, zone
from paretail.core.errors import DataError, Problem
from paretail.core.progress import Progress, silent
from paretail.data import checks
from paretail.data.attributes import vectors
from paretail.data.config import DataConfig, Table
from paretail.data.gather import Joined, gather
from paretail.data.quarantine import write_quarantine
from paretail.data.report import ImportReport, accounts
from paretail.data.sources.raw import FILE, LINE
from paretail.data.tables import Tables
from paretail.data.types import EVENT_COLUMNS, ITEM_COLUMNS, Catalogue, Events, Links, Shop, Users
from paretail.data.value import totals

#: Columns of the import's own, which do not go on.
OURS = ("_part", "_row", "currency", "_unreadable", "_excluded", "_duplicate", "_fault", "word", FILE, LINE)


@dataclass(frozen=True)
class Examined:
    """What was read, what the checks said, and the account; `problems` holds every problem, warnings too."""

    tables: Tables
    joined: dict[Table, Joined]
    report: ImportReport

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the checks found."""
        return tuple(problem for check in self.report.checks for problem in check.problems)

    def shop(self, but: Collection[str] = ()) -> Shop:
        """Return the rows that go on; raises DataError with every problem that fails, but for those of checks `but`."""
        checks = [check for check in self.report.checks if check.name not in but]
        if failed := [problem for check in checks for problem in check.problems if problem.severity == "fail"]:
            raise DataError(failed)
        tables, config = self.tables, self.tables.config
        return Shop(
            Events(tables.events.select(*EVENT_COLUMNS).rechunk(), tables.time),
            Catalogue(vectors(_own(tables.items, ITEM_COLUMNS))),
            Users(_own(tables.users, {"user_id": pl.String()})),
            Links(tables.links.select("user_id", "friend_id")),
            config.currency,
            config.timezone,
        )


@dataclass(frozen=True)
class Imported:
    """The shop, and the account of how it came to be."""

    shop: Shop
    report: ImportReport


def ingest(config: DataConfig, base: Path, *, quarantine: Path | None = None, progress: Progress = silent) -> Imported:
    """Read, map, check and join all that `config` names; bad rows go to the folder `quarantine` where one is given;
    an older quarantine there is replaced, and without bad rows no new one is made.

    Raises DataError with all problems where a check fails; nothing is written then.
    """
    examined = examine(config, base, progress=progress)
    shop = examined.shop()
    if quarantine is not None and (quarantine.exists() or any(part.height for part in _bad(examined))):
        progress("Writing the quarantine", 0.95)
        write_quarantine(examined.tables.bad, {t: j.raws for t, j in examined.joined.items()}, quarantine)
    progress("Imported", 1.0)
    return Imported(shop, examined.report)


def _bad(examined: Examined) -> list[pl.DataFrame]:
    """Return the rows and lines that do not go on."""
    return [*examined.tables.bad.values(), *(part.broken for part in examined.joined.values())]


def examine(config: DataConfig, base: Path, *, progress: Progress = silent, now: int | None = None) -> Examined:
    """Read, map and check, but judge nothing; raises DataError only where there is nothing to look at."""
    zone(config.timezone)
    now = now_ms() if now is None else now
    joined, time = gather(config, base, now, progress)
    progress("Checking", 0.7)
    good = {table: part.frame.filter(pl.col("_excluded").is_null() & pl.col("_fault").is_null())
            for table, part in joined.items()}  # fmt: skip
    bad: dict[Table, pl.DataFrame] = {
        table: part.frame.filter(pl.col("_fault").is_not_null()) for table, part in joined.items()
    }
    broken = {table: part.broken for table, part in joined.items()}
    tables = Tables(config, good["events"], good["items"], good["users"], good["links"], bad, broken, time, now)
    counted = [account for table, part in joined.items() for account in accounts(table, part.frame, part.broken)]
    if wrong := [account for account in counted if not account.adds_up]:
        raise AssertionError(f"rows are unaccounted for: {wrong}")
    return Examined(tables, joined, ImportReport(tuple(counted), checks.run(tables), totals(tables.events)))


def _own(frame: pl.DataFrame, ours: dict[str, Any]) -> pl.DataFrame:
    """Return our columns, then the shop's own, with the types that we promise."""
    first = [name for name in ours if name in frame.columns]
    rest = [name for name in frame.columns if name not in ours and name not in OURS]
    return frame.select(*(pl.col(name).cast(ours[name]) for name in first), *rest)
