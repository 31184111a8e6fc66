"""Ranked: lists and a caller's own candidates in the order of what the ranker expects of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, TypeVar
from uuid import uuid4

import numpy as np
import structlog
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError
from paretail.core.ids import Rows
from paretail.data.types import History, Predictions
from paretail.pipeline.explaining import parts_of, sentence
from paretail.pipeline.live import bodies, rules
from paretail.pipeline.live.asked import Asked, history_of
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.ranking import CANDIDATES, GROUP, Order, reach, worth

Line = TypeVar("Line", bodies.RankedItem, bodies.RecommendedItem)
#: Digits of probabilities and money in answers.
DIGITS: Final = 8

log = structlog.get_logger()


def rank(engine: Engine, question: bodies.RankRequest, shown: ShownLists) -> bodies.RankAnswer:
    """Return the candidates best first, each once; raises UsageError (RANK-05) where the bundle has no ranker."""
    check_there(engine)
    names = list(dict.fromkeys(question.candidates))
    rows = np.array([engine.recommender.items.row(name) for name in names], np.int32)
    known = np.flatnonzero(rows >= 0)
    visitor = bodies.Rules(user_id=question.user_id, events=question.events, items=question.items)
    asked = Asked.of(engine, visitor, shown, 0)
    told = predicted([asked], [rows[known]])[0]
    order = np.argsort(-worth(told, question.by), kind="stable")
    found = [bodies.RankedItem(names[at], 0) for at in known[order].tolist()]
    tell(found, told, order, engine.minor, question.tasks)
    found += [bodies.RankedItem(names[place], 0, known=False) for place in np.flatnonzero(rows < 0).tolist()]
    for number, line in enumerate(found, 1):
        line.rank = number
    if question.explain:
        explain(asked, found[: len(known)], rows[known][order])
    if question.quantiles:
        _spread(asked, found, rows[known][order], question.quantiles)
    return bodies.RankAnswer(question.request_id or uuid4().hex, engine.version, found)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows and scores of a list as the retriever orders it; what the ranker tells of them, None where it failed."""

    rows: Rows
    scores: rules.Scores
    told: Predictions | None = None


def draw(asked: Sequence[Asked], scores: Sequence[rules.Scores],
         questions: Sequence[bodies.RecommendRequest]) -> list[Drawn]:  # fmt: skip
    """Draw the lists of questions to one engine; the pairs of those that want another order are predicted together."""
    lists = [_with_pins(one, Drawn(*rules.draw(one.engine, row, one.drawing(drawn(one.engine, question)))), question)
             for one, row, question in zip(asked, scores, questions, strict=True)]  # fmt: skip
    return told(asked, lists, questions)


def told(asked: Sequence[Asked], lists: Sequence[Drawn], questions: Sequence[bodies.RecommendRequest]) -> list[Drawn]:
    """Return lists with what the ranker tells of those whose questions want it; None where it fails."""
    lists = list(lists)
    places = [place for place, question in enumerate(questions) if needs_ranker(question)]
    if places:
        try:
            pairs = [learned(asked[place].engine, lists[place].rows) for place in places]
            found = predicted([asked[place] for place in places], pairs)
        except Exception as error:  # the retriever's order is better than none
            log.error("ranker_failed", version=asked[0].engine.version, exc_info=error)
            return lists
        for place, each in zip(places, found, strict=True):
            lists[place] = replace(lists[place], told=each)
    return lists


def listed(asked: Asked, drawn: Drawn, question: bodies.RecommendRequest,
           degraded: list[str]) -> tuple[Rows, list[bodies.RecommendedItem]]:  # fmt: skip
    """Return the rows and lines of a list, in the order asked for; a failure of the ranker is told in `degraded`."""
    if question.order != "model":
        if drawn.told is not None:
            rows, found = lines(asked, drawn.rows, drawn.told, question.k, question.order)
            try:
                if question.explain:
                    explain(asked, found, rows)
            except Exception as error:  # a list without explanations is better than none
                log.error("explanations_failed", version=asked.engine.version, exc_info=error)
                degraded.append("why")
            return rows, found
        degraded.append("ranker")
    return plain(asked, drawn, question.k, degraded)


def plain(asked: Asked, drawn: Drawn, k: int, degraded: list[str]) -> tuple[Rows, list[bodies.RecommendedItem]]:
    """Return the rows and lines of a list as the retriever orders it."""
    model = str(asked.engine.recommender.manifest.facts["model"])
    source = model if asked.is_known and "model" not in degraded else "popular"
    return drawn.rows[:k], asked.lines(drawn.rows[:k], drawn.scores[:k], source)


def lines(asked: Asked, rows: Rows, told: Predictions, k: int,
          by: Order) -> tuple[Rows, list[bodies.RecommendedItem]]:  # fmt: skip
    """Return the best `k` of candidates for whoever asks, with their predictions: `told` of those that are learned.

    Items that the bundle has not learned keep their order, after all others.
    """
    places = np.flatnonzero(rows < len(asked.engine.recommender.items))
    values = np.full(len(rows), -np.inf)
    values[places] = worth(told, by)
    order = np.argsort(-values, kind="stable")[:k]
    found = asked.lines(rows[order], np.where(np.isfinite(values), values, 0.0)[order].astype(np.float32), "ranker")
    of_told = np.full(len(rows), -1)
    of_told[places] = np.arange(len(places))
    learned = np.flatnonzero(of_told[order] >= 0)
    tell([found[at] for at in learned.tolist()], told, of_told[order[learned]], asked.engine.minor)
    return rows[order], found


def is_slate(question: bodies.RecommendRequest) -> bool:
    """Whether a slate is composed."""
    return question.goals is not None or question.slate is not None


