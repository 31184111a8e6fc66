"""The report of `paretail learn`: one HTML page that loads nothing."""

from html import escape
from typing import Any

import numpy as np
from scipy.special import stdtrit

from paretail.pipeline.learning import RIVALS, Learned, Look
from paretail.pipeline.pages import opening


def page(learned: Learned) -> str:
    """Return the report as one HTML page that loads nothing."""
    asked, run = learned.asked, learned.run
    title = f"{asked.agent} learned in {asked.env}, {len(learned.runs)} seeds"
    last = "" if learned.tested is None else " The last look and the comparisons are at other visits of theirs."
    return (
        f"{opening(title)}<p>{escape(learned.judged)} Best looks were chosen on them: new visits bring a "
        f"little less.{last} A value is nan where a guard refuses it.</p>{_summary(learned)}"
        f"<h2>Seeds</h2>{_seeds(learned)}<h2>Curves of seed {run.seed}, by stretch of {asked.stretch:,} steps</h2>"
        f"{_curves(learned)}<h2>Losses and scales</h2>{_scales(learned)}{_calibration(learned.users)}</html>\n"
    )


def spread(values: list[float]) -> str:
    """Return the mean over seeds and Student's 95 % interval."""
    count = len(values)
    half = float(stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / count**0.5) if count > 1 else np.nan
    return f"{np.mean(values):.2f} ± {half:.2f}"


def _summary(learned: Learned) -> str:
    best, looks = learned.run.top, learned.run.looks
    rows = [
        ("Agent", learned.asked.agent), ("Steps", f"{looks[-1].steps:,} in {looks[-1].seconds:.0f} s"),
        ("Ended by", learned.run.stopped), ("Best", f"{_reward(best)} after {best.steps:,} steps"),
        *([] if learned.tested is None else [("Last look", _about(*learned.tested))]),
        (f"Best looks of {len(learned.runs)} seeds", spread(learned.bests)),
        *((f"For comparison: {name} ({RIVALS[name]})", f"{value:.2f}") for name, value in learned.rivals.items()),
    ]  # fmt: skip
    return _table(rows)


def _seeds(learned: Learned) -> str:
    rows = [("seed", "best look", "after steps", "ended by")]
    rows += [(str(run.seed), _reward(run.top), f"{run.top.steps:,}", run.stopped) for run in learned.runs]
    return _table(rows)


def _curves(learned: Learned) -> str:
    from paretail.learn.curves import Epoch, Run, svg

    looks, best = learned.run.looks, learned.run.top
    epochs = tuple(
        Epoch(n + 1, look.steps, look.learning, 0.0, look.seconds, look.reward) for n, look in enumerate(looks)
    )
    run = Run(epochs, learned.run.best + 1, best.reward, "epochs", best.steps, looks[-1].seconds)
    return svg(run, "reward of held-out visits", "return of visits of learning")


def _scales(learned: Learned) -> str:
    rows = [("steps", "held out", "figures")]
    rows += [
        (f"{look.steps:,}", _reward(look), ", ".join(f"{name} {value:.3g}" for name, value in look.figures.items()))
        for look in learned.run.looks
    ]
    return _table(rows)


def _calibration(users: dict[str, Any] | None) -> str:
    """Return how far models of users are to be believed, as a table."""
    if users is None:
        return ""
    rows = [("model", "what", "cases", "predicted", "happened")]
    rows += [
        (model, what, f"{one['count']:,}", f"{one['predicted']:.3f}", f"{one['happened']:.3f}")
        for model, told in users.items() for what, bins in told.items() for one in bins
    ]  # fmt: skip
    return f"<h2>Models of users, on visits that they were not fitted to</h2>{_table(rows)}"


def _reward(look: Look) -> str:
    return _about(look.reward, look.se)


def _about(value: float, se: float) -> str:
    return f"{value:.2f} ± {1.96 * se:.2f}"


def _table(rows: list[Any]) -> str:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
