"""The trade-off of tasks as one HTML page: the front of the weighted sum, the methods, the table; it loads nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from paretail.pipeline.pages import listed, opening
from paretail.pipeline.ranker_page import OMEGA, covariance
from paretail.rank.tradeoff import Row, Tradeoff, on_front

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 150, 20, 50
#: The picture shows what is worse than the best by so much at most; what is further stands at its edge.
FARTHEST: Final = 0.1
NARROW: Final = "td,th{padding:.2rem .45rem}td{white-space:nowrap}"
Place = Callable[[tuple[float, float]], tuple[float, float]]


def page(version: str, found: Tradeoff) -> str:
    """Return the page."""
    title = f"How {', '.join(found.tasks)} trade off: {version}"
    begins = f"{opening(title, NARROW)}{listed(lines(found))}"
    return f"{begins}{picture(found)}{_table(found)}{_covariance(found)}</html>\n"


def lines(found: Tradeoff) -> list[str]:
    """Return what is to be said in words, a line each."""
    about = found.about
    told = [
        f"Chosen: {found.chosen}, since {found.reason}.",
        _how(found),
        f"Judged on {about['judged']:,} newer impressions after learning from {about['learned']:,} older ones in "
        f"{about['epochs']} epochs, of {about['users']:,} random users; the log has {about['of']:,} impressions.",
        "Gains and Δm are relative to a model of each task alone, whose losses stand last; volume: "
        f"{100 * 100 * found.hypervolume:.4g} of the weighted sum alone, in per cent of one axis times per cent of the "
        "other.",
    ]  # fmt: skip
    told += _controls(found)
    told += [f"{name} failed: {why}" for name, why in found.failed.items()]
    return [*told, *found.remarks]


def _controls(found: Tradeoff) -> Iterator[str]:
    """Yield what two usual mistakes would cost."""
    if (control := found.about.get("control")) is not None:
        yield (
            f"A control that must fail: least squares on log(1 + value) over clicks finds {100 * control:.0f} % of the "
            "revenue of the newer part."
        )
    esmm, chosen = next((row for row in found.rows if row.name == "esmm"), None), found.row(found.chosen)
    if esmm is not None and esmm.correlation is not None and chosen.correlation is not None:
        yield (
            f"A control of purchases, learned over all impressions (esmm): P(purchase | click) correlates "
            f"{esmm.correlation:.3f} with what followed the newer clicks, log-loss {esmm.losses['purchase']:.4f}; of "
            f"what is chosen {chosen.correlation:.3f}, {chosen.losses['purchase']:.4f}."
        )


def _how(found: Tradeoff) -> str:
    """Say how the ranker is trained as what is chosen was, beside the settings that it was tried with."""
    chosen, balance = found.row(found.chosen), found.about["balance"]
    if chosen.kind == "space":
        told = f'To train with it: [rank] space = "{chosen.name}"'
        return told if balance == "weighted" else f'{told}, balance = "weighted", balance_settings = {{}}'
    asked, given = (_even(found, name, settings) for name, settings in
                    ((chosen.balance, chosen.settings), (balance, found.about["balance_settings"])))  # fmt: skip
    if chosen.balance == balance and asked == given:
        return "The ranker is trained so as it is: nothing is to be changed."
    return f'To train with it: [rank] balance = "{chosen.balance}", balance_settings = {_toml(chosen.settings)}'


def _even(found: Tradeoff, balance: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a balancer, of the weighted sum with every weight, as 1 is that of those not told."""
    if balance != "weighted":
        return settings
    weights = settings.get("weights", {})
    return {"weights": {task: float(weights.get(task, 1.0)) for task in found.tasks}}


def _toml(settings: object) -> str:
    """Return a mapping of numbers and mappings as an inline table."""
    if isinstance(settings, dict):
        return "{" + ", ".join(f"{key} = {_toml(value)}" for key, value in settings.items()) + "}"
    return f"{settings:.4g}" if isinstance(settings, float) else str(settings)


def shown(found: Tradeoff) -> list[Row]:
    """Return the lines of a short table: the weighted sum as it is and tuned, then the methods; the best first."""
    rows = [found.plain, *([] if found.tuned == found.plain else [found.tuned])]
    rows += [row for row in found.rows if row.kind != "weighted"]
    return sorted(rows, key=lambda row: -row.delta_m)


def cells_of(row: Row, found: Tradeoff) -> list[str]:
    """Return the figures of a line as text, in the order of `heading` after the name."""
    gains = [f"{100 * row.gain[task]:+.2f} %" for task in found.tasks]
    behind = "" if row.behind[0] <= 0 else f"{100 * row.behind[0]:.2f} ± {100 * row.behind[1]:.2f}"
    more = row.hypervolume - found.hypervolume
    volume = f"+{1e4 * more:.3g}" if more > 0 else "adds nothing"
    return [f"{100 * row.delta_m:+.2f} %", behind, *gains, "" if row.kind == "weighted" else volume,
            "" if row.cost is None else f"{row.cost:.2f}", row.dominated_by or "none: front"]  # fmt: skip


