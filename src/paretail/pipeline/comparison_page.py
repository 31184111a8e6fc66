"""A comparison as one HTML page: a picture of accuracy with intervals, and the table; it loads nothing."""

from html import escape
from typing import Final

from paretail.evaluate.report import Row
from paretail.pipeline.compare import Compared, Comparison
from paretail.pipeline.pages import listed, opening

WIDTH: Final = 720
LINE: Final = 34
LEFT: Final = 130
RIGHT: Final = 150


def page(found: Comparison) -> str:
    """Return the page."""
    title = f"{len(found.models)} models: who finds the next {found.target}"
    asked = f"{found.users:,} users, {found.pairs:,} held-out pairs, full ranking, lists of {found.k}"
    asked += f"; {found.new_users:,} new users besides" if found.new_users else ""
    remarks = "".join(_remarks(one) for one in found.models if one.remarks)
    return f"{opening(title)}<p>{asked}; 95 % intervals.</p>{picture(found)}{_table(found)}{remarks}</html>\n"


def picture(found: Comparison) -> str:
    """Return NDCG with its interval, a line a model, as SVG."""
    rows = [(one, row) for one in found.models if (row := ndcg_of(one))]
    if not rows:
        return ""
    most = max(row.high or row.mean or 0.0 for _, row in rows) or 1.0
    height = LINE * (len(rows) + 1)
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="NDCG of each model">']
    for place, (one, row) in enumerate(rows):
        y = LINE * (place + 0.7)
        low, mean, high = (
            LEFT + (WIDTH - LEFT - RIGHT) * (value or 0.0) / most for value in (row.low, row.mean, row.high)
        )
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 5:.0f}" text-anchor="end">{escape(one.name)}</text>'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.0f}" y2="{y:.0f}" stroke="#1b7f79" stroke-width="3"/>'
            f'<circle cx="{mean:.1f}" cy="{y:.0f}" r="6" fill="#1b7f79"/>'
            f'<text x="{high + 12:.1f}" y="{y + 5:.0f}">{row.mean:.4f}, {one.train_seconds:.0f} s</text>'
        )
    return "".join([*parts, "</svg>"])


def ndcg_of(one: Compared) -> Row | None:
    """Return the NDCG of a model over all users, None where it failed."""
    return one.report.row("ndcg") if one.report else None


def _table(found: Comparison) -> str:
    head = ("model", f"NDCG@{found.k}", "behind the best", f"Recall@{found.k}", "light users", "new users", "new items",
            "coverage", "train", "memory", "p50", "p99")  # fmt: skip
    rows = "".join(_row(one) for one in found.models)
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{rows}</table>"


def _row(one: Compared) -> str:
    cells = cells_of(one)
    if one.failed:
        return (
            f'<tr><td>{escape(one.name)}</td><td class="failed" colspan="{len(cells)}">{escape(one.failed)}</td></tr>'
        )
    return f"<tr><td>{escape(one.name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def cells_of(one: Compared) -> list[str]:
    """Return a model's figures as text, in the order of the table's columns after the name."""
    if one.report is None:
        return [""] * 11
    behind = "" if one.behind is None or one.behind[0] == 0 else f"-{one.behind[0]:.4f} ± {one.behind[1]:.4f}"
    shown = [one.report.row("ndcg"), one.report.row("recall")]
    light, new_items = one.report.row("ndcg", segment="light"), one.report.row("recall", segment="new_items")
    new_users = "-" if one.new_users is None else f"{one.new_users[0]:.4f}"
    coverage = one.report.row("catalogue_coverage")
    return [
        _figure(shown[0]), behind, _figure(shown[1]), _plain(light), new_users, _plain(new_items), _plain(coverage),
        f"{one.train_seconds:.1f} s", f"{one.peak_mib:,.0f} MiB", f"{one.p50_ms:.1f} ms", f"{one.p99_ms:.1f} ms",
    ]  # fmt: skip


def _figure(row: Row) -> str:
    return _plain(row) if row.low is None or row.high is None else f"{_plain(row)} ± {(row.high - row.low) / 2:.4f}"


def _plain(row: Row) -> str:
    return "-" if row.mean is None else f"{row.mean:.4f}"


def _remarks(one: Compared) -> str:
    return f"<h2>{escape(one.name)}</h2>{listed(one.remarks)}"
