"""Placements: the lists of one page, drawn one after the other from one scoring, no item (or variant of it) twice.

Where `[[serve.policies]]` names an agent for a placement, the agent fills the list from the placement's own best.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Final

import numpy as np

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.pipeline.live import profile, rules
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.bodies import ListRequest, PageList, Placement, RecommendedItem, RecommendRequest
from paretail.pipeline.live.policies import Policies
from paretail.pipeline.live.rules import Scores
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.reasons import did

#: Items count as new for so long; where none is, so many of the newest do.
NEW_DAYS: Final = 30
NEWEST: Final = 200
#: A user's own categories: the strongest.
OWN_CATEGORIES: Final = 3
#: Items that go with another one that are looked at.
MOST_RELATED: Final = 30
#: How items may go with it, the stronger first.
RELATIONS: Final = ("also-bought", "similar")


@dataclass(eq=False)
class Page:
    """A page in the making: `scores` of the items that the model knows, the rows taken so far, and the agent that
    filled the list in the making."""

    asked: Asked
    scores: Scores
    now_ms: int
    degraded: list[str]
    policies: Policies
    taken: Rows = field(default_factory=lambda: np.empty(0, np.int32))
    filled: str | None = None

    def draw(self, request: ListRequest) -> PageList:
        """Return the next list; its items, and the variants of each, are taken from then on."""
        self.filled = None
        title, lines, rows = PLACEMENTS[request.placement](self, request)
        taken = rows
        if not self.asked.rules.variants and len(rows):
            parents = self.asked.engine.shelf.parents
            taken = np.flatnonzero(np.isin(parents, parents[rows])).astype(np.int32)
        self.taken = np.concatenate([self.taken, taken])
        return PageList(request.placement, title, lines, self.filled)

    def listed(self, scores: Scores, request: ListRequest, source: str) -> tuple[list[RecommendedItem], Rows]:
        """Draw the list of a request from `scores`, which are spoiled; an agent of the placement chooses among more."""
        who = self.asked.rules
        alone = RecommendRequest(
            user_id=who.user_id, session_id=who.session_id, placement=request.placement, k=request.k
        )
        k = request.k if self.policies.of(alone) is None else max(request.k, CANDIDATES)
        rows, values = rules.draw(self.asked.engine, scores, self.asked.drawing(k, request.filter, self.taken))
        filled = self.policies.filled(self.asked, rows, alone, self.degraded)
        if filled is not None:
            self.filled = filled.policy
            return filled.lines(self.asked), filled.rows
        rows, values = rows[: request.k], values[: request.k]
        return self.asked.lines(rows, values, source), rows

    def only(self, rows: Rows) -> Scores:
        """Return the scores of `rows` alone: the model's, and for those that it does not know the least of them."""
        scores = np.full(len(self.asked.engine.shelf), -np.inf, np.float32)
        known = rows[rows < len(self.scores)]
        scores[rows] = np.float32(self.scores.min(initial=0))
        scores[known] = self.scores[known]
        return scores


Made = tuple[str, list[RecommendedItem], Rows]


def for_you(page: Page, request: ListRequest) -> Made:
    """What the model would show."""
    asked = page.asked
    model = str(asked.engine.recommender.manifest.facts["model"])
    lines, rows = page.listed(page.scores.copy(), request, model if asked.is_known else "popular")
    if asked.rules.explain:
        asked.explain(lines, rows, page.degraded)
    return ("For you" if asked.is_known else "Popular"), lines, rows


def because_you_bought(page: Page, request: ListRequest) -> Made:
    """What goes with the item that the user turned to last under the target kind, where anything does."""
    asked, recommender = page.asked, page.asked.engine.recommender
    target = recommender.history.kinds.index(recommender.target)
    had = asked.past.item_idx[asked.past.kind == target]
    for cause, relation in product(dict.fromkeys(had[::-1].tolist()), RELATIONS):
        found = recommender.associations.top(np.array([cause], np.int32), relation, MOST_RELATED)
        scores = np.full(len(page.scores), -np.inf, np.float32)
        scores[found["other_idx"].to_numpy()] = found["score"].to_numpy()
        lines, rows = page.listed(scores, request, "associations")
        if lines:
            name = recommender.names[cause]
            _tell(asked, lines, f'goes with "{name}"', str(recommender.items.ids[cause]))
            return f"Because you {did(recommender.target, name)}", lines, rows
    return "Because you bought", [], np.empty(0, np.int32)


def trending(page: Page, request: ListRequest) -> Made:
    """What many people want of late."""
    lines, rows = page.listed(page.asked.engine.trends.scores(len(page.asked.engine.shelf)), request, "trending")
    _tell(page.asked, lines, "among what people turn to most of late")
    return "Trending now", lines, rows


def new(page: Page, request: ListRequest) -> Made:
    """What has been sold for NEW_DAYS at most, what suits the user first."""
    created = page.asked.engine.shelf.created_ts_ms
    fresh = np.flatnonzero((created > page.now_ms - NEW_DAYS * DAY_MS) & (created <= page.now_ms))
    if not len(fresh):
        fresh = np.argsort(-created, kind="stable")[:NEWEST]
        fresh = fresh[created[fresh] > 0]
    lines, rows = page.listed(page.only(fresh.astype(np.int32)), request, "new")
    if page.asked.rules.explain:
        for line, row in zip(lines, rows.tolist(), strict=True):
            line.reason = f"new since {datetime.fromtimestamp(int(created[row]) / 1000, UTC):%d %B %Y}"
    return "New", lines, rows


def your_categories(page: Page, request: ListRequest) -> Made:
    """What the model would show of the categories that the user turns to most."""
    engine = page.asked.engine
    interests = profile.categories(engine, page.asked.past)[:OWN_CATEGORIES]
    names = [interest.name for interest in interests]
    codes = [engine.shelf.category_words.code(name) for name in names]
    rows = np.flatnonzero(np.isin(engine.shelf.category_codes, codes).any(axis=1)).astype(np.int32)
    lines, rows = page.listed(page.only(rows), request, "your-categories")
    _tell(page.asked, lines, f"from {_listed(names)}, which you turn to most")
    return f"From {_listed(names)}" if names else "From your categories", lines, rows


#: How each placement makes its list.
PLACEMENTS: Final[dict[Placement, Callable[[Page, ListRequest], Made]]] = {
    "for-you": for_you,
    "because-you-bought": because_you_bought,
    "trending": trending,
    "new": new,
    "your-categories": your_categories,
}


def _tell(asked: Asked, lines: list[RecommendedItem], reason: str, because: str | None = None) -> None:
    if asked.rules.explain:
        for line in lines:
            line.reason, line.because = reason, because


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def named_apart(lists: Sequence[PageList]) -> list[tuple[str, list[RecommendedItem]]]:
    """Return the lists by placement; a second one of a placement is `NAME 2`, so that each is kept."""
    seen: Counter[str] = Counter()
    named = []
    for made in lists:
        seen[made.placement] += 1
        number = seen[made.placement]
        named.append((made.placement if number == 1 else f"{made.placement} {number}", made.items))
    return named
