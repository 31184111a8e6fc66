"""Ranked: a caller's own candidates in the order of what the ranker expects of them."""

from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError
from paretail.data.types import Predictions
from paretail.pipeline.live import bodies
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.ranking import GROUP

#: Digits of probabilities and money in answers.
DIGITS: Final = 8


def rank(engine: Engine, question: bodies.RankRequest, shown: ShownLists) -> bodies.RankAnswer:
    """Return the candidates best first, each once; raises UsageError (RANK-05) where the bundle has no ranker."""
    if GROUP not in engine.recommender.manifest.facts:
        found = f"bundle version {engine.version} has no ranker"
        do = "Train it on a log with impressions, with the extra `learn`"
        raise UsageError(Problem("RANK-05", found, "A bundle with a ranker", do))
    names = list(dict.fromkeys(question.candidates))
    rows = np.array([engine.recommender.items.row(name) for name in names], np.int32)
    known = np.flatnonzero(rows >= 0)
    told = _predicted(engine, question, shown, rows[known])
    worth = _worth(told, question.by)
    order = np.argsort(-worth, kind="stable")
    lines = [_line(engine, names[known[place]], told, place) for place in order.tolist()]
    lines += [bodies.RankedItem(names[place], 0, known=False) for place in np.flatnonzero(rows < 0).tolist()]
    for number, line in enumerate(lines, 1):
        line.rank = number
    return bodies.RankAnswer(question.request_id or uuid4().hex, engine.version, lines)


def _predicted(engine: Engine, question: bodies.RankRequest, shown: ShownLists, rows: NDArray[np.int32]) -> Predictions:
    visitor = bodies.Rules(user_id=question.user_id, events=question.events, items=question.items)
    history = Asked.of(engine, visitor, shown, 0).history
    recommender = engine.recommender
    user_id = None if question.user_id is None else engine.users.user_of(question.user_id)
    row = -1 if user_id is None or user_id in engine.users.forgotten else recommender.users.row(user_id)
    moment = max(recommender.moment_ms, int(history.ts_ms.max(initial=0)) + 1)
    nobody_else = np.zeros(len(rows), np.int32)
    at = np.full(len(rows), moment, np.int64)
    return recommender.ranker.predict(history, np.array([row], np.int32), nobody_else, rows, at)


def _worth(told: Predictions, by: str) -> NDArray[np.float64]:
    """Return what candidates are ordered by: what was asked for, or the strongest task that was learned."""
    bought = told.p_click * told.p_purchase
    ways = {"value": (told.value, bought, told.p_click), "purchase": (bought, told.p_click), "click": (told.p_click,)}
    return next(way for way in ways[by] if np.isfinite(way).all())


def _line(engine: Engine, name: str, told: Predictions, place: int) -> bodies.RankedItem:
    def number(values: NDArray[Any], unit: int = 1) -> float | None:
        value = float(values[place]) / unit
        return round(value, DIGITS) if np.isfinite(value) else None

    return bodies.RankedItem(
        name, 0, number(told.p_click), number(told.p_cart), number(told.p_purchase), number(told.value, engine.minor)
    )
