"""A front as one HTML page: a picture for each pair of goals, what is suggested, the table; it loads nothing."""

from collections.abc import Sequence
from html import escape
from itertools import combinations
from typing import Final

from paretail.pipeline.pages import opening
from paretail.pipeline.pareto import Front, Point

WIDTH, HEIGHT, LEFT, BOTTOM, ROOM = 460, 340, 70, 50, 14
ON, OFF, TODAY = "#1b7f79", "#b8c9c7", "#d0542c"
#: A suggestion's mark.
SUGGESTED: Final = "#1d2b2a"


def page(found: Front) -> str:
    """Return the page."""
    title = f"{' against '.join(found.goals)}: what slates can bring"
    about = (
        f"{len(found.points)} weightings, each measured on slates of {found.k} for {found.requests} requests of the "
        f"log (model {found.version}). {sum(point.is_front for point in found.points)} are on the front: nothing "
        f"measured beats them in every goal. {_place_of_today(found)}"
    )
    legend = (
        f'<p><span style="color:{ON}">●</span> on the front, <span style="color:{OFF}">●</span> beaten, '
        f'<span style="color:{TODAY}">★</span> today, <span style="color:{SUGGESTED}">○</span> suggested. Point at one '
        "to see the setting that asks for it.</p>"
    )
    pictures = "".join(picture(found, a, b) for a, b in combinations(found.goals, 2))
    body = f"<p>{escape(about)}</p>{legend}{pictures}{_suggested(found)}{_table(found)}"
    return f"{opening(title)}{body}</html>\n"


def _place_of_today(found: Front) -> str:
    beaten = found.better_than_today
    return (
        f"{beaten} of them beat today's slates in every goal."
        if beaten
        else "Today's slates are beaten by none of them."
    )


def picture(found: Front, across: str, up: str) -> str:
    """Return one pair of goals as SVG."""
    values = [point.values for point in found.points] + [found.today]
    low, high = ({name: pick(value[name] for value in values) for name in (across, up)} for pick in (min, max))

    def place(value: dict[str, float]) -> tuple[float, float]:
        share = [(value[name] - low[name]) / ((high[name] - low[name]) or 1) for name in (across, up)]
        return LEFT + share[0] * (WIDTH - LEFT - ROOM), HEIGHT - BOTTOM - share[1] * (HEIGHT - BOTTOM - ROOM)

    dots = [_dot(point, place(point.values)) for point in sorted(found.points, key=lambda point: point.is_front)]
    rings = [_ring(why, point, place(point.values)) for why, point in found.suggestions.items()]
    x, y = place(found.today)
    where = f'x="{x:.1f}" y="{y + 6:.1f}" text-anchor="middle" font-size="18"'
    star = f'<text {where} fill="{TODAY}">★<title>today</title></text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" font-size="12" '
        f'aria-label="{escape(up)} against {escape(across)}">'
        + _axes(found, across, up, low, high) + "".join(dots + rings) + star + "</svg>"
    )  # fmt: skip


def _axes(found: Front, across: str, up: str, low: dict[str, float], high: dict[str, float]) -> str:
    base, right = HEIGHT - BOTTOM, WIDTH - ROOM
    return (
        f'<path d="M{LEFT},{ROOM}V{base}H{right}" fill="none" stroke="currentColor" stroke-width=".5"/>'
        f'<text x="{LEFT}" y="{base + 16}">{low[across]:.4g}</text>'
        f'<text x="{right}" y="{base + 16}" text-anchor="end">{high[across]:.4g}</text>'
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across)} '
        f"({escape(found.units[across])})</text>"
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">{low[up]:.4g}</text>'
        f'<text x="{LEFT - 6}" y="{ROOM + 8}" text-anchor="end">{high[up]:.4g}</text>'
        f'<text transform="translate(14,{(ROOM + base) / 2}) rotate(-90)" text-anchor="middle">{escape(up)} '
        f"({escape(found.units[up])})</text>"
    )


def _dot(point: Point, at: tuple[float, float]) -> str:
    colour, size = (ON, 4) if point.is_front else (OFF, 3)
    title = f"<title>{escape(point.line)}</title>"
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{size}" fill="{colour}">{title}</circle>'


def _ring(why: str, point: Point, at: tuple[float, float]) -> str:
    title = f"<title>{escape(why)}: {escape(point.line)}</title>"
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="8" fill="transparent" stroke="{SUGGESTED}">{title}</circle>'


def _suggested(found: Front) -> str:
    rows = [(why, point) for why, point in found.suggestions.items()]
    return f"<h2>Suggested</h2>{_rows(found, [('today', None, found.today), *((w, p, p.values) for w, p in rows)])}"


def _table(found: Front) -> str:
    kept = sorted((p for p in found.points if p.is_front), key=lambda p: -p.values[found.goals[0]])
    return f"<h2>The front</h2>{_rows(found, [('', point, point.values) for point in kept])}"


def _rows(found: Front, rows: Sequence[tuple[str, Point | None, dict[str, float]]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *found.goals, "ask for it with --goals"))
    body = "".join(
        f"<tr><td>{escape(why)}</td>{''.join(f'<td>{value[name]:.4g}</td>' for name in found.goals)}"
        f"<td><code>{escape(point.line) if point else ''}</code></td></tr>"
        for why, point, value in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
