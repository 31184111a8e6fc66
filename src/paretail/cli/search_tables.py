"""What `paretail search` prints: the choice beside its rivals, the front, what mattered, and where it all is."""

from pathlib import Path
from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from paretail.pipeline.search_report import Searched, cells, shown
from paretail.search.loop import name_of

MOST_SHOWN: Final = 10
MOST_FIELDS: Final = 4


def searched(console: Console, done: Searched, out: Path) -> None:
    """Print what came of a search."""
    found = done.found
    failed = sum(one.failed is not None for one in found.trials)
    console.print(
        f"{len(found.trials)} of {done.size:,} architectures tried, {len(found.whole)} trained in full"
        f"{f', {failed} failed' if failed else ''}; strategy {done.strategy}; ended because {done.stopped}",
        soft_wrap=True,
    )
    if done.known or done.others:
        other = f"; {done.others} in {out} are of other data or another split" if done.others else ""
        console.print(f"{found.evaluated} evaluations, {done.known} known before{other}", soft_wrap=True)
    for line in (*done.remarks, *found.alarms):
        console.print(f"  {line}", soft_wrap=True, markup=False)
    console.print(_rivals(done))
    if len(done.goals) > 1:
        console.print(_front(done))
        if (more := len(done.picked.front) - MOST_SHOWN) > 0:
            where = out / "search.html"
            console.print(f"{more} more on the front in {where}; any of them: --pick NAME", soft_wrap=True)
    if done.matters:
        told = ", ".join(f"{name} {effect.share:.0%}" for name, effect, _ in done.matters[:MOST_FIELDS])
        console.print(f"What mattered (share of the differences): {told}", soft_wrap=True)
    for line in done.ranker:
        console.print(line, soft_wrap=True, markup=False)
    console.print(f"Published {done.version} in {done.bundle}. {done.standing}", soft_wrap=True, markup=False)
    for told, step in zip(("Next, through the gate", "Or whatever a log says"), done.steps, strict=False):
        console.print(f"{told}: {step}", soft_wrap=True, markup=False)
    console.print(f"All of it, with pictures: {out / 'search.html'}", soft_wrap=True)


def _rivals(done: Searched) -> Table:
    apart = f"{done.apart:,} others" if done.apart else "the same users"
    head = ("model", f"NDCG@20, {done.told:,} users", apart, "choice ahead by", "p99", "memory")
    table = Table(*head, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for one in done.rivals:
        whole = one.tried.whole or {}
        if "ndcg" not in whole:
            table.add_row(one.tried.name, str(whole.get("failed")))
            continue
        table.add_row(one.tried.name, *cells(one))
    return table


def _front(done: Searched) -> Table:
    table = Table("front", *done.goals, "architecture", box=SIMPLE, collapse_padding=True, pad_edge=False)
    for one in done.picked.front[:MOST_SHOWN]:
        mark = " *" if one is done.picked.chosen else ""
        table.add_row(f"{one.name}{mark}", *shown(one, done.goals), name_of(one.settings))
    return table
