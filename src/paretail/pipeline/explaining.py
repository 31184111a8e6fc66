"""Explanations of predictions in words: what makes a click or purchase likelier than usual, or an order dearer."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from paretail.data.types import Explanations
from paretail.policy.position import Position

#: How a task is spoken of.
SUBJECTS: Final = {"click": "A click", "long_view": "After a click, a long view", "cart": "After a click, a cart",
                   "favourite": "After a click, a favourite", "purchase": "After a click, a purchase"}  # fmt: skip
#: The same where probabilities are those of all pairs.
OF_ALL: Final = {"click": "A click", "cart": "A cart", "purchase": "A purchase"}
#: What a point more of a goal costs is told from so many points on.
DEAR: Final = 0.01
#: Groups are named where they change odds by so much at least, and so many on each side.
TOLD: Final = 0.05
MOST: Final = 3


def sentence(task: str, predicted: float, usual: float, parts: Mapping[str, float], given: bool = True) -> str:
    """Say how a prediction differs from the usual one, and what speaks most for and against it.

    `parts` are what groups add, in logarithms of odds, of `value` of money; `given` as in `Explanations`.
    """
    times = float(np.exp(sum(parts.values())))
    if task == "value":
        head = f"An order is worth {times:.3g} times the usual ({predicted:,.2f} instead of {usual:,.2f})"
    else:
        numbers = f"{100 * predicted:.3g} % instead of {100 * usual:.3g} %"
        head = f"{(SUBJECTS if given else OF_ALL)[task]} has {times:.3g} times the usual odds ({numbers})"
    order = sorted((name for name in parts if abs(parts[name]) >= TOLD), key=lambda name: -abs(parts[name]))
    speaks = [", ".join(f"{name} x{np.exp(parts[name]):.2f}" for name in names[:MOST]) for names in (
        [name for name in order if parts[name] > 0], [name for name in order if parts[name] < 0])]  # fmt: skip
    tail = "; ".join(filter(None, [speaks[0], speaks[1] and f"against it {speaks[1]}"]))
    return f"{head}: {tail}." if tail else f"{head}."


def pulled_in_words(parts: Mapping[str, float]) -> str:
    """Say which goals speak for an item of a slate and which against it; `parts` are shares of all that is said."""
    speaks = [f"{name} ({100 * part:.0f} %)" for name, part in parts.items() if part >= TOLD]
    against = [f"{name} ({-100 * part:.0f} %)" for name, part in list(parts.items())[::-1] if part <= -TOLD]
    head = f"Here for {', '.join(speaks)}" if speaks else "Here as the best that is left"
    return f"{head}; against it {', '.join(against)}." if against else f"{head}."


def position_in_words(found: Position) -> str:
    """Say whether a measured setting beats this one, and what a point more of each goal costs the others."""
    better = ", ".join(f"{goal} {100 * share:.0f} %" for goal, share in found.better.items())
    beaten = (
        f"{found.beaten_by} of {found.measured} measured settings beat it, most of all the one with {better}"
        if found.beaten_by
        else f"None of {found.measured} measured settings beats it"
        if found.measured
        else "No other was measured"
    )
    still = [
        f"Asking for {goal} changes nothing here: slates without goals have all there is of it" for goal in found.still
    ]
    costs = [_cost_in_words(goal, change) for goal, change in found.costs.items() if goal not in found.still]
    return ". ".join([beaten, *still, *costs]) + "."


def _cost_in_words(goal: str, change: Mapping[str, float]) -> str:
    order = sorted(change, key=lambda name: change[name])
    costs = ", ".join(f"{-change[name]:.2g} of {name}" for name in order if change[name] <= -DEAR)
    brings = ", ".join(f"{change[name]:.2g} of {name}" for name in order[::-1] if change[name] >= DEAR)
    told = " and ".join([f"costs {costs}"] * bool(costs) + [f"brings {brings}"] * bool(brings))
    return f"A point more of {goal} {told or 'costs the others nothing'}"


def parts_of(told: Explanations, pair: int, task: int) -> dict[str, float]:
    """Return what each group adds to one prediction, the largest first."""
    adds = told.contributions[pair, task]
    return {told.groups[at]: float(adds[at]) for at in np.argsort(-np.abs(adds), kind="stable")}


def explanations(pairs: pl.DataFrame, told: Explanations, minor: float) -> pl.DataFrame:
    """Return `user_id, item_id, task, predicted, usual`, a column of what each group adds, and `text`.

    One row a pair and task, pairs in their order; values are money in the shop's currency.
    """
    tasks = len(told.tasks)
    unit = np.array([minor if task == "value" else 1 for task in told.tasks])
    rows = pairs.select(pl.all().repeat_by(tasks).list.explode()).with_columns(
        task=pl.Series(list(told.tasks) * pairs.height, dtype=pl.String),
        predicted=pl.Series((told.predicted / unit).ravel()),
        usual=pl.Series(np.tile(told.usual / unit, pairs.height)),
        **{name: pl.Series(told.contributions[:, :, at].ravel()) for at, name in enumerate(told.groups)},
    )
    groups = list(told.groups)
    texts = [sentence(row["task"], row["predicted"], row["usual"], {name: row[name] for name in groups},
                      told.given) for row in rows.iter_rows(named=True)]  # fmt: skip
    return rows.with_columns(text=pl.Series(texts, dtype=pl.String))
