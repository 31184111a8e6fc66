"""The report of the loop as one HTML page that loads nothing: cumulative rewards, and what was decided day by day."""

from html import escape
from itertools import accumulate
from typing import Final

from paretail.pipeline.loop import Looped
from paretail.pipeline.pages import opening

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 300, 64, 34
#: Curves: of a day's rewards, what they are called, their colour.
CURVES: Final = {
    "oracle": ("oracle: knows tastes, and rests what was shown", "#b8c9c7"),
    "reward": ("the shop that learns", "#1b7f79"),
    "unexplored": ("the first day's policy without random slots", "#e5a98f"),
    "frozen": ("the first day's policy, frozen", "#d0542c"),
}


def page(looped: Looped) -> str:
    """Return the report."""
    asked = looped.asked
    title = f"{asked.days} days of a shop that learns ({asked.agent}, seed {asked.seed})"
    totals = "".join(
        f"<tr><td>{escape(label)}</td><td>{looped.total(name):,.0f}</td>"
        f"<td>{looped.total(name) / max(looped.total('frozen'), 1e-9) - 1:+.1%}</td></tr>"
        for name, (label, _) in CURVES.items()
    )
    days = "".join(
        f"<tr><td>{day.day}</td><td>{escape(day.policy)}</td><td>{day.reward:,.0f}</td><td>{day.frozen:,.0f}</td>"
        f"<td>{day.oracle:,.0f}</td><td>{escape(day.decided)}</td><td>{escape(day.forecast)}</td>"
        f"<td>{'' if day.truth is None else f'{day.truth:+.1f} %'}</td></tr>"
        for day in looped.days
    )
    stopped = ", ".join(map(str, looped.should_have_stopped)) or "none"
    return (
        f"{opening(title)}<p>{asked.visits} visits a day, {asked.explore:.0%} of the slots at random, "
        f"{asked.settled:.0%} once there are agents, their odds logged. "
        f"Days whose release was worse in truth by more than {asked.margin:.0%}: {stopped}.</p>"
        f"{picture(looped)}<h2>All days together</h2><table><tr><th>policy</th><th>reward</th><th>over frozen</th></tr>"
        f"{totals}</table><h2>Day by day</h2><table><tr><th>day</th><th>in place</th><th>reward</th><th>frozen</th>"
        f"<th>oracle</th><th>decided</th><th>forecast</th><th>release, in truth</th></tr>{days}</table></html>\n"
    )


def picture(looped: Looped) -> str:
    """Return cumulative rewards over days as one SVG picture."""
    most = max(looped.total(name) for name in CURVES) or 1.0
    count = len(looped.days)

    def at(day: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 12) * day / count
        return f"{x:.1f},{(HEIGHT - BOTTOM) * (1 - value / most) + 8:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 76}" width="{WIDTH}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="currentColor"><title>Cumulative reward over days</title>'
    ]
    for row, (name, (label, colour)) in enumerate(CURVES.items()):
        sums = accumulate((getattr(day, name) for day in looped.days), initial=0.0)
        points = " ".join(at(day, value) for day, value in enumerate(sums))
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        y = HEIGHT + 16 * row
        parts.append(f'<rect x="{LEFT}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 20}" y="{y - 3}">{escape(label)}: {looped.total(name):,.0f}</text>')
    axis = HEIGHT - BOTTOM + 8
    parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{axis}" y2="{axis}" stroke="currentColor" opacity=".4"/>')
    parts.append(f'<text x="4" y="18">{most:,.0f}</text><text x="{WIDTH - 60}" y="{axis + 16}">day {count}</text>')
    return "".join([*parts, "</svg>"])


def bars(looped: Looped, width: int = 40) -> list[str]:
    """Return the cumulative rewards of each policy as bars of characters, for a terminal."""
    most = max(looped.total(name) for name in CURVES) or 1.0
    return [
        f"{name:<11}{'█' * max(1, round(width * looped.total(name) / most))} {looped.total(name):,.0f}"
        for name in CURVES
    ]
