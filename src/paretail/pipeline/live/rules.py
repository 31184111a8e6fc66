"""Rules: which items a question allows, and how a list is drawn from scores under them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from paretail.core.clock import now_ms
from paretail.core.ids import Rows
from paretail.data.ages import young
from paretail.pipeline.live.bodies import Rules
from paretail.pipeline.live.engine import Engine
from paretail.retrieve.topk import top_k

R = TypeVar("R", bound=Rules)
Mask = NDArray[np.bool_]
Scores = NDArray[np.float32]
#: Candidates beyond a list's length that are looked at first, for variants and items that step back.
SPARE: Final = 32


@dataclass(frozen=True, eq=False)
class Drawing:
    """How to draw a list of `k` from scores: `allowed[rows]` (None: all), without the rows `left_out`.

    `tired` says of some rows by how many list lengths (pages of k) they step back.
    """

    k: int
    allowed: Mask | None
    left_out: Rows
    tired: Mapping[int, int]
    variants: bool
    min_relevance: float


def allowed(engine: Engine, rules: Rules, *more: str | None) -> Mask | None:
    """Return which rows of the shelf may be listed, None for all of them; raises UsageError for a filter's fault.

    FILT-04 where the age of no item is known, FILT-05 where a field is known of no label or person.
    """
    shelf, size = engine.shelf, len(engine.shelf)
    masks = [engine.listable(rules.out_of_stock)]
    masks += [engine.recommender.matching(shelf, text) for text in (rules.filter, *more) if text is not None]
    if rules.max_age_days is not None:
        masks.append(young(shelf.created_ts_ms, now_ms(), rules.max_age_days))
    if rules.include_items:
        masks.append(_at(named_rows(engine, rules.include_items), size))
    cut = [mask[:size] for mask in masks if mask is not None]  # the shelf may have grown meanwhile
    return np.logical_and.reduce(cut) if cut else None


def aged(question: R, engine: Engine, max_age_days: float | None) -> R:
    """Return the question with the service's greatest age, where it names none and any item tells its age."""
    if max_age_days is None or question.max_age_days is not None or not engine.shelf.created_ts_ms.any():
        return question
    return structs.replace(question, max_age_days=max_age_days)


def named_rows(engine: Engine, item_ids: Iterable[str]) -> Rows:
    """Return the shelf's rows of the items that it has."""
    rows = np.array([engine.shelf.row(item_id) for item_id in item_ids], np.int32)
    return rows[rows >= 0]


def draw(engine: Engine, scores: Scores, drawing: Drawing) -> tuple[Rows, Scores]:
    """Return the rows and scores of a list, best first; `scores[rows]` is spoiled."""
    size = len(scores)
    if drawing.allowed is not None:
        np.copyto(scores, -np.inf, where=~drawing.allowed[:size])
    scores[drawing.left_out[drawing.left_out < size]] = -np.inf
    room = min(size, drawing.k * (2 if drawing.tired else 1) + SPARE)
    while True:
        items, best = top_k(scores[None], room)
        rows, values = items[0][items[0] >= 0], best[0][items[0] >= 0]
        chosen, pages = _judged(engine, rows, values, drawing)
        full = len(chosen) >= drawing.k and pages[drawing.k - 1] < room // drawing.k
        if full or len(rows) < room or room == size:
            return rows[chosen][: drawing.k], values[chosen][: drawing.k]
        room = min(size, room * 4)


def _judged(engine: Engine, rows: Rows, values: Scores, drawing: Drawing) -> tuple[Rows, Rows]:
    """Return which of `rows` (best first) are listed, in their order, and the page of each: places of k items.

    A tired item is `tired` pages further back, behind those that belong there. What is not among `rows` comes on a
    page of len(rows) // k or later.
    """
    keep = np.arange(len(rows), dtype=np.int32) if drawing.variants else engine.one_of_each(rows)
    if drawing.min_relevance > 0 and len(rows):
        keep = keep[values[keep] >= np.float32(drawing.min_relevance * max(float(values[0]), 1e-30))]
    order, pages = stepping_back(rows[keep], keep, drawing.k, drawing.tired)
    return keep[order], pages


def stepping_back(rows: Rows, places: Rows, k: int, tired: Mapping[int, int]) -> tuple[Rows, Rows]:
    """Return the order of rows at `places` of a list in pages of `k` in which the tired step back, and their pages."""
    pages = places // k
    if not tired:
        return np.arange(len(rows), dtype=np.int32), pages
    steps = np.array([tired.get(row, 0) for row in rows.tolist()], np.int32)
    order = np.lexsort((places, steps, pages + steps)).astype(np.int32)
    return order, (pages + steps)[order]


def _at(rows: Rows, size: int) -> Mask:
    mask = np.zeros(size, bool)
    mask[rows[rows < size]] = True
    return mask
