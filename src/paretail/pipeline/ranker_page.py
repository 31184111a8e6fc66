"""What a ranker is worth, as one HTML page beside the bundle: reliability, revenue by segment, relations, curves.

It loads nothing. Figures are those of the newest tenth of the impressions, which the ranker had not learned from.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from paretail.core.money import minor_per_major
from paretail.pipeline.pages import listed, opening

#: Edge of a reliability plot, its margins, and the edge of one of many.
SIDE, LEFT, BOTTOM = 240, 52, 36
SMALL: Final = 110
BEFORE, AFTER = "#d95f02", "#1b7f79"
#: Ratios of predicted to actual further apart stand out, where it is by more than so many standard errors.
FAR: Final = 1.2
SURE: Final = 2.0
SUBJECTS: Final = {"click": "a click", "cart": "a cart after a click", "purchase": "a purchase after a click"}
MORE: Final = (
    "figure{display:inline-block;margin:0 1rem 1rem 0}figcaption{font-weight:bold}.off{color:#b3261e;font-weight:bold}"
    "th{vertical-align:bottom}summary{cursor:pointer;font-weight:bold}"
)
OMEGA: Final = (
    "Ω of the weights that tasks give to the columns of vectors, as far as those amount to something among users and "
    "items; its trace is 1. The darker, the stronger the correlation; orange is a negative one."
)
Facts = Mapping[str, Any]


def page(version: str, facts: Facts, currency: str) -> str:
    """Return the page of a ranker whose facts a manifest holds."""
    report, title = facts["report"], f"Ranker: {version}"
    parts = [
        opening(title, MORE), _about(facts), *_reliability(report), *_segments(report), *_by_segment(report),
        *_money(report, currency), *_relations(facts), *_curves(report),
    ]  # fmt: skip
    return f"{''.join(parts)}</html>\n"


def _about(facts: Facts) -> str:
    report, config = facts["report"], facts["config"]
    rows = [("Impressions", f"{report['examples']:,}")]
    rows += [(f"Positive examples of {task}", f"{count:,}") for task, count in report["positives"].items()]
    rows += [("Sharing, balance", f"{config['sharing']}, {config['balance']}"),
             ("Calibration", f"{config['calibration']}, by {config['calibration_by']}")]  # fmt: skip
    return f"{_table(rows)}{listed(report['remarks'])}"


def _reliability(report: Facts) -> Iterator[str]:
    yield "<h2>Reliability</h2><p>Ten bins of equal numbers of the newest tenth of the impressions: what was "
    yield f'predicted, and how often it happened. <span style="color:{BEFORE}">Orange</span>: before calibration; '
    yield f'<span style="color:{AFTER}">green</span>: after it, each half of the users calibrated on the other.</p>'
    for task, before in report["reliability"].items():
        after = report["calibrated"][task]
        yield f"<figure><figcaption>{escape(SUBJECTS.get(task, task))}</figcaption>{plot(before, after)}</figure>"
    yield f"<table>{_head('Task', 'off before', 'after', 'predicted / actual before', 'after')}"
    for task, before in report["reliability"].items():
        after = report["calibrated"][task]
        cells = (f"{before['error']:.4f}", f"{after['error']:.4f}", _ratio(before["ratio"]), _ratio(after["ratio"]))
        yield f"<tr><td>{escape(task)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"


def plot(before: Facts, after: Facts, side: int = SIDE) -> str:
    """Return a reliability plot as SVG: predicted against actual of each bin, with the diagonal."""
    every = [*before["predicted"], *before["actual"], *after["predicted"], *after["actual"]]
    top = max([*every, 1e-6]) * 1.05
    width, height = LEFT + side + 24, side + BOTTOM + 12

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + side * x / top, 12 + side * (1 - y / top)

    (x0, y0), (x1, y1) = at(0, 0), at(top, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="sans-serif" font-size="11" fill="currentColor">',
        f"<title>off by {before['error']:.4f} before calibration, {after['error']:.4f} after</title>",
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="currentColor" stroke-dasharray="2 4"/>',
    ]
    for level in (0.0, top / 2, top):
        (x, _), (_, y) = at(level, 0), at(0, level)
        parts.append(
            f'<line x1="{x0}" x2="{x1}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity=".15"/>'
        )
        parts.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{level:.3g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{y0 + 16:.1f}" text-anchor="middle">{level:.3g}</text>')
    parts.append(f'<text x="{(x0 + x1) / 2}" y="{y0 + 31:.1f}" text-anchor="middle">predicted</text>')
    for told, colour in ((before, BEFORE), (after, AFTER)):
        points = [at(x, y) for x, y in zip(told["predicted"], told["actual"], strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-opacity=".5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    return "".join([*parts, "</svg>"])


def _segments(report: Facts) -> Iterator[str]:
    rows, tasks = report["segments"], list(report["reliability"])
    yield "<h2>By segment</h2><p>Predicted, after cross-fitted calibration, over actual; in brackets the examples.</p>"
    yield f"<table>{_head('', *tasks)}"
    found = {(row["by"], row["segment"], row["task"]): row for row in rows}
    for by in dict.fromkeys(row["by"] for row in rows):
        yield f"<tr><th colspan={len(tasks) + 1}>{escape(by)}</th></tr>"
        for name in dict.fromkeys(row["segment"] for row in rows if row["by"] == by):
            cells = [_of(found.get((by, name, task))) for task in tasks]
            yield f"<tr><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _by_segment(report: Facts) -> Iterator[str]:
    """Plot the reliability of the segments that have enough positives, a fold for each way to divide."""
    plotted = [row for row in report["segments"] if "after" in row]
    if not plotted:
        return
    yield "<h2>Reliability by segment</h2><p>The same in five bins, of segments with enough positives.</p>"
    for number, by in enumerate(dict.fromkeys(row["by"] for row in plotted)):
        yield f"<details{'' if number else ' open'}><summary>{escape(by)}</summary>"
        for task in dict.fromkeys(row["task"] for row in plotted if row["by"] == by):
            yield f"<h3>{escape(SUBJECTS.get(task, task))}</h3>"
            for row in (row for row in plotted if (row["by"], row["task"]) == (by, task)):
                drawn = plot(row["before"], row["after"], SMALL)
                yield f"<figure><figcaption>{escape(row['segment'])}</figcaption>{drawn}</figure>"
        yield "</details>"


def _of(row: Facts | None) -> str:
    if row is None:
        return ""
    ratio = _sure(row["predicted"], row["actual"], row["se"]) if row["actual"] else "none happened"
    return f"{ratio} ({row['rows']:,})"


def _money(report: Facts, currency: str) -> Iterator[str]:
    """Tell the revenue that was expected of the impressions against what they brought."""
    if "values" not in report:
        return
    told, minor = report["values"], minor_per_major(currency)
    yield f"<h2>Revenue</h2><p>What the newest impressions were expected to bring, and what they did, {currency}.</p>"
    yield f"<table>{_head('', 'impressions', 'purchases', 'predicted', 'actual', 'ratio')}"
    yield _revenue("all", {**told, "rows": "", "purchases": ""}, minor)
    for by in dict.fromkeys(row["by"] for row in told["segments"]):
        yield f"<tr><th colspan=6>{escape(by)}</th></tr>"
        yield from (_revenue(row["segment"], row, minor) for row in told["segments"] if row["by"] == by)
    yield "</table>"
    if report.get("control") is not None:
        yield "<p>A control that must fail: least squares on log(1 + value) over clicks, zeros included, would have "
        yield f"found {100 * report['control']:.0f} % of it.</p>"


def _revenue(name: str, row: Facts, minor: float) -> str:
    ratio = _sure(row["predicted"], row["paid"], row["se"]) if row["paid"] else "nothing paid"
    counts = "".join(f"<td>{row[key]:,}</td>" if row[key] != "" else "<td></td>" for key in ("rows", "purchases"))
    sums = f"<td>{row['predicted'] / minor:,.2f}</td><td>{row['paid'] / minor:,.2f}</td>"
    return f"<tr><td>{escape(name)}</td>{counts}{sums}<td>{ratio}</td></tr>"


def _relations(facts: Facts) -> Iterator[str]:
    tasks, report = facts["tasks"], facts["report"]
    tastes = [at for at, task in enumerate(tasks) if task != "value"]  # what is paid reads no taste
    alike = [[report["relations"][row][at] for at in tastes] for row in tastes]
    yield "<h2>Relations of tasks</h2><p>How alike their tastes are: 1 the same, 0 unrelated, -1 opposed.</p>"
    yield heat([tasks[at] for at in tastes], alike)
    if "covariance" in report:
        strength = facts["config"]["relation"]
        held = f"It was learned with them, at strength {strength:g}" if strength else "It held nothing"
        yield f"<h2>Covariance of tasks</h2><p>{OMEGA} {held}: [rank] relation.</p>"
        yield covariance(tasks, report["covariance"])


def covariance(tasks: Sequence[str], omega: Sequence[Sequence[float]]) -> str:
    """Return a covariance as a heat map, shaded by the correlations."""
    alike = [[value / max((omega[s][s] * omega[t][t]) ** 0.5, 1e-12) for t, value in enumerate(row)]
             for s, row in enumerate(omega)]  # fmt: skip
    return heat(tasks, omega, alike, 3)


def heat(names: Sequence[str], values: Sequence[Sequence[float]], shades: Sequence[Sequence[float]] | None = None,
         digits: int = 2) -> str:  # fmt: skip
    """Return a square matrix with its names as a table, each number on its shade, -1 to 1."""
    rows = zip(names, values, values if shades is None else shades, strict=True)
    body = (
        f"<tr><td>{escape(name)}</td>"
        f"{''.join(_shaded(value, shade, digits) for value, shade in zip(row, colours, strict=True))}</tr>"
        for name, row, colours in rows
    )
    return f"<table>{_head('', *names)}{''.join(body)}</table>"


def _shaded(value: float, shade: float, digits: int) -> str:
    colour = "27,127,121" if shade >= 0 else "217,95,2"
    told = f"{value:.{digits}f}"
    return (
        f'<td style="background:rgba({colour},{min(1.0, abs(shade)) * 0.6:.2f})" title="correlation {shade:.2f}">'
        f"{told}</td>"
    )


def _curves(report: Facts) -> Iterator[str]:
    from paretail.learn.curves import Run, svg  # the extra `learn`, which is there where a ranker was trained

    yield f"<h2>Training</h2>{svg(Run.of_json(report['curves']))}"


def _head(*names: str) -> str:
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _ratio(value: float, is_sure: bool = True) -> str:
    told = f"{value:.3f}"
    return told if 1 / FAR <= value <= FAR or not is_sure else f'<span class="off">{told}</span>'


def _sure(predicted: float, actual: float, se: float) -> str:
    return _ratio(predicted / actual, abs(predicted - actual) > SURE * se)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return f"<table>{''.join(f'<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>' for a, b in rows)}</table>"
