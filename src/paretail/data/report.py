"""The account of an import: what became of every row that was read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from paretail.core.errors import Problem
from paretail.data.config import Table
from paretail.data.sources.raw import FILE

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Account:
    """One file of one table: read = imported + all quarantined + all excluded."""

    table: Table
    file: str
    read: int
    imported: int
    quarantined: Mapping[str, int]
    excluded: Mapping[str, int]

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for."""
        return self.read == self.imported + sum(self.quarantined.values()) + sum(self.excluded.values())


@dataclass(frozen=True)
class CheckResult:
    """What one check said; no problem is a pass."""

    name: str
    consequence: str
    problems: tuple[Problem, ...] = ()

    @property
    def status(self) -> Status:
        """`fail`, `warn` or `pass`."""
        found = {problem.severity for problem in self.problems}
        return "fail" if "fail" in found else "warn" if found else "pass"


@dataclass(frozen=True)
class ImportReport:
    """Accounts by file, results by check, and the money that remains after refunds."""

    accounts: tuple[Account, ...]
    checks: tuple[CheckResult, ...]
    value: Mapping[str, int]

    @property
    def status(self) -> Status:
        """`fail` where one check fails, else `warn` where one warns, else `pass`."""
        found = {check.status for check in self.checks}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"

    def total(self, table: Table) -> Account:
        """Return the account of a table over all its files."""
        parts = [account for account in self.accounts if account.table == table]
        return Account(
            table, "all", sum(part.read for part in parts), sum(part.imported for part in parts),
            _added([part.quarantined for part in parts]), _added([part.excluded for part in parts]),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        checks = [{"name": check.name, "status": check.status, **asdict(check)} for check in self.checks]
        return {"accounts": [asdict(account) for account in self.accounts], "checks": checks, "value": self.value}


def accounts(table: Table, frame: pl.DataFrame, broken: pl.DataFrame) -> list[Account]:
    """Count one table by file; `frame` has FILE, `fault` and `excluded`, `broken` FILE and `reason`."""
    bad = pl.concat([
        frame.filter(pl.col("_fault").is_not_null()).select(pl.col(FILE).cast(pl.String), reason="_fault"),
        broken.select(pl.col(FILE).cast(pl.String), "reason"),
    ])  # fmt: skip
    out = frame.filter(pl.col("_excluded").is_not_null()).select(pl.col(FILE).cast(pl.String), reason="_excluded")
    read = dict.fromkeys(broken[FILE].cast(pl.String).unique(), 0) | _by_file(frame)
    found = []
    for file, rows in sorted(read.items()):
        quarantined, left_out = _reasons(bad, file), _reasons(out, file)
        unreadable = broken.filter(pl.col(FILE).cast(pl.String) == file).height
        imported = frame.filter(
            (pl.col(FILE) == file) & pl.col("_fault").is_null() & pl.col("_excluded").is_null()
        ).height
        found.append(Account(table, file, rows + unreadable, imported, quarantined, left_out))
    return found


def _by_file(frame: pl.DataFrame) -> dict[str, int]:
    counts = frame[FILE].cast(pl.String).value_counts()
    return dict(counts.iter_rows())


def _reasons(rows: pl.DataFrame, file: str) -> dict[str, int]:
    counts = rows.filter(pl.col(FILE) == file)["reason"].value_counts(sort=True)
    return dict(sorted(counts.iter_rows(), key=lambda row: (-row[1], row[0])))


def _added(parts: list[Mapping[str, int]]) -> dict[str, int]:
    reasons = sorted({reason for part in parts for reason in part})
    return {reason: sum(part.get(reason, 0) for part in parts) for reason in reasons}