def cells_of_single(found: Tradeoff) -> list[str]:
    """Return the line of the single-task models: the losses from which gains are counted."""
    return ["+0.00 %", "", *(f"{found.single[task]:.4f}" for task in found.tasks), "", "", ""]


def heading(found: Tradeoff) -> list[str]:
    """Return the columns' names."""
    return ["balance", "Δm", "behind the best", *found.tasks, "volume", "step", "dominated by"]


def _table(found: Tradeoff) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heading(found))
    rows = "".join(
        f"<tr><td>{escape(row.name)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells_of(row, found))}</tr>"
        for row in sorted(found.rows, key=lambda row: -row.delta_m)
    )
    single = "".join(f"<td>{escape(cell)}</td>" for cell in cells_of_single(found))
    return f"<table><tr>{head}</tr>{rows}<tr><td>single-task</td>{single}</tr></table>"


def _covariance(found: Tradeoff) -> str:
    """Return the tasks' covariance of what was chosen, where it is learned."""
    omega = found.row(found.chosen).covariance
    if omega is None:
        return ""
    told = f"<h2>Covariance of tasks</h2><p>{OMEGA} Learned with {escape(found.chosen)}: [rank] relation.</p>"
    return f"{told}{covariance(found.tasks, omega)}"


def picture(found: Tradeoff) -> str:
    """Return the two groups' gains of everything that was tried, as SVG."""
    sides = [", ".join(found.group), ", ".join(found.others)]
    place, bounds = _placing(found.rows)
    swept = [row for row in found.rows if row.kind == "weighted"]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(row.goals) for row in on_front(swept)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        'font-size="12"><title>Gain of two groups of tasks over single-task models</title>',
        *_axes(bounds, sides, place), f'<polyline points="{line}" fill="none" stroke="#1b7f79" stroke-width="2"/>',
        *(_point(row, found, place) for row in found.rows), "</svg>",
    ]  # fmt: skip
    return "".join(parts)


def _placing(rows: Sequence[Row]) -> tuple[Place, list[tuple[float, float]]]:
    """Return the way from goals to pixels, and the bounds of each axis; what is far off is drawn at the edge."""
    inner = [row for row in rows if row.weight not in (0.0, 1.0)]  # the ends leave tasks out, and are far off
    bounds = []
    for axis in (0, 1):
        high, low = (take(row.goals[axis] for row in inner) for take in (max, min))
        room = 0.05 * max(high - low, 0.005)
        bounds.append((max(low, high - FARTHEST) - room, high + room))

    def place(goals: tuple[float, float]) -> tuple[float, float]:
        share = [min(1.0, max(0.0, (at - a) / (b - a or 1.0))) for at, (a, b) in zip(goals, bounds, strict=True)]
        return LEFT + share[0] * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share[1] * (HEIGHT - TOP - BOTTOM)

    return place, bounds


def _axes(bounds: list[tuple[float, float]], sides: list[str], place: Place) -> list[str]:
    (left, right), (low, high) = bounds
    wide, tall = (1 if far - near > FARTHEST / 20 else 2 for near, far in bounds)
    across = [
        f'<text x="{place((value, low))[0]:.0f}" y="{HEIGHT - 32}" text-anchor="middle">{100 * value:.{wide}f} %</text>'
        for value in (left, (left + right) / 2, right)
    ]
    up = [
        f'<text x="{LEFT - 8}" y="{place((left, value))[1] + 4:.0f}" text-anchor="end">{100 * value:.{tall}f} %</text>'
        for value in (low, (low + high) / 2, high)
    ]
    turned = f'x="14" y="{HEIGHT - BOTTOM}" transform="rotate(-90 14 {HEIGHT - BOTTOM})"'
    frame = (
        f'<path d="M{LEFT},{TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="currentColor"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 10}">gain of {escape(sides[0])} →</text>'
        f"<text {turned}>gain of {escape(sides[1])} →</text>"
    )
    return [frame, *across, *up]


def _point(row: Row, found: Tradeoff, place: Place) -> str:
    x, y = place(row.goals)
    told = f"<title>{escape(row.name)}: {escape(', '.join(cells_of(row, found)))}</title>"
    if row.kind == "weighted":
        name = f'<text x="{x + 8:.1f}" y="{y - 6:.1f}" font-weight="bold">{escape(row.name)}</text>'
        mark = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1b7f79">{told}</circle>'
        return mark + (name if row.name in (found.chosen, found.plain.name) else "")
    return (
        f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#d95f02">{told}</rect>'
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}">{escape(row.name)}</text>'
    )
