"""A search as one HTML page: the choice drawn, its rivals, how it went, the front, what mattered; it loads nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from paretail.pipeline.pages import listed, opening
from paretail.pipeline.search_report import Searched, cells, shown
from paretail.search.goals import GOALS
from paretail.search.loop import Tried, name_of
from paretail.search.picture import drawing
from paretail.search.trial import Measured

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, ROOM = 720, 260, 60, 90, 34, 16
ON, OFF, PICKED = "#1b7f79", "#b8c9c7", "#d0542c"
#: Fields that matter less are not shown.
LEAST_SHARE: Final = 0.01
MOST_FIELDS: Final = 12


def page(done: Searched) -> str:
    """Return the page."""
    title = f"{len(done.found.trials)} architectures: who finds the next {done.target}"
    parts = [
        opening(title), f"<p>{escape(_asked(done))}</p>", *_choice(done), *_rivals(done), *_trajectory(done),
        *_front(done), *_matters(done), *_alarms(done), *_all(done),
    ]  # fmt: skip
    return f"{''.join(parts)}</html>\n"


def _asked(done: Searched) -> str:
    apart = f"; the choice is judged on {done.apart:,} others" if done.apart else ""
    return (
        f"{done.size:,} different graph models of this shop can be made. The strategy {done.strategy} asked for "
        f"{len(done.found.trials)}, {len(done.found.whole)} were trained in full, judged by the hidden events of "
        f"{done.told:,} users{apart}. It ended because {done.stopped}."
    )


def _choice(done: Searched) -> Iterator[str]:
    chosen = done.picked.chosen
    steps = f". To put it live: {', or whatever a log says: '.join(done.steps)}" if done.steps else ""
    yield f"<h2>Chosen: {escape(chosen.title)}</h2>{listed((*done.remarks, f'{done.standing}{steps}'))}"
    yield drawing(chosen.settings)
    told = "\n".join(f"{name} = {_toml(value)}" for name, value in chosen.fitted.items() if value is not None)
    yield (
        "<details><summary>In shop.toml, so that <code>paretail train</code> fits just this (or, under <code>name = "
        '"auto"</code> and <code>[model.settings.candidates.graph]</code>, mixes it with the training-free blend)'
        f'</summary><pre>[model]\nname = "graph"\n\n[model.settings]\n{escape(told)}</pre></details>'
    )


def _rivals(done: Searched) -> Iterator[str]:
    apart = f"{done.apart:,} users kept apart" if done.apart else "the same users"
    head = ("model", f"NDCG@20, {done.told:,} users", apart, "choice ahead by", "p99", "memory", "training")
    yield f"<h2>Beside it</h2><table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>"
    for one in done.rivals:
        whole, name = one.tried.whole or {}, f"<tr><td>{escape(one.tried.name)}</td>"
        if "ndcg" not in whole:
            yield f'{name}<td class="failed" colspan="6">{escape(str(whole.get("failed")))}</td></tr>'
            continue
        told = (*cells(one), f"{whole['seconds']:.0f} s")
        yield f"{name}{''.join(f'<td>{cell}</td>' for cell in told)}</tr>"
    yield "</table><p>± is a standard error; that of a difference is paired over users.</p>"


@dataclass(frozen=True)
class _Scale:
    """Where accuracies and trials stand in the picture."""

    low: float
    high: float
    trials: int

    def x(self, number: int) -> float:
        return LEFT + (number - 0.5) / self.trials * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - ROOM)


def _trajectory(done: Searched) -> Iterator[str]:
    """Draw each trial's accuracy, after screening and in full, and the best so far; baselines as lines."""
    measured = [found for one in done.found.trials for found in (one.screened, one.whole)]
    rivals = [(one.tried.name, one.tried.whole) for one in done.rivals if one.tried.called]
    values = [found["ndcg"] for found in (*measured, *(whole for _, whole in rivals)) if found and "ndcg" in found]
    if not values or not done.found.trials:
        return
    scale = _Scale(min(values), max(values), len(done.found.trials))
    dots = "".join(_dots(one, scale, one is done.picked.chosen) for one in done.found.trials)
    alone = "; patience and target look at it alone" if done.goals[1:] else ""
    levels = _levels([(scale.y(whole["ndcg"]), name) for name, whole in rivals if whole and "ndcg" in whole])
    yield (
        f'<h2>How it went</h2><p><span style="color:{OFF}">●</span> screened, <span style="color:{ON}">●</span> '
        f'trained in full, <span style="color:{PICKED}">●</span> chosen; the line: the best so far. Accuracy (NDCG@20) '
        f'by trial{alone}.</p><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" font-size="12" '
        f'aria-label="Accuracy of each trial">{_axes(scale)}{levels}{_best(done, scale)}{dots}</svg>'
    )


def _axes(scale: _Scale) -> str:
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return (
        f'<path d="M{LEFT},{ROOM}V{base}H{right}" fill="none" stroke="currentColor" stroke-width=".5"/>'
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">{scale.low:.3f}</text>'
        f'<text x="{LEFT - 6}" y="{ROOM + 8}" text-anchor="end">{scale.high:.3f}</text>'
        f'<text x="{right}" y="{HEIGHT - 10}" text-anchor="end">trial {scale.trials}</text>'
    )


