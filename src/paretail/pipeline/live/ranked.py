"""Ranked: lists and a caller's own candidates in the order of what the ranker expects of them."""

from typing import Final, TypeVar
from uuid import uuid4

import numpy as np
import structlog

from paretail.core.errors import Problem, UsageError
from paretail.core.ids import Rows
from paretail.data.types import Predictions
from paretail.pipeline.live import bodies, rules
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.ranking import CANDIDATES, GROUP, Order, worth

Line = TypeVar("Line", bodies.RankedItem, bodies.RecommendedItem)
#: Digits of probabilities and money in answers.
DIGITS: Final = 8

log = structlog.get_logger()


def rank(engine: Engine, question: bodies.RankRequest, shown: ShownLists) -> bodies.RankAnswer:
    """Return the candidates best first, each once; raises UsageError (RANK-05) where the bundle has no ranker."""
    check_there(engine, question.by)
    names = list(dict.fromkeys(question.candidates))
    rows = np.array([engine.recommender.items.row(name) for name in names], np.int32)
    known = np.flatnonzero(rows >= 0)
    visitor = bodies.Rules(user_id=question.user_id, events=question.events, items=question.items)
    told = predicted(Asked.of(engine, visitor, shown, 0), rows[known])
    order = np.argsort(-worth(told, question.by), kind="stable")
    found = [tell(bodies.RankedItem(names[known[at]], 0), told, at, engine.minor) for at in order.tolist()]
    found += [bodies.RankedItem(names[place], 0, known=False) for place in np.flatnonzero(rows < 0).tolist()]
    for number, line in enumerate(found, 1):
        line.rank = number
    return bodies.RankAnswer(question.request_id or uuid4().hex, engine.version, found)


def listed(asked: Asked, scores: rules.Scores, question: bodies.RecommendRequest,
           degraded: list[str]) -> tuple[Rows, list[bodies.RecommendedItem]]:  # fmt: skip
    """Return the rows and lines of a list, in the order asked for; a failure of the ranker is told in `degraded`."""
    engine = asked.engine
    rows, values = rules.draw(engine, scores, asked.drawing(drawn(question)))
    if question.order != "model":
        try:
            return lines(asked, rows, question.k, question.order)
        except Exception as error:  # the retriever's order is better than none
            log.error("ranker_failed", version=engine.version, exc_info=error)
            degraded.append("ranker")
    model = str(engine.recommender.manifest.facts["model"])
    source = model if asked.is_known and "model" not in degraded else "popular"
    rows = rows[: question.k]
    return rows, asked.lines(rows, values[: question.k], source)


def lines(asked: Asked, rows: Rows, k: int, by: Order) -> tuple[Rows, list[bodies.RecommendedItem]]:
    """Return the best `k` of candidates for whoever asks, with their predictions.

    Items that the bundle has not learned keep their order, after all others.
    """
    places = np.flatnonzero(rows < len(asked.engine.recommender.items))
    told = predicted(asked, rows[places])
    values = np.full(len(rows), -np.inf)
    values[places] = worth(told, by)
    order = np.argsort(-values, kind="stable")[:k]
    found = asked.lines(rows[order], np.where(np.isfinite(values), values, 0.0)[order].astype(np.float32), "ranker")
    at = {row: place for place, row in enumerate(rows[places].tolist())}
    for line, row in zip(found, rows[order].tolist(), strict=True):
        if row in at:
            tell(line, told, at[row], asked.engine.minor)
    return rows[order], found


def drawn(question: bodies.RecommendRequest) -> int:
    """Return how many items are drawn by the retriever's score."""
    return question.k if question.order == "model" else max(question.k, CANDIDATES)


def check_there(engine: Engine, order: str) -> None:
    """Raise UsageError (RANK-05) where an order is asked for that needs a ranker and the bundle has none."""
    if order == "model":
        return
    if GROUP not in engine.recommender.manifest.facts:
        found = f"bundle version {engine.version} has no ranker"
        do = "Train it on a log with impressions, with the extra `learn`"
        raise UsageError(Problem("RANK-05", found, "A bundle with a ranker", do))
    assert engine.recommender.ranker  # where torch is missing, that is said now


def predicted(asked: Asked, rows: Rows) -> Predictions:
    """Predict items for whoever asks, right after their last event."""
    engine, history, user_id = asked.engine, asked.history, asked.rules.user_id
    recommender = engine.recommender
    name = None if user_id is None else engine.users.user_of(user_id)
    row = -1 if name is None or name in engine.users.forgotten else recommender.users.row(name)
    moment = max(recommender.moment_ms, int(history.ts_ms.max(initial=0)) + 1)
    alone, at = np.zeros(len(rows), np.int32), np.full(len(rows), moment, np.int64)
    return recommender.ranker.predict(history, np.array([row], np.int32), alone, rows, at)


def tell(line: Line, told: Predictions, place: int, minor: int) -> Line:
    """Put the predictions of one pair into a line of an answer; what was not learned stays null."""
    values = {
        "p_click": told.p_click[place], "p_cart": told.p_cart[place], "p_purchase": told.p_purchase[place],
        "value": told.value[place] / minor,
    }  # fmt: skip
    for name, value in values.items():
        if np.isfinite(value):
            setattr(line, name, round(float(value), DIGITS))
    return line
