"""`paretail check`: is the shop's data fit to train on?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from paretail.data.report import ImportReport

STYLE = {"pass": "[green]PASS[/]", "warn": "[yellow]WARN[/]", "fail": "[red]FAIL[/]"}


def check(
    *, config: Path, json: Annotated[bool, Parameter(negative="")] = False, quarantine: Path | None = None
) -> int:
    """Check the health of the data: PASS, WARN or FAIL with counts, first offenders and consequences.

    Reads everything that shop.toml names and writes nothing. Exits with 1 where a check fails.

    Parameters
    ----------
    config
        The shop.toml.
    json
        Print JSON.
    quarantine
        Write the rows that an import would leave aside to this folder.
    """
    from paretail.cli.terminal import print_json, progress
    from paretail.data.ingest import examine
    from paretail.data.quarantine import write_quarantine
    from paretail.pipeline.config import load_config

    shop = load_config(config)
    with progress() as tell:
        examined = examine(shop.data, config.parent, progress=tell)
    if quarantine is not None:
        write_quarantine(examined.tables.bad, {table: part.raws for table, part in examined.joined.items()}, quarantine)
    verdict = examined.report.status
    if json:
        print_json({"verdict": verdict, **examined.report.as_dict()})
    else:
        show(examined.report)
    return 1 if verdict == "fail" else 0


def show(report: "ImportReport") -> None:
    """Print the verdict of every check, then what becomes of the rows."""
    from rich.markup import escape
    from rich.table import Column, Table

    from paretail.cli.terminal import out

    for result in report.checks:
        out.print(f"{STYLE[result.status]}  {result.name}", soft_wrap=True)
        for problem in result.problems:
            out.print(f"      {problem}", soft_wrap=True, markup=False)
        if result.problems:
            out.print(f"      Consequence: {result.consequence}", soft_wrap=True, markup=False, style="dim")
    table = Table("table", Column("file", overflow="fold"), "read", "imported", "in quarantine", "excluded", box=None)
    for account in report.accounts:
        numbers = (account.read, account.imported)
        table.add_row(
            account.table, escape(account.file), *(f"{n:,}" for n in numbers), _listed(account.quarantined),
            escape(_listed(account.excluded)),
        )  # fmt: skip
    out.print()
    out.print(table)
    counts = {status: sum(result.status == status for result in report.checks) for status in STYLE}
    out.print(f"\n{counts['pass']} passed, {counts['warn']} warned, {counts['fail']} failed")


def _listed(reasons: Any) -> str:
    total = sum(reasons.values())
    inside = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
    return f"{total:,} ({inside})" if reasons else "0"