def _best(done: Searched, scale: _Scale) -> str:
    points = [(number, value) for number, value in enumerate(done.found.best, 1) if value is not None]
    path = " ".join(f"{scale.x(number):.1f},{scale.y(value):.1f}" for number, value in points)
    return f'<polyline points="{path}" fill="none" stroke="{ON}" stroke-width="2"/>'


def _dots(one: Tried, scale: _Scale, chosen: bool) -> str:
    marks = []
    for found, colour, size in ((one.screened, OFF, 3), (one.whole, PICKED if chosen else ON, 5)):
        if found and "ndcg" in found:
            where = f'cx="{scale.x(one.number):.1f}" cy="{scale.y(found["ndcg"]):.1f}" r="{size}"'
            title = f"<title>{escape(one.title)}: {found['ndcg']:.4f}</title>"
            marks.append(f'<circle {where} fill="{colour}">{title}</circle>')
    return "".join(marks)


def _levels(rivals: list[tuple[float, str]]) -> str:
    """Draw a line for each baseline; names that would stand on each other move down."""
    drawn, last = [], 0.0
    for y, name in sorted(rivals):
        last = max(y - 4, last + 12)
        drawn.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{OFF}" stroke-dasharray="4 4"/>'
            f'<text x="{WIDTH - RIGHT + 6}" y="{last + 8:.1f}" fill="#5c6b69">{escape(name)}</text>'
        )
    return "".join(drawn)


def _front(done: Searched) -> Iterator[str]:
    if len(done.goals) < 2:
        return
    head = "".join(f"<th>{goal} ({GOALS[goal].unit})</th>" for goal in done.goals)
    yield (
        "<h2>The front</h2><p>Nothing that was trained in full beats these in every goal. Take another with "
        "<code>--pick NAME</code> and the same command: nothing is trained again but the choice.</p>"
        f"<table><tr><th></th>{head}<th>architecture</th></tr>"
    )
    for one in done.picked.front:
        mark = " (chosen)" if one is done.picked.chosen else ""
        cells = "".join(f"<td>{cell}</td>" for cell in shown(one, done.goals))
        yield f"<tr><td>{escape(one.name)}{mark}</td>{cells}<td>{escape(name_of(one.settings))}</td></tr>"
    yield "</table>"


def _matters(done: Searched) -> Iterator[str]:
    told = [one for one in done.matters[:MOST_FIELDS] if one[1].share >= LEAST_SHARE]
    if not told:
        yield "<h2>What matters</h2><p>Too few trials to tell.</p>"
        return
    yield (
        "<h2>What matters</h2><p>The share of differences in accuracy that each field explains alone, from a random "
        "forest over the screened trials (functional analysis of variance), and its options with what it foretells for "
        "them. With few trials this is a hint, not a finding.</p><table><tr><th>field</th><th></th><th>share</th>"
        "<th>options</th></tr>"
    )
    most = told[0][1].share
    for name, effect, options in told:
        order = sorted(zip(options, effect.means, strict=True), key=lambda pair: -pair[1])
        means = ", ".join(f"{escape(option)} {mean:.3f}" for option, mean in order)
        bar = f'<td style="width:8rem"><div style="width:{100 * effect.share / most:.0f}%"></div></td>'
        yield f'<tr><td>{name}</td>{bar}<td>{effect.share:.0%}</td><td style="text-align:left">{means}</td></tr>'
    yield "</table>"


def _alarms(done: Searched) -> Iterator[str]:
    if done.found.alarms:
        yield f"<h2>Alarms</h2>{listed(done.found.alarms)}"


def _all(done: Searched) -> Iterator[str]:
    head = ("", "screened", "in full", "epochs", "seconds", "architecture")
    yield f"<h2>All trials</h2><table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>"
    for one in sorted(done.found.trials, key=_order):
        yield f"<tr><td>{one.name}</td>{_outcome(one)}<td>{escape(name_of(one.settings))}</td></tr>"
    yield "</table>"


def _outcome(one: Tried) -> str:
    if one.failed:
        return f'<td class="failed" colspan="4">{escape(one.failed)}</td>'
    cells = (_ndcg(one.screened), _ndcg(one.whole), str((one.whole or {}).get("epochs", "")), f"{_seconds(one):.0f}")
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _order(one: Tried) -> tuple[float, float]:
    return tuple(-float((found or {}).get("ndcg", 0.0)) for found in (one.whole, one.screened))  # type: ignore[return-value]


def _ndcg(found: Measured | None) -> str:
    return f"{found['ndcg']:.4f}" if found and "ndcg" in found else ""


def _seconds(one: Tried) -> float:
    return sum(float(found["seconds"]) for found in (one.screened, one.whole) if found)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(one)}' for name, one in value.items())} }}"
    return f'"{value}"' if isinstance(value, str) else str(value)
