"""From a decoded request to an answer: the history asked about, the list, its reasons."""

import polars as pl

from paretail.core.clock import now_ms
from paretail.core.errors import Problem, UsageError, nearest
from paretail.data.types import Events, History
from paretail.pipeline.live.bodies import (
    RecommendAnswer,
    RecommendedItem,
    RecommendRequest,
    SimilarAnswer,
    SimilarItem,
    SimilarRequest,
)
from paretail.pipeline.recommend import joined
from paretail.pipeline.recommender import Recommender


def recommend(recommender: Recommender, question: RecommendRequest, request_id: str) -> RecommendAnswer:
    """Answer `POST /v1/recommend`; an unknown user without events gets the list for somebody unknown."""
    history = _history(recommender, question)
    lists = recommender.recommend(history, question.k, question.exclude)
    rows = lists.item_idx[0][lists.item_idx[0] >= 0]
    reasons = recommender.explain(history, rows, question.exclude) if question.explain else []
    answer = [
        RecommendedItem(item_id, rank, float(score))
        for rank, (item_id, score) in enumerate(zip(recommender.items.names(rows), lists.scores[0], strict=False), 1)
    ]
    for item, reason in zip(answer, reasons, strict=False):
        item.source, item.reason = str(reason.code), recommender.in_words(reason)
    return RecommendAnswer(request_id, recommender.version, answer)


def similar(recommender: Recommender, question: SimilarRequest, request_id: str) -> SimilarAnswer:
    """Answer `POST /v1/similar`; raises UsageError (SERV-03) for an item that the bundle does not know."""
    unknown = [item for item in question.items if item not in recommender.items]
    if unknown:
        found = f"{len(unknown)} of {len(question.items)} items are unknown (first: {unknown[0]!r})"
        raise UsageError(Problem("SERV-03", found, "Items of the catalogue or of training events", "Correct the ids"))
    table = recommender.similar(pl.Series(list(dict.fromkeys(question.items))), question.relation, question.k)
    return SimilarAnswer(request_id, recommender.version, [SimilarItem(**row) for row in table.iter_rows(named=True)])


def _history(recommender: Recommender, question: RecommendRequest) -> History:
    nobody = "" if question.user_id is None else question.user_id
    who = pl.Series("user_id", [nobody])
    stored = recommender.history_of(who)
    told = _told(recommender, question, nobody)
    return joined(stored, recommender.history_from(told, who)) if told.frame.height else stored


def _told(recommender: Recommender, question: RecommendRequest, user_id: str) -> Events:
    """Return the events that the request itself tells, in its order; items of a session count as views."""
    now = now_ms()
    rows = [
        (
            event.item_id,
            _kind(event.kind, recommender),
            now if event.ts is None else round(event.ts * 1000),
            event.quantity,
        )
        for event in question.events
    ]
    rows += [(item, recommender.weakest, now, 1.0) for item in question.items]
    frame = pl.DataFrame(rows, {"item_id": pl.String, "kind": pl.String, "ts_ms": pl.Int64, "quantity": pl.Float64},
                         orient="row")  # fmt: skip
    return Events(frame.with_columns(user_id=pl.lit(user_id)), recommender.history.time)


def _kind(word: str | None, recommender: Recommender) -> str:
    words = recommender.words
    if word is None and len(recommender.history.kinds) == 1:
        return recommender.history.kinds[0]
    if word is None or word not in words:
        found = "an event without kind" if word is None else f"event kind {word!r}"
        raise UsageError(Problem("SERV-04", found, f"Expected {nearest(word or '', words)}", "Name what was done"))
    return words[word]
