"""Placements: the lists of one page, drawn one after the other from one scoring, no item (or variant of it) twice.

A list has what `/v1/recommend` has under its placement: an agent (`[[serve.policies]]`), the goals of `[serve]`, the
arm of an experiment. Each chooses among what the placement holds, its best CANDIDATES (goals and orders: of what is
trending MOST_TRENDING, so that it is still that). What the ranker has not learned comes last. An arm's bundle may
differ from list to list: what earlier lists took is known by its id.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Final

import numpy as np
from msgspec.structs import replace

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.ids import Rows
from paretail.data.stores.base import Shown
from paretail.pipeline.live import profile, ranked, rules, slates
from paretail.pipeline.live.arms import Placed
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.bodies import (
    GoalsAnswer,
    ListRequest,
    PageList,
    PageRequest,
    Placement,
    RecommendedItem,
    RecommendRequest,
    Rules,
)
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.policies import Policies, policy_of
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
#: Of what is trending goals and orders choose among so many.
MOST_TRENDING: Final = 50
#: How items may go with it, the stronger first.
RELATIONS: Final = ("also-bought", "similar")


@dataclass(eq=False)
class Page:
    """A page in the making: each engine's scores of the items that its model knows, the items taken so far, and the
    list in the making: who asks, as which arm, the agent that filled it, its forecast."""

    scored: dict[Engine, Scores]
    now_ms: int
    degraded: list[str]
    policies: Policies
    taken: list[str] = field(default_factory=list)
    asked: Asked = field(init=False)
    placed: Placed = field(init=False)
    filled: str | None = None
    goals: GoalsAnswer | None = None

    @property
    def scores(self) -> Scores:
        """The scores of the list in the making."""
        return self.scored[self.asked.engine]

    def draw(self, request: ListRequest, asked: Asked, placed: Placed) -> PageList:
        """Return the next list; its items, and the variants of each, are taken from then on."""
        self.asked, self.placed, self.filled, self.goals = asked, placed, None, None
        self._note(placed.degraded)
        title, lines, rows = PLACEMENTS[request.placement](self, request)
        if asked.rules.paths:
            asked.tell_paths(lines, rows, self.degraded)
        self.taken += [line.item_id for line in lines]
        version = None if placed.bundle is None else asked.engine.version
        told = self.filled, self.goals, placed.experiment, placed.arm, version
        return PageList(request.placement, title, lines, *told)

    def listed(self, scores: Scores, request: ListRequest, source: str) -> tuple[list[RecommendedItem], Rows]:
        """Draw the list of a request from `scores`, which are spoiled; who composes or fills it chooses among more."""
        if self.placed.question.order == "auto" and request.placement != "for-you":  # of the model's lists alone
            self.placed = self.placed._replace(question=replace(self.placed.question, order="model"))
        question, asked = self.placed.question, self.asked
        k = max(request.k, self._among(question))
        drawing = ranked.untired(asked.drawing(k, request.filter, self._taken()), question)
        rows, values = rules.draw(asked.engine, scores, drawing)
        filled = self.policies.filled(asked, rows, question, self.degraded)
        if filled is not None:
            self.filled = filled.policy
            return filled.lines(asked), filled.rows
        if ranked.needs_ranker(question) and len(ranked.learned(asked.engine, rows)):
            composed = self._composed(ranked.Drawn(rows, values), request, source)
            if composed is not None:
                return composed
        if ranked.is_ordered(question):
            order = ranked.stepped_back(asked, rows, request.k)
            rows, values = rows[order], values[order]
        rows, values = rows[: request.k], values[: request.k]
        return asked.lines(rows, values, source), rows

    def only(self, rows: Rows) -> Scores:
        """Return the scores of `rows` alone: the model's, and for those that it does not know the least of them."""
        scores = np.full(len(self.asked.engine.shelf), -np.inf, np.float32)
        known = rows[rows < len(self.scores)]
        scores[rows] = np.float32(self.scores.min(initial=0))
        scores[known] = self.scores[known]
        return scores

    def _among(self, question: RecommendRequest) -> int:
        """Return how many of a placement's best are looked at, where something else than their order decides."""
        if question.order == "auto":
            return ranked.drawn(self.asked.engine, question)
        if ranked.needs_ranker(question):
            return MOST_TRENDING if question.placement == "trending" else CANDIDATES
        return 0 if self.policies.of(self.asked.engine, question) is None else CANDIDATES

    def _composed(
        self, drawn: ranked.Drawn, request: ListRequest, source: str
    ) -> tuple[list[RecommendedItem], Rows] | None:
        """Return the list in the order, or as the slate, that the question asks for; None where that fails."""
        question, asked, failed = self.placed.question, self.asked, list[str]()
        usual = request.placement == "for-you" and request.filter is None
        (told,) = ranked.told([asked], [drawn], [question])
        rows, lines, self.goals = slates.listed(asked, told, question, failed, usual)
        self._note(failed)
        if "ranker" in failed or "goals" in failed:
            return None
        strange = drawn.rows[drawn.rows >= len(asked.engine.recommender.items)]
        rest = strange[~np.isin(strange, rows)][: request.k - len(rows)]
        more = asked.lines(rest, np.zeros(len(rest), np.float32), source)
        for rank, line in enumerate(more, len(lines) + 1):
            line.rank = rank
        return [*lines, *more], np.concatenate([rows, rest])

    def _taken(self) -> Rows:
        rows = rules.named_rows(self.asked.engine, self.taken)
        if self.asked.rules.variants or not len(rows):
            return rows
        parents = self.asked.engine.shelf.parents
        return np.flatnonzero(np.isin(parents, parents[rows])).astype(np.int32)

    def _note(self, failed: Sequence[str]) -> None:
        self.degraded += [part for part in failed if part not in self.degraded]


def as_question(page: PageRequest, request: ListRequest, request_id: str) -> RecommendRequest:
    """Return a list of a page as a question of its own; its own filter apart."""
    told = {name: getattr(page, name) for name in Rules.__struct_fields__} | {"request_id": request_id}
    return RecommendRequest(**told, placement=request.placement, k=request.k)


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


def as_shown(request_id: str, lists: Sequence[tuple[Asked, Placed, str, list[RecommendedItem]]]) -> list[Shown]:
    """Return lists as they are kept: whose, under which placement, with the arm that made them; not the empty ones."""
    found = []
    for asked, placed, placement, lines in lists:
        who, users = asked.rules, asked.engine.users
        user_id = None if who.user_id is None else users.user_of(who.user_id)
        drawn_by = None if placed.drawn_by == user_id else placed.drawn_by
        about = request_id, now_ms(), user_id, who.session_id, placement, asked.engine.version
        if lines:
            found.append(Shown(*about, *policy_of(lines), placed.experiment, placed.arm, drawn_by))
    return found
