"""Ranked: lists and a caller's own candidates in the order of what the ranker expects of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, TypeVar
from uuid import uuid4

import msgspec
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
from paretail.pipeline.ranking import (
    CANDIDATES,
    GROUP,
    TRAIN_ONE,
    Order,
    comes_out_at,
    expecting,
    order_of,
    reach,
    worth,
)
from paretail.rank.boosted.ranker import BoostedRanker

Line = TypeVar("Line", bodies.RankedItem, bodies.RecommendedItem)
Places = NDArray[np.float64]
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
    places: Places | None = None  # of the rows that are learned, in the order that training measured


def draw(asked: Sequence[Asked], scores: Sequence[rules.Scores],
         questions: Sequence[bodies.RecommendRequest]) -> list[Drawn]:  # fmt: skip
    """Draw the lists of questions to one engine; the pairs of those that want another order are predicted together."""
    drawings = [untired(one.drawing(drawn(one.engine, question)), question)
                for one, question in zip(asked, questions, strict=True)]  # fmt: skip
    lists = [_with_pins(one, Drawn(*rules.draw(one.engine, row, drawing)), question)
             for one, row, drawing, question in zip(asked, scores, drawings, questions, strict=True)]  # fmt: skip
    return told(asked, lists, questions)


def untired(drawing: rules.Drawing, question: bodies.RecommendRequest) -> rules.Drawing:
    """Return how candidates are drawn: where another order than the retriever's is asked for, items tire in that."""
    return replace(drawing, tired={}) if is_ordered(question) else drawing


def stepped_back(asked: Asked, rows: Rows, k: int) -> Rows:
    """Return the order of rows, best first, in which what is tired steps back by lists of `k`."""
    return rules.stepping_back(rows, np.arange(len(rows), dtype=np.int32), k, asked.tired)[0]


def told(asked: Sequence[Asked], lists: Sequence[Drawn], questions: Sequence[bodies.RecommendRequest]) -> list[Drawn]:
    """Return lists with what the ranker tells of those whose questions want it; nothing where it fails.

    Questions in lists of one mode are asked together, those for the measured order apart.
    """
    lists = list(lists)
    kinds = [(question.order == "auto", one.mode) for one, question in zip(asked, questions, strict=True)]
    wanting = [place for place, question in enumerate(questions) if needs_ranker(question)]
    for kind in dict.fromkeys(kinds[place] for place in wanting):
        places = [place for place in wanting if kinds[place] == kind]
        them = [asked[place] for place in places]
        try:
            pairs = [learned(one.engine, lists[place].rows) for one, place in zip(them, places, strict=True)]
            found: Sequence[Places | Predictions] = placed(them, pairs) if kind[0] else predicted(them, pairs)
        except Exception as error:  # the retriever's order is better than none
            log.error("ranker_failed", version=asked[0].engine.version, exc_info=error)
            continue
        for place, each in zip(places, found, strict=True):
            one = lists[place]
            lists[place] = replace(one, places=each) if isinstance(each, np.ndarray) else replace(one, told=each)
    return lists


def listed(asked: Asked, drawn: Drawn, question: bodies.RecommendRequest,
           degraded: list[str]) -> tuple[Rows, list[bodies.RecommendedItem]]:  # fmt: skip
    """Return the rows and lines of a list, in the order asked for; a failure of the ranker is told in `degraded`."""
    if is_ordered(question):
        if question.order == "auto" and drawn.places is not None:
            return _best(asked, drawn.rows, drawn.places, question.k)[:2]
        by = expecting(question.order)
        if drawn.told is not None and by is not None:
            if comes_out_at(asked.engine.recommender.manifest.facts, by) != by:
                degraded.append("order")
            rows, found = lines(asked, drawn.rows, drawn.told, question.k, by)
            try:
                if question.explain:
                    explain(asked, found, rows)
            except Exception as error:  # a list without explanations is better than none
                log.error("explanations_failed", version=asked.engine.version, exc_info=error)
                degraded.append("why")
            return rows, found
        degraded.append("ranker")
        order = stepped_back(asked, drawn.rows, question.k)
        drawn = Drawn(drawn.rows[order], drawn.scores[order])
    return plain(asked, drawn, question.k, degraded)


def plain(asked: Asked, drawn: Drawn, k: int, degraded: list[str]) -> tuple[Rows, list[bodies.RecommendedItem]]:
    """Return the rows and lines of a list as the retriever orders it."""
    model = str(asked.engine.recommender.manifest.facts["model"])
    source = model if asked.is_known and "model" not in degraded else "popular"
    return drawn.rows[:k], asked.lines(drawn.rows[:k], drawn.scores[:k], source)


