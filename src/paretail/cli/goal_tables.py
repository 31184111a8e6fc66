"""Tables of goals for people: settings beside today, fronts, forecasts, releases."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paretail.core.errors import Problem
from paretail.evaluate.release import Release
from paretail.pipeline.forecast import LIVE, Line
from paretail.pipeline.pareto import Front

#: So many points of a front are printed; its page has all.
MOST_POINTS = 12
#: Goals that are always shown, beside those that a setting weighs.
SHOWN_GOALS = ("clicks", "purchases", "revenue", "profit", "diversity", "coverage")
#: What a verdict means, for people.
VERDICTS = {
    "ship": "may go live: the log says that it is not worse",
    "experiment": "start it small: the log cannot exclude that it is worse",
    "keep": "keep what is live: the log says that it is worse",
}


#: What a verdict on a log is worth once it is asked for again.
ONE_LOOK: Final = (
    "The 95 % are of this one look. Looks at the log as it grows, and other candidates on it, spend the same 5 %: say "
    "--of how many there will be, or take lists that no look has seen"
)
#: What is said where a log tells of no setting that was asked for.
NO_LOG_TELLS: Final = (
    "This log tells of no setting, for the reasons above; an experiment on a few users does: "
    "paretail release --bundle BUNDLE --setting SETTING --log LOG --start shop.toml writes it"
)
#: What a script is told of a verdict.
EXITS: Final = {"ship": 0, "experiment": 3, "keep": 4}


def settings(console: Console, told: Sequence[dict[str, Any]]) -> None:
    """Print what is expected of a slate under each setting of goals, and how that differs from the first, today's."""
    today = told[0]["expected"]
    weighed = {goal for one in told for part in one["segments"].values() for goal in part["weights"]}
    goals = [goal for goal in today if goal in weighed or goal in SHOWN_GOALS]
    table = Table("a slate brings", *goals, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for one in told:
        values = one["expected"]
        table.add_row(escape(one["setting"]), *(_beside(values[goal], today[goal]) for goal in goals))
    console.print(table)
    for one in told:
        for rule, slates in one["broken"].items():
            console.print(f"{one['setting']}: {slates:,} slates cannot keep the rule {rule!r}", markup=False,
                          soft_wrap=True)  # fmt: skip
        segment, most = max(one["segments"].items(), key=lambda item: item[1]["users"])
        console.print(f"{escape(one['setting'])} ({segment} users): {most['front']['told']}", soft_wrap=True)


def front(console: Console, found: Front, out: Path | None) -> None:
    """Print where today's slates are, what is suggested, and some of the front."""
    kept = sorted((point for point in found.points if point.is_front), key=lambda point: -point.values[found.goals[0]])
    console.print(
        f"{len(found.points)} outcomes of slates of {found.k} for {found.requests} requests of the log; {len(kept)} "
        f"are on the front, {found.better_than_today} beat today's slates in every goal; volume {found.volume:.3f}",
        soft_wrap=True,
    )  # fmt: skip
    if found.yardstick is not None:
        told = found.yardstick
        console.print(f"{told['method']} over {told['weightings']} weightings: volume {told['volume']:.3f}")
    table = Table("", *found.goals, "--goals", box=SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_row("today", *(f"{found.today[goal]:.4g}" for goal in found.goals), "")
    step = max(1, -(-len(kept) // MOST_POINTS))
    named = [*found.suggestions.items(), *(("", point) for point in kept[::step])]
    for why, point in named:
        table.add_row(why, *(_beside(point.values[goal], found.today[goal]) for goal in found.goals), point.line)
    console.print(table)
    if out is not None:
        console.print(f"The same with pictures: {out / 'pareto.html'}", soft_wrap=True)


def forecast(console: Console, lines: Sequence[Line], lists: int, users: int) -> None:
    """Print one line a setting, a column a goal: the estimate with its interval, red where the log cannot tell."""
    console.print(
        f"What a list brought (live), and what it would have under each setting: {lists:,} lists of {users:,} users, "
        "95 % intervals, each by itself (of twenty one may miss); in brackets what the model "
        "alone expects, which no log has checked", soft_wrap=True,
    )  # fmt: skip
    goals = list(dict.fromkeys(line.goal for line in lines))
    table = Table("setting", *goals, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for setting in dict.fromkeys(line.setting for line in lines):
        mine = {line.goal: line for line in lines if line.setting == setting}
        table.add_row(escape(setting), *(_estimated(mine[goal]) for goal in goals))
    console.print(table)
    for code, (settings, problem) in _refusals(lines).items():
        whose = settings[0] if len(settings) == 1 else f"{len(settings)} settings, such as {settings[0]}"
        told = f"{problem.found}. {problem.expected}. {problem.do}. ({code})"
        console.print(f"[red]cannot tell[/red] ({escape(whose)}): {escape(told)}", soft_wrap=True)
    if all(line.estimate.refused for line in lines if line.setting != LIVE):
        console.print(NO_LOG_TELLS, markup=False, soft_wrap=True)


def _refusals(lines: Sequence[Line]) -> dict[str, tuple[list[str], Problem]]:
    """Return by code which settings are refused, and what was found of the first of them.

    A mean weight says nothing of odds where too little carries it: that is left out where the effective sample is.
    """
    found: dict[str, tuple[list[str], Problem]] = {}
    for line in lines:
        codes = {problem.code for problem in line.estimate.refused}
        for problem in line.estimate.refused:
            if problem.code == "OFFP-08" and codes & {"OFFP-05", "OFFP-06"}:
                continue
            settings, _ = found.setdefault(problem.code, ([], problem))
            settings += [line.setting] if line.setting not in settings else []
    return found


def forecast_json(line: Line) -> dict[str, Any]:
    """Return one forecast as plain values; what was refused is null."""
    told = line.estimate
    value, low, high, model = (None if math.isnan(x) else x for x in (told.value, told.low, told.high, line.model))
    refused = [{"code": problem.code, "found": problem.found, "do": problem.do} for problem in told.refused]
    return {"setting": line.setting, "goal": line.goal, "model": model, "value": value, "low": low, "high": high,
            "refused": refused}  # fmt: skip


def release(console: Console, found: Release, goal: str, margin: float, per: float) -> None:
    """Print the verdict and what it rests on."""
    console.print(f"{found.verdict}: {VERDICTS[found.verdict]}")
    candidate, incumbent = found.candidate / per, found.incumbent / per
    if found.refused:
        told = f"{candidate:.4g} (candidate, a guess, for the reasons below), {incumbent:.4g} (live)"
    else:
        told = (f"{candidate:.4g} (candidate), {incumbent:.4g} (live); candidate less {100 - margin:g} % of live is "
                f"{found.low / per:.4g} to {found.high / per:.4g} with 95 %")  # fmt: skip
    console.print(f"{goal} a list: {told}", soft_wrap=True)
    if not found.refused:
        console.print(ONE_LOOK, soft_wrap=True)
    for problem in found.refused:
        console.print(f"[red]cannot tell[/red]: {escape(str(problem))}", soft_wrap=True)


def release_json(found: Release, goal: str, per: float) -> dict[str, Any]:
    """Return a verdict as plain values."""
    numbers = {name: getattr(found, name) / per for name in ("candidate", "incumbent", "low", "high")}
    return {"verdict": found.verdict, "goal": goal,
            **{name: None if math.isnan(value) else value for name, value in numbers.items()},
            "refused": [{"code": problem.code, "found": problem.found} for problem in found.refused]}  # fmt: skip


def agent_release(console: Console, found: Release, policy: str) -> None:
    """Print the verdict on an agent and what it rests on."""
    console.print(f"{policy}: {found.verdict}", markup=False)
    for problem in found.refused:
        console.print(f"The log cannot tell: {problem.found}. {problem.expected}", markup=False, soft_wrap=True)
    if not found.refused:
        console.print(f"A visit brings {found.low:+.3f} to {found.high:+.3f} beyond the margin", markup=False)


def agent_release_json(found: Release, policy: str) -> dict[str, Any]:
    """Return a verdict on an agent as plain values."""
    ends = None if found.refused else [found.low, found.high]
    return {"policy": policy, "verdict": found.verdict, "incumbent": found.incumbent, "interval": ends,
            "refused": [problem.found for problem in found.refused]}  # fmt: skip


def _estimated(line: Line) -> str:
    told = line.estimate
    model = "" if math.isnan(line.model) else f"[dim]({line.model:.4g})[/dim]"
    if told.refused:
        return f"[red]cannot tell[/red] {model}"
    return f"{told.value:.4g} [dim]{told.low:.4g} to {told.high:.4g}[/dim] {model}"


def _beside(value: float, today: float) -> str:
    shown = f"{value:.4g}"
    return shown if value == today or not today else f"{shown} [dim]{100 * (value - today) / abs(today):+.0f} %[/dim]"
