"""Asked: a question against one engine, its scores, and the lists drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import structlog

from paretail.core.clock import now_ms
from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.kinds import SELF
from paretail.data.types import History
from paretail.graph.paths import Path
from paretail.graph.targets import USER
from paretail.graph.traits import About
from paretail.pipeline.live import rules
from paretail.pipeline.live.bodies import RecommendedItem, Rules, Way
from paretail.pipeline.live.engine import NO_KIND, Engine, Past
from paretail.pipeline.live.rules import Drawing, Mask, Scores
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.requests import SEGMENTS
from paretail.retrieve.base import reads_traits

#: Lists up to this length are drawn from the exact scores of so many items for each of its places, beside those of the
#: history: the 20 best of 500 users are all among the 100 nearest, and half of the shelf may be filtered out.
SHORT: Final = 50
EACH: Final = 10
#: From this share of the shelf on, a list is drawn from most items.
MOST_ITEMS: Final = 0.5
#: The source of lines that an agent chose, before the agent's name.
BY_AGENT: Final = "agent "

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Asked:
    """A question understood: all that scoring and drawing need."""

    engine: Engine
    rules: Rules
    past: Past
    about: About
    excluded: tuple[str, ...]
    mode: Mode
    allowed: Mask | None
    left_out: Rows
    tired: dict[int, int]
    shown: ShownLists

    @classmethod
    def of(cls, engine: Engine, question: Rules, shown: ShownLists, fatigue: int) -> "Asked":
        """Understand `question`; raises UsageError for what the bundle or the grammar does not know."""
        recommender = engine.recommender
        excluded = recommender.excluded_kinds(question.exclude)
        past = _past(engine, question)
        about = {} if question.user_id is None else engine.about(question.user_id)
        told = [*((event.item_id, event.quantity) for event in question.events), *((i, 1.0) for i in question.items)]
        about = {**about, **engine.products(question.user_id, told)}
        gone = _gone(engine)
        if len(gone):  # they are in no list, and in no reason of one
            past = past.where(~np.isin(past.item_idx, gone))
        leaves_out = np.array([kind in (*excluded, SELF) for kind in recommender.history.kinds] or [False])
        had = np.concatenate([past.item_idx[leaves_out[past.kind]], gone])
        seen = shown.of_session(question.session_id) if question.skip_shown and question.session_id else []
        left_out = rules.named_rows(engine, [*question.exclude_items, *seen])
        times = fatigue if question.fatigue is None else question.fatigue
        return cls(
            engine, question, past, about, excluded, recommender.mode(excluded), rules.allowed(engine, question),
            np.concatenate([had, left_out]), _tired(engine, question.user_id, shown, times), shown,
        )  # fmt: skip

    @property
    def is_known(self) -> bool:
        """Whether anything is known of whoever asks that the model reads."""
        return len(self.past.item_idx) > 0 or (bool(self.about) and reads_traits(self.engine.recommender.model))

    @property
    def is_wide(self) -> bool:
        """Whether most items may be listed, and nothing steps back."""
        return not self.tired and (self.allowed is None or bool(self.allowed.mean() >= MOST_ITEMS))

    @cached_property
    def history(self) -> History:
        """The past as a history of one user."""
        return self.engine.histories([self.past], [self.about])

    @cached_property
    def seen(self) -> Past:
        """The past and what they were shown since the bundle was trained: what a ranker reads.

        Of whoever has no id that is what their session was shown, as in the log that the next training reads.
        """
        who = self.rules.session_id if self.rules.user_id is None else self.rules.user_id
        if who is None:
            return self.past
        return self.past.then(self.engine.shown(self.shown.impressions(who, self.rules.request_id)))

    @property
    def user_idx(self) -> int:
        """The row that whoever asks has in the bundle; -1 for none, and for who was forgotten."""
        user_id = self.rules.user_id
        return -1 if user_id is None else self.engine.user_row(self.engine.users.user_of(user_id))

    @cached_property
    def segment(self) -> str:
        """The segment, of SEGMENTS, whose dials they have; raises BundleError (RANK-05) without a ranker."""
        return SEGMENTS[int(self.engine.recommender.steering.segments(self.history)[0])]

    def drawing(self, k: int, more: str | None = None, taken: Rows | None = None) -> Drawing:
        """Return how a list is drawn, under a filter of its own and without what other lists have taken."""
        allowed = self.allowed if more is None else rules.allowed(self.engine, self.rules, more)
        left_out = self.left_out if taken is None else np.concatenate([self.left_out, taken])
        return Drawing(k, allowed, left_out, self.tired, self.rules.variants, self.rules.min_relevance)

    def lines(self, rows: Rows, scores: Scores, source: str) -> list[RecommendedItem]:
        """Return the lines of a list, reasons apart."""
        ids = self.engine.shelf.ids(rows)
        return [RecommendedItem(item_id, rank, score, source)
                for rank, (item_id, score) in enumerate(zip(ids, scores.tolist(), strict=True), 1)]  # fmt: skip

    def explain(self, lines: Sequence[RecommendedItem], rows: Rows, degraded: list[str]) -> None:
        """Tell why each line, whose rows the model knows, is in the list; a failure is told in `degraded`."""
        recommender = self.engine.recommender
        try:
            reasons = recommender.explain(self.history, rows, self.rules.exclude)
            for line, reason in zip(lines, reasons, strict=True):
                line.reason = recommender.in_words(reason)
                line.because = None if reason.item_idx is None else recommender.items.name(reason.item_idx)
                line.source = _source(line.source, reason.code)
        except Exception as error:  # a list without reasons is better than none
            log.error("reasons_failed", version=self.engine.version, exc_info=error)
            degraded.append("reasons")

    def tell_why(self, lines: Sequence[RecommendedItem], rows: Rows, degraded: list[str]) -> None:
        """Tell what the question wants told of each line, whose rows the model knows: reasons, paths."""
        if self.rules.explain:
            self.explain(lines, rows, degraded)
        if self.rules.paths:
            self.tell_paths(lines, rows, degraded)

    def tell_paths(self, lines: Sequence[RecommendedItem], rows: Rows, degraded: list[str]) -> None:
        """Tell the strongest ways to each line; a failure is told in `degraded`."""
        try:
            ways = self.engine.ways.to(rows, self.history, self.user_idx)
            for line, found in zip(lines, ways, strict=True):
                line.paths = [self._way(path) for path in found]
        except Exception as error:  # a list without them is better than none
            log.error("paths_failed", version=self.engine.version, exc_info=error)
            degraded.append("paths")

    def _way(self, path: Path) -> Way:
        ways, items = self.engine.ways, self.engine.recommender.items
        item_id = items.name(path.row) if path.kind == "item" else None
        told = Way(path.kind, ways.in_words(path), path.count, path.out_of, item_id)
        if path.kind == "label":
            told.label, told.value = ways.label(path)
        return told


def scores_of(asked: Sequence[Asked], ks: Sequence[int]) -> list[Scores]:
    """Return the scores of every item that the bundle knows, for lists of `ks` items from questions to one engine.

    Questions of one mode are scored together, which changes no score. Where a list is drawn from most items, only the
    best need exact scores.
    """
    kinds = [(question.mode, question.is_wide and k <= SHORT) for question, k in zip(asked, ks, strict=True)]
    found: dict[int, Scores] = {}
    for mode, short in dict.fromkeys(kinds):
        places = [place for place, kind in enumerate(kinds) if kind == (mode, short)]
        engine, history = asked[places[0]].engine, history_of([asked[place] for place in places])
        best = EACH * np.array([ks[place] for place in places]) + np.diff(history.indptr) if short else None
        found |= dict(zip(places, engine.recommender.scores(history, mode, best), strict=True))
    return [found[place] for place in range(len(asked))]


def history_of(asked: Sequence[Asked]) -> History:
    """Return the pasts of questions to one engine as one history, a user each."""
    if len(asked) == 1:
        return asked[0].history
    return asked[0].engine.histories([one.past for one in asked], [one.about for one in asked])


def _past(engine: Engine, question: Rules) -> Past:
    """Return what is stored of the user, then what the question itself tells, in its order."""
    stored = Past.of([]) if question.user_id is None else engine.past(question.user_id)
    if engine.recommender.lists == USER or (not question.events and not question.items):
        return stored
    recommender = engine.recommender
    now, weakest = now_ms(), recommender.history.kinds.index(recommender.weakest)
    told = [
        (row, kind, now if event.ts is None else round(event.ts * 1000), event.quantity)
        for event, kind in [(event, _kind(engine, event.kind)) for event in question.events]
        for row in engine.reach.rows(event.item_id)
    ]  # fmt: skip
    told += [(row, weakest, now, 1.0) for item in question.items for row in engine.reach.rows(item)]
    past = Past.of(told)
    past = past._replace(ts_ms=engine.in_time_of_bundle(past.ts_ms))
    return stored.then(past.where(past.kind != NO_KIND))


def _source(source: str, code: str) -> str:
    """Return the source of a line that has this reason; who chose it stays."""
    return "popular" if code == "popular" and not source.startswith((BY_AGENT, "goals")) else source


def _gone(engine: Engine) -> Rows:
    """Return who must not be listed where lists hold people: those who were forgotten."""
    if engine.recommender.lists != USER:
        return np.empty(0, np.int32)
    rows = np.array([engine.recommender.items.row(user_id) for user_id in list(engine.users.forgotten)], np.int32)
    return rows[rows >= 0]


def _kind(engine: Engine, word: str | None) -> int:
    words = engine.words
    kind = engine.only_kind if word is None else words.get(word) or words.get(word.lower())
    if kind is None:
        found = "an event without kind" if word is None else f"event kind {word!r}"
        raise UsageError(Problem("SERV-04", found, f"Expected {nearest(word or '', words)}", "Name what was done"))
    return engine.kind(kind)


def _tired(engine: Engine, user_id: str | None, shown: ShownLists, times: int) -> dict[int, int]:
    """Return by how many lengths of a list each item steps back that was shown `times` or more without a click."""
    if not times or user_id is None:
        return {}
    counts = shown.counts(engine.users.user_of(user_id))
    steps = {item_id: count // times for item_id, count in counts.items() if count >= times}
    known = engine.recommender.items
    return {row: step for item_id, step in steps.items() if (row := known.row(item_id)) >= 0}
