"""Items that go with other items, as they may be shown now."""

from typing import Final
from uuid import uuid4

import polars as pl

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.live import bodies, rules
from paretail.pipeline.live.engine import Engine

#: Related items of each that rules choose from.
MOST: Final = 30


def similar(engine: Engine, question: bodies.SimilarRequest, asked: bodies.Rules) -> bodies.SimilarAnswer:
    """Return related items that the rules allow; raises UsageError (SERV-03) for an item that is not known."""
    recommender, wanted = engine.recommender, list(dict.fromkeys(question.items))
    unknown = [item for item in wanted if item not in recommender.items]
    if unknown:
        found = f"{len(unknown)} of {len(wanted)} items are unknown (first: {unknown[0]!r})"
        raise UsageError(Problem("SERV-03", found, "Items of the catalogue or of training events", "Correct the ids"))
    table = recommender.similar(pl.Series(wanted), question.relation, MOST)
    allowed = rules.allowed(engine, asked)
    if allowed is not None and table.height:
        table = table.filter(pl.Series(allowed[recommender.items.rows(table["similar_item_id"])]))
    table = table.with_columns(rank=pl.int_range(1, pl.len() + 1).over("item_id")).filter(pl.col("rank") <= question.k)
    items = [bodies.SimilarItem(**row) for row in table.iter_rows(named=True)]
    return bodies.SimilarAnswer(uuid4().hex, engine.version, items)