def needs_ranker(question: bodies.RecommendRequest) -> bool:
    """Whether a question is answered with predictions."""
    return question.order != "model" or is_slate(question)


def explain(asked: Asked, lines: Sequence[Line], rows: Rows) -> None:
    """Tell in each line why its predictions are what they are; `rows` are the lines' items."""
    learned = np.flatnonzero(rows < len(asked.engine.recommender.items))
    told = asked.engine.recommender.ranker.explain(*pairs_of([asked], [rows[learned]]))
    units = [asked.engine.minor if task == "value" else 1 for task in told.tasks]
    for pair, place in enumerate(learned.tolist()):
        line = lines[place]
        line.why = []
        for at, (task, unit) in enumerate(zip(told.tasks, units, strict=True)):
            parts, numbers = parts_of(told, pair, at), (told.predicted[pair, at] / unit, told.usual[at] / unit)
            adds = {name: round(value, DIGITS) for name, value in parts.items()}
            predicted, usual = (round(float(number), DIGITS) for number in numbers)
            text = sentence(task, predicted, usual, parts, told.given)
            line.why.append(bodies.Explanation(task, predicted, usual, adds, text))


def _spread(asked: Asked, lines: Sequence[bodies.RankedItem], rows: Rows, levels: Sequence[float]) -> None:
    """Tell quantiles of an order in the first lines, whose items are `rows`; nothing where it was not learned."""
    told = asked.engine.recommender.ranker.order_quantiles(*pairs_of([asked], [rows]), levels) / asked.engine.minor
    for line, values in zip(lines, told.tolist(), strict=False):
        line.order_quantiles = [round(value, DIGITS) for value in values if isfinite(value)]


def drawn(engine: Engine, question: bodies.RecommendRequest) -> int:
    """Return how many items are drawn by the retriever's score: of a list in an order as many as were learned from."""
    if not needs_ranker(question):
        return question.k
    return max(question.k, CANDIDATES if is_slate(question) else reach(engine.recommender.manifest.facts))


def check_there(engine: Engine) -> None:
    """Raise UsageError (RANK-05) where the bundle has no ranker."""
    if GROUP not in engine.recommender.manifest.facts:
        found = f"bundle version {engine.version} has no ranker"
        do = "Train it on a log with impressions, with the extra `learn`"
        raise UsageError(Problem("RANK-05", found, "A bundle with a ranker", do))
    assert engine.recommender.ranker  # where torch is missing, that is said now


def predicted(asked: Sequence[Asked], rows: Sequence[Rows]) -> list[Predictions]:
    """Predict items for each who asks, right after the shop's latest event, at prices of now; all ask one engine."""
    engine = asked[0].engine
    told = engine.recommender.ranker.predict(*pairs_of(asked, rows))
    return engine.wares.priced(told, np.concatenate(rows)).split([len(pairs) for pairs in rows])


def pairs_of(asked: Sequence[Asked], rows: Sequence[Rows]) -> tuple[History, Rows, Rows, Rows, NDArray[np.int64]]:
    """Return what `Ranker.predict` wants to know of items for each who asks."""
    history = history_of(asked)
    known = np.array([_row(one) for one in asked], np.int32)
    moments = [max(one.engine.latest_ms, int(one.past.ts_ms.max(initial=0))) + 1 for one in asked]
    sizes = [len(pairs) for pairs in rows]
    user, at = np.repeat(np.arange(len(asked), dtype=np.int32), sizes), np.repeat(np.array(moments, np.int64), sizes)
    return history, known, user, np.concatenate(rows), at


def _row(asked: Asked) -> int:
    """Return the row that whoever asks has in the bundle, -1 for none."""
    engine, user_id = asked.engine, asked.rules.user_id
    name = None if user_id is None else engine.users.user_of(user_id)
    return -1 if name is None or name in engine.users.forgotten else engine.recommender.users.row(name)


def _with_pins(asked: Asked, drawn: Drawn, question: bodies.RecommendRequest) -> Drawn:
    """Return a list with the items that a slate pins at its end, where it lacks them and may hold them."""
    if question.slate is None or not question.slate.pins:
        return drawn
    pinned = rules.named_rows(asked.engine, [pin.item_id for pin in question.slate.pins])
    if asked.allowed is not None:
        pinned = pinned[pinned < len(asked.allowed)]  # the shelf may have grown meanwhile
        pinned = pinned[asked.allowed[pinned]]
    not_these = rules.named_rows(asked.engine, asked.rules.exclude_items)
    more = np.setdiff1d(pinned, np.concatenate([drawn.rows, not_these])).astype(np.int32)
    return Drawn(np.concatenate([drawn.rows, more]), np.concatenate([drawn.scores, np.zeros(len(more), np.float32)]))


def learned(engine: Engine, rows: Rows) -> Rows:
    """Return the rows that the bundle has learned."""
    return rows[rows < len(engine.recommender.items)]


def tell(lines: Sequence[Line], told: Predictions, places: NDArray[np.integer], minor: int,
         tasks: Sequence[str] = ()) -> None:  # fmt: skip
    """Put the predictions of the pairs `places[lines]` into lines of an answer; what was not learned stays null."""
    columns = {"p_click": told.p_click, "p_cart": told.p_cart, "p_purchase": told.p_purchase,
               "value": told.value / minor, **{f"p_{task}": told.given_click(task) for task in tasks}}  # fmt: skip
    for name, column in columns.items():
        for line, value in zip(lines, np.round(column[places], DIGITS).tolist(), strict=True):
            if isfinite(value):
                setattr(line, name, value)
