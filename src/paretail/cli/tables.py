"""Tables for people: what was trained, how good it is."""

import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from paretail.evaluate.report import Report, Row
from paretail.pipeline.compare import Comparison
from paretail.pipeline.comparison_page import cells_of
from paretail.pipeline.evaluate import Evaluation
from paretail.pipeline.learning import Learned
from paretail.pipeline.sweep_page import cells_of as tradeoff_cells
from paretail.pipeline.sweep_page import cells_of_single, heading, lines, shown
from paretail.pipeline.train import Trained
from paretail.rank.tradeoff import Tradeoff

#: Metric -> heading, in the order of the table.
HEADINGS = {
    "recall": "Recall", "ndcg": "NDCG", "hr": "HR", "mrr": "MRR", "catalogue_coverage": "coverage",
    "diversity": "diversity", "novelty": "novelty",
}  # fmt: skip
#: Metrics that are shown by segment.
SPLIT = ("recall", "ndcg", "hr")
#: Columns that the comparison's table may take where nobody watches: it has twelve, and a model's name may be long.
_WIDEST = 400


def evaluation(console: Console, found: Evaluation) -> None:
    """Print one line a model and length of list, with 95 % intervals for the main figures."""
    console.print(f"{found.users:,} users, {found.pairs:,} held-out {found.target} pairs, full ranking")
    console.print(f"(model {found.version}; 95 % bootstrap intervals over users)")
    shown = [name for name in HEADINGS if any(_row(report, name) for report in found.reports.values())]
    table = Table("model", "k", *(HEADINGS[name] for name in shown), box=SIMPLE, collapse_padding=True, pad_edge=False)
    for name, report in found.reports.items():
        for k in sorted({row.k for row in report.rows}):
            table.add_row(name, str(k), *(_cell(_row(report, metric, k), metric) for metric in shown))
    console.print(table)
    _segments(console, next(iter(found.reports.values())))


def _segments(console: Console, report: Report) -> None:
    """Print how good the bundle is for whom and for what, at its shortest length of list."""
    k = min(row.k for row in report.rows)
    table = Table(
        "segment",
        "users",
        *(f"{HEADINGS[name]}@{k}" for name in SPLIT),
        box=SIMPLE,
        collapse_padding=True,
        pad_edge=False,
    )
    for segment in dict.fromkeys(row.segment for row in report.rows):
        rows = {row.metric: row for row in report.rows if (row.segment, row.k) == (segment, k) and row.n}
        if segment != "all" and SPLIT[0] in rows:
            table.add_row(segment.replace("_", " "), f"{rows[SPLIT[0]].n:,}", *(_cell(rows.get(m), m) for m in SPLIT))
    console.print(table)


def trained(console: Console, done: Trained, out: Path) -> None:
    """Print what was trained on what, the choice made and why."""
    facts = done.facts
    noun = _noun(facts["lists"])
    for line in done.account:
        console.print(line, soft_wrap=True, markup=False)  # it may hold [learn], which is no style
    console.print(f"{facts['events']:,} events of {facts['users']:,} users with {facts['items']:,} {noun}")
    again = "may come back" if facts["repeat"] else "do not come back"
    console.print(f"Target: {facts['target']}; {noun} that a user already had {again}")
    for remark in done.choice.remarks:
        console.print(f"  {remark}")
    console.print(
        f"Published {done.version} in {out} (model {facts['model']}; {facts['figure'] or 'no validation figure'})"
    )
    console.print(f"Why, with weights and curves: {done.page}", soft_wrap=True)
    if done.tradeoff is not None and done.sweep is not None:
        tradeoff(console, done.tradeoff, done.sweep)


def tradeoff(console: Console, found: Tradeoff, page: Path) -> None:
    """Print one line a way to weigh the tasks, the best first, and which is chosen and why."""
    for line in lines(found):
        console.print(line, soft_wrap=True, markup=False)
    table = Table(*heading(found), box=SIMPLE, collapse_padding=True, pad_edge=False)
    for row in shown(found):
        table.add_row(row.name, *tradeoff_cells(row, found))
    table.add_row("single-task", *cells_of_single(found))
    console.print(table)
    console.print(f"All of the sweep, with a picture: {page}", soft_wrap=True)


def comparison(console: Console, found: Comparison, out: Path | None) -> None:
    """Print one line a model, the best first, and why others failed."""
    console.print(
        f"{found.users:,} users, {found.pairs:,} held-out {found.target} pairs, full ranking; ± half a 95 % interval, "
        "behind the best ± a standard error", soft_wrap=True,
    )  # fmt: skip
    names = (
        f"NDCG@{found.k}", "behind", f"Recall@{found.k}", "light", "new users", "new items", "coverage", "train",
        "memory", "p50", "p99",
    )  # fmt: skip
    table = Table("model", *names, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for one in found.models:
        if one.report is not None:
            table.add_row(one.name, *cells_of(one))
    if not console.is_terminal:  # nobody's window is too narrow: a line a model, wider than other tables
        table.width = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    console.print(table, crop=False)
    for one in found.models:
        if one.failed:
            console.print(f"{one.name}: {one.failed}", soft_wrap=True)
    if out is not None:
        console.print(f"The same with a picture: {out / 'compare.html'}", soft_wrap=True)


def learned(console: Console, done: Learned, out: Path) -> None:
    """Print what an agent is worth on held-out visits, and others on the same ones."""
    table = Table("policy", "reward of a visit", box=SIMPLE, collapse_padding=True, pad_edge=False)
    best, run = done.run.top, done.run
    table.add_row(f"{done.asked.agent}, best look", f"{best.reward:.2f} ± {1.96 * best.se:.2f}")
    if done.tested is not None:
        table.add_row(f"{done.asked.agent}, last look", f"{done.tested[0]:.2f} ± {1.96 * done.tested[1]:.2f}")
    for name, reward in done.rivals.items():
        table.add_row(name, f"{reward:.2f}")
    console.print(table)
    console.print(f"Best looks by seed: {' '.join(f'{reward:.2f}' for reward in done.bests)}")
    console.print(f"Seed {run.seed}: {run.looks[-1].steps:,} steps, ended by {run.stopped}; the best after "
                  f"{best.steps:,}: {out}/agent", soft_wrap=True)  # fmt: skip
    console.print(done.judged, markup=False, soft_wrap=True)
    if done.published is not None:
        console.print(f"Published as version {done.published} of {done.asked.bundle}", markup=False, soft_wrap=True)
    console.print(f"Curves: {out}/report.html", soft_wrap=True)


def as_json(values: Any) -> str:
    """Return values as JSON text, a field a line."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _noun(lists: str) -> str:
    """Return what lists hold, of several."""
    return {"category": "categories", "item": "items", "user": "people"}.get(lists, f"labels ({lists})")


def _row(report: Report, metric: str, k: int | None = None) -> Row | None:
    rows = [row for row in report.rows if row.metric == metric and row.segment == "all" and row.mean is not None]
    return next((row for row in rows if k is None or row.k == k), None)


def _cell(row: Row | None, metric: str) -> str:
    if row is None or row.mean is None:
        return "-"
    if metric in {"recall", "ndcg", "hr"} and row.low is not None and row.high is not None:
        return f"{row.mean:.4f} [dim]±{(row.high - row.low) / 2:.4f}[/dim]"
    return f"{row.mean:.4f}" if row.mean < 10 else f"{row.mean:.1f}"