def lines(asked: Asked, rows: Rows, told: Predictions, k: int,
          by: Order) -> tuple[Rows, list[bodies.RecommendedItem]]:  # fmt: skip
    """Return the best `k` of candidates for whoever asks, with their predictions: `told` of those that are learned."""
    chosen, found, of_told = _best(asked, rows, worth(told, by), k)
    there = np.flatnonzero(of_told >= 0)
    tell([found[at] for at in there.tolist()], told, of_told[there], asked.engine.minor)
    return chosen, found


def _best(asked: Asked, rows: Rows, values: Places,
          k: int) -> tuple[Rows, list[bodies.RecommendedItem], NDArray[np.int64]]:  # fmt: skip
    """Return rows and lines of the `k` of greatest value, and the place of each among `values`, -1 for none.

    `values` are those of the rows that are learned; the others keep their order, after all of these.
    """
    known = np.flatnonzero(rows < len(asked.engine.recommender.items))
    every, place = np.full(len(rows), -np.inf), np.full(len(rows), -1)
    every[known], place[known] = values, np.arange(len(known))
    order = np.argsort(-every, kind="stable")
    order = order[stepped_back(asked, rows[order], k)][:k]
    scores = np.where(np.isfinite(every), every, 0.0)[order].astype(np.float32)
    return rows[order], asked.lines(rows[order], scores, "ranker"), place[order]


def is_slate(question: bodies.RecommendRequest) -> bool:
    """Whether a slate is composed."""
    return question.goals is not None or question.slate is not None


def is_ordered(question: bodies.RecommendRequest) -> bool:
    """Whether a question asks for another order than the retriever's."""
    return question.order not in (None, "model")


def needs_ranker(question: bodies.RecommendRequest) -> bool:
    """Whether a question is answered by what the ranker tells."""
    return is_ordered(question) or is_slate(question)


def settled(asked: Asked, question: bodies.RecommendRequest) -> bodies.RecommendRequest:
    """Return a question for the order `auto` as one for the model's, where that is what it comes out at.

    It does where training was not sure that the ranker's is better, and for whoever has no events: nothing was learned
    about them.
    """
    if question.order != "auto":
        return question
    facts = asked.engine.recommender.manifest.facts
    if order_of(facts, asked.mode) == "measured" and len(asked.past.item_idx):
        return question
    return msgspec.structs.replace(question, order="model")


def explain(asked: Asked, lines: Sequence[Line], rows: Rows) -> None:
    """Tell in each line why its predictions are what they are; `rows` are the lines' items."""
    learned = np.flatnonzero(rows < len(asked.engine.recommender.items))
    told = asked.engine.recommender.ranker_in(asked.mode).explain(*pairs_of([asked], [rows[learned]]))
    told = asked.engine.wares.explained(told, rows[learned])
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
    told = told * asked.engine.wares.dearer(rows)[:, None]
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
        raise UsageError(Problem("RANK-05", found, "A bundle with a ranker", TRAIN_ONE))
    assert engine.recommender.ranker  # where torch is missing, that is said now


def placed(asked: Sequence[Asked], rows: Sequence[Rows]) -> list[Places]:
    """Return the places of items in the order that training measured, for each who asks; all in lists of one mode."""
    ranker = asked[0].engine.recommender.ranker_in(asked[0].mode)
    assert isinstance(ranker, BoostedRanker)  # `order_of` found its gain
    history, _, user, item, at = pairs_of(asked, rows)
    return np.split(ranker.places(history, user, item, at), np.cumsum([len(one) for one in rows])[:-1])


def predicted(asked: Sequence[Asked], rows: Sequence[Rows]) -> list[Predictions]:
    """Predict items for each who asks, right after the shop's latest event, at prices of now.

    All ask one engine, for lists of one mode.
    """
    engine = asked[0].engine
    told = engine.recommender.ranker_in(asked[0].mode).predict(*pairs_of(asked, rows))
    return engine.wares.priced(told, np.concatenate(rows)).split([len(pairs) for pairs in rows])


def pairs_of(asked: Sequence[Asked], rows: Sequence[Rows]) -> tuple[History, Rows, Rows, Rows, NDArray[np.int64]]:
    """Return what `Ranker.predict` wants to know of items for each who asks."""
    history = history_of(asked)
    if any(one.seen is not one.past for one in asked):
        history = replace(asked[0].engine.histories([one.seen for one in asked]), about=history.about)
    known = np.array([one.user_idx for one in asked], np.int32)
    moments = [max(one.engine.latest_ms, int(one.seen.ts_ms.max(initial=0))) + 1 for one in asked]
    sizes = [len(pairs) for pairs in rows]
    user, at = np.repeat(np.arange(len(asked), dtype=np.int32), sizes), np.repeat(np.array(moments, np.int64), sizes)
    return history, known, user, np.concatenate(rows), at


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
