"""LiveShop: a bundle and a store that answer together while both change; the embedded API, and what HTTP forwards to.

An event is on disk and in the user's history before `add_events` returns, so that the very next answer knows it; so
is a price, a stock change, a merge. A new bundle is picked up within half a second (`current.py`): each answer is made
by one engine from its first step to its last, and the engine that a new one replaces answers what it has begun.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Self
from uuid import uuid4

import msgspec
import numpy as np
import structlog

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.data.live import LiveUsers
from paretail.data.people import People
from paretail.data.stores.base import Store, StoredEvent
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live import bodies, feed, profile, ranked, related, rules, slates
from paretail.pipeline.live.arms import Arms, Placed
from paretail.pipeline.live.asked import Asked, scores_of
from paretail.pipeline.live.current import Current, Holds
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.placements import Page, as_question, as_shown, named_apart
from paretail.pipeline.live.policies import Policies
from paretail.pipeline.live.rivals import Rivals
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.live.sides import Sides
from paretail.pipeline.ranking import SHOWN
from paretail.pipeline.stats import stats

log = structlog.get_logger()
Answer = bodies.RecommendAnswer | ParetailError


class LiveShop:
    """See the module; safe to share by threads."""

    def __init__(
        self, bundle: Path, store: Store, config: ServeConfig, experiments: Sequence[ExperimentConfig] = ()
    ) -> None:
        self.store, self.config = store, config
        self._users = LiveUsers(store, config.users_in_memory, config.events_per_user)
        self._people = People(store, config.users_in_memory)
        self._shown = ShownLists(store, self._users)
        self._writing = Lock()  # documents and engines: one writer at a time
        self._policies = Policies(config.policies, (arm.policy for one in experiments for arm in one.arms))
        self._current = self._follow(bundle, "items")
        self._sides = Sides(config, self._follow, self._shown)
        self._rivals = Rivals()
        self._arms = Arms(experiments, config, self._shown, self._rivals, store)
        try:
            self._rivals.open(experiments, lambda arm: self._follow(arm, "items", leads=False), self._current)
            self._arms.check(self._engine)
        except ParetailError:
            self.close()
            raise

    @classmethod
    def open(cls, bundle: Path, store: Store, config: ServeConfig | None = None,
             experiments: Sequence[ExperimentConfig] = ()) -> Self:  # fmt: skip
        """Load a bundle and the live users; raises BundleError where it is damaged, PolicyError for an arm's fault."""
        return cls(bundle, store, config or ServeConfig(), experiments)

    def close(self) -> None:
        """Write what was shown and stop the threads; the store stays open."""
        for part in (self._current, self._rivals, self._policies, self._sides, self._shown):
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def version(self) -> str:
        """The version of the bundle that answers now."""
        return self._engine.version

    @property
    def _engine(self) -> Engine:
        return self._current.engine

    # Answers

    def recommend(self, question: bodies.RecommendRequest) -> bodies.RecommendAnswer:
        """Return a list; raises UsageError for what the bundle or the filter's grammar does not know."""
        answer = self.recommend_many([question])[0]
        if isinstance(answer, ParetailError):
            raise answer
        return answer

    def recommend_many(self, questions: Sequence[bodies.RecommendRequest]) -> list[Answer]:
        """Return the lists of many questions, scored together by bundle; what cannot be answered has its error."""
        engine = self._engine
        asked: dict[int, Asked] = {}
        placed: dict[int, Placed] = {}
        answers: dict[int, Answer] = {}
        for place, question in enumerate(questions):
            try:
                self._policies.check(engine, question)
                asked[place], arm = self._arms.understood(engine, question)
                settled = self._policies.settled(asked[place].engine, arm.question)
                placed[place] = arm._replace(question=settled)
            except ParetailError as error:
                answers[place] = error
        for bundle in dict.fromkeys(one.engine for one in asked.values()):
            mine = {place: one for place, one in asked.items() if one.engine is bundle}
            told = self._answered(list(mine.values()), [placed[place] for place in mine])
            answers |= dict(zip(mine, told, strict=True))
        return [answers[place] for place in range(len(questions))]

    def to_solve(self, question: bodies.RecommendRequest) -> tuple[Callable[[], None], Callable[[], None]] | None:
        """Return what solves the goals that are asked for, beside what is answered; None where that was done.

        The first is for who asks, whose answer waits for it; the second for everybody else.
        """
        if slates.is_solved(engine := self._engine, question):
            return None
        return partial(self._arms.solve, engine, question), partial(slates.solve_for_all, engine, question)

    def page(self, question: bodies.PageRequest) -> bodies.PageAnswer:
        """Return several lists without repeats; raises UsageError."""
        engine, request_id = self._engine, question.request_id or uuid4().hex
        told = [self._arms.understood(engine, as_question(question, one, request_id)) for one in question.lists]
        told = [
            (asked, one._replace(question=self._policies.settled(asked.engine, one.question))) for asked, one in told
        ]
        page = Page({}, now_ms(), [], self._policies)
        for asked in {asked.engine: asked for asked, _ in told}.values():
            (page.scored[asked.engine],), failed = self._scores([asked], [len(asked.engine.shelf)])
            page.degraded += failed
        lists = [page.draw(one, *each) for one, each in zip(question.lists, told, strict=True)]
        made = [(*each, *one) for each, one in zip(told, named_apart(lists), strict=True)]
        self._shown.add(as_shown(request_id, made))
        return bodies.PageAnswer(request_id, engine.version, lists, page.degraded)

    def categories(self, question: bodies.CategoriesRequest) -> bodies.RecommendAnswer:
        """Return categories (or brands, or what else that bundle's lists hold) for somebody; raises UsageError."""
        return self._sides.ask("labels", question)

    def friends(self, question: bodies.FriendsRequest) -> bodies.RecommendAnswer:
        """Return people whom somebody may befriend; raises UsageError."""
        return self._sides.ask("people", question)

    def trending(self, question: bodies.TrendingRequest) -> bodies.RecommendAnswer:
        """Return what many people want of late; raises UsageError for a filter's fault."""
        engine = self._engine
        asked = Asked.of(engine, self._aged(bodies.RecommendRequest(filter=question.filter)), self._shown, 0)
        burst = question.by == "burst"
        scores = engine.bursts() if burst else engine.trends.scores(len(engine.shelf))
        rows, values = rules.draw(engine, scores, asked.drawing(question.k))
        return bodies.RecommendAnswer(
            uuid4().hex, engine.version, asked.lines(rows, values, "burst" if burst else "trending")
        )

    def similar(self, question: bodies.SimilarRequest) -> bodies.SimilarAnswer:
        """Return related items; raises UsageError (SERV-03) for an item that the bundle does not know."""
        asked = self._aged(bodies.Rules(filter=question.filter, out_of_stock=question.out_of_stock))
        return related.similar(self._engine, question, asked)

    def rank(self, question: bodies.RankRequest) -> bodies.RankAnswer:
        """Return a caller's candidates, best first; raises UsageError (RANK-05) where the bundle has no ranker."""
        return ranked.rank(self._engine, question, self._shown)

    def item(self, item_id: str) -> bodies.ItemAnswer:
        """Return an item as it is now; raises UsageError (LIVE-02) for an unknown or deleted one."""
        engine = self._engine
        kept = engine.shelf.get(item_id)
        if kept is None:
            raise UsageError(feed.unknown_item(item_id))
        learned = item_id in engine.recommender.items
        return bodies.ItemAnswer(feed.item(item_id, kept, engine.minor), engine.version, learned)

    def profile(self, user_id: str) -> bodies.ProfileAnswer:
        """Return what is known of a user's interests; of somebody unknown: nothing."""
        engine = self._engine
        past = engine.past(user_id)
        history, ids = engine.recommender.history, self._users.ids_of(user_id)
        events = Counter(history.kinds[kind] for kind in past.kind.tolist())
        interests, liked = profile.categories(engine, past), profile.brands(engine, past)
        price = profile.price_level(engine, past)
        last = int(past.ts_ms.max()) if history.time == "clock" and len(past.ts_ms) else None
        return bodies.ProfileAnswer(
            ids[0], profile.in_words(events, interests, liked, price, engine.currency), dict(events), interests, liked,
            None if last is None else last / 1000,
            None if last is None else round(max(0, now_ms() - last) / DAY_MS, 3),
            price, profile.attributes_of(ids[0], engine, self.store), ids[1:],
        )  # fmt: skip

    def stats(self, since: float | None = None, until: float | None = None) -> bodies.StatsAnswer:
        """Return what followed from what was shown, by default in the last 30 days."""
        until_ms = now_ms() + 1 if until is None else round(until * 1000)
        since_ms = until_ms - 30 * DAY_MS if since is None else round(since * 1000)
        return stats(self.store, since_ms, until_ms, self.config.attribution_hours, self._engine.currency)

    # What the shop tells

    def add_events(self, rows: Sequence[bodies.NewEvent | Problem]) -> bodies.BatchAnswer:
        """Keep events, each judged for itself; those accepted are on disk and in the very next answer."""
        engine, now = self._engine, now_ms()
        judged = [
            row
            if isinstance(row, Problem)
            else feed.stored_event(row, engine.words, engine.only_kind, engine.minor, now)
            for row in rows
        ]
        events = [event for event in judged if isinstance(event, StoredEvent)]
        is_new = self.store.append(events)
        new = [event for event, is_new_one in zip(events, is_new, strict=True) if is_new_one]
        self._users.add(new)
        self._shown.told(event for event in new if event.kind == SHOWN)
        self._count(engine, new)
        told = iter(is_new)
        outcome = [event if isinstance(event, Problem) else next(told) for event in judged]
        ids = [event.event_id if isinstance(event, StoredEvent) else feed.id_of(row)
               for event, row in zip(judged, rows, strict=True)]  # fmt: skip
        return feed.answer(uuid4().hex, ids, outcome)

    def put_items(self, rows: Sequence[bodies.Item | Problem]) -> bodies.BatchAnswer:
        """Set items, whole; one that was never seen is sold from now on unless it tells since when."""

        def dated(row: bodies.Item) -> bodies.Item:
            known = row.created is not None or self._engine.shelf.row(row.item_id) >= 0
            return row if known else msgspec.structs.replace(row, created=now_ms() / 1000)

        return self._set_items(rows, dated)

    def change_items(self, rows: Sequence[bodies.ItemChange | Problem]) -> bodies.BatchAnswer:
        """Change what is told of items; an unknown one is rejected (LIVE-02)."""
        staged: dict[str, bodies.Item] = {}

        def change(row: bodies.ItemChange) -> bodies.Item | Problem:
            engine = self._engine
            kept = engine.shelf.get(row.item_id)
            old = staged.get(row.item_id) or (kept and feed.item(row.item_id, kept, engine.minor))
            if not old:
                return feed.unknown_item(row.item_id)
            new = feed.changed(old, row)
            if not engine.shelf.refused([(row.item_id, feed.document(new, engine.minor))]):
                staged[row.item_id] = new
            return new

        return self._set_items(rows, change)

    def delete_items(self, item_ids: Sequence[str]) -> bodies.BatchAnswer:
        """Take items out of every list, until they are set again."""
        with self._writing:
            self.store.put("items", dict.fromkeys(item_ids))
            for item_id in item_ids:
                self._engine.shelf.delete(item_id)
            self._rivals.put([(item_id, None) for item_id in item_ids])
        return feed.answer(uuid4().hex, item_ids, [True] * len(item_ids))

    def put_users(self, rows: Sequence[bodies.User | Problem]) -> bodies.BatchAnswer:
        """Set what is known of users, whole."""
        return self._set_users(rows, lambda row, old: row.attributes)

    def change_users(self, rows: Sequence[bodies.User | Problem]) -> bodies.BatchAnswer:
        """Change users attribute by attribute; an unknown one is set."""
        return self._set_users(rows, lambda row, old: old | row.attributes)

    def forget_users(self, user_ids: Sequence[str]) -> bodies.BatchAnswer:
        """Erase users and the visitors who are them; what the bundle has of them is not used any more."""
        everyone = [one for user_id in user_ids for one in (user_id, *self._users.ids_of(user_id))]
        moment = now_ms()
        with self._writing:
            self._shown.forget(everyone)
            self.store.forget(everyone, moment)
            self._users.forget(everyone, moment)
            self._people.changed(everyone)
            for engine in (self._engine, *self._rivals.engines):
                engine.requests.forget(everyone)
        return feed.answer(uuid4().hex, user_ids, [True] * len(user_ids))

    def merge(self, user_id: str, question: bodies.MergeRequest) -> bodies.MergeAnswer:
        """Say that a visitor is a user; told twice it changes nothing. Raises UsageError for a circle."""
        visitor_id = question.visitor_id
        with self._writing:
            known = self._users.user_of(visitor_id)
            if known == visitor_id:
                self._shown.flush()  # their arm goes with them
                self.store.merge(visitor_id, user_id)
                self._users.merge(visitor_id, user_id)
            elif known != self._users.user_of(user_id):
                found, expected = f"visitor {visitor_id!r} is user {known!r} already", "A visitor who is nobody else"
                raise UsageError(
                    Problem("LIVE-03", found, expected, "Give each visit of another user its own visitor_id")
                )
        user_id = self._users.user_of(user_id)
        return bodies.MergeAnswer(uuid4().hex, user_id, visitor_id, len(self._users.of(user_id)))

    # How it is

    def gauges(self) -> dict[str, float]:
        """Return numbers to watch."""
        return {
            "users_in_memory": float(len(self._users)),
            "shown_waiting": float(self._shown.waiting),
            "bundle_age_seconds": (now_ms() - self._engine.recommender.manifest.created_ms) / 1000,
            "problems": float(len(self.problems())),
            **self._current.refits.gauges(),
            **self._policies.gauges(),
            **{f"store_{name}": float(count) for name, count in self.store.counts().items()},
        }

    def problems(self) -> list[str]:
        """Return what is not as it should be, while answers go on."""
        told = (self._current.refused, *self._rivals.problems(), *self._sides.problems(), self._shown.fault)
        return [problem for problem in told if problem] + self._policies.problems(self._engine)

    # Below

    def _follow(self, bundle: Path, holds: Holds, leads: bool = True) -> Current:
        warm = self._policies.warm if holds == "items" else lambda _: None
        return Current(bundle, self.store, self._users, self._people, self._shown, self._writing, holds, leads, warm)

    def _aged(self, question: rules.R) -> rules.R:
        return rules.aged(question, self._engine, self.config.max_age_days)

    def _scores(self, asked: Sequence[Asked], ks: Sequence[int]) -> tuple[list[rules.Scores], list[str]]:
        """Return each question's scores for a list of its length, by trends where the model fails."""
        try:
            return scores_of(asked, ks), []
        except Exception as error:  # an answer without the model is better than none
            engine = asked[0].engine
            log.error("model_failed", version=engine.version, exc_info=error)
            floor = np.maximum(engine.trends.scores(engine.shelf.learned), 0)
            return [floor.copy() for _ in asked], ["model"]

    def _answered(self, asked: Sequence[Asked], placed: Sequence[Placed]) -> list[bodies.RecommendAnswer]:
        them = [self._policies.drawing(one.question) for one in placed]
        deep = [ranked.drawn(one.engine, question) for one, question in zip(asked, them, strict=True)]
        scores, degraded = self._scores(asked, deep)
        return [self._listed(one, drawn, place, [*degraded, *place.degraded])
                for one, drawn, place in zip(asked, ranked.draw(asked, scores, them), placed, strict=True)]  # fmt: skip

    def _listed(self, asked: Asked, drawn: ranked.Drawn, placed: Placed,
                degraded: list[str]) -> bodies.RecommendAnswer:  # fmt: skip
        engine, request_id = asked.engine, placed.question.request_id or uuid4().hex
        question = msgspec.structs.replace(placed.question, request_id=request_id)
        filled = self._policies.filled(asked, drawn.rows, question, degraded)
        by_agent = None if filled is None else (filled.rows, filled.lines(asked), None)
        rows, lines, goals = by_agent or slates.listed(asked, drawn, question, degraded)
        asked.tell_why(lines, rows, degraded)
        self._shown.add(as_shown(request_id, [(asked, placed, question.placement, lines)]))
        return bodies.RecommendAnswer(
            request_id, engine.version, lines, degraded, goals, placed.experiment, placed.arm,
            None if filled is None else filled.policy,
        )  # fmt: skip

    def _count(self, engine: Engine, events: Sequence[StoredEvent]) -> None:
        wishes = [event for event in events if event.kind != SHOWN]
        for one in (engine, *self._rivals.engines):
            one.count(wishes)
        self._policies.followed((event.request_id, event.item_id) for event in wishes)
        self._shown.followed((self._users.user_of(event.user_id), event.item_id) for event in wishes)

    def _set_items(self, rows: Sequence[Any], as_item: Callable[[Any], bodies.Item | Problem]) -> bodies.BatchAnswer:
        with self._writing:
            shelf, minor = self._engine.shelf, self._engine.minor
            items = [row if isinstance(row, Problem) else as_item(row) for row in rows]
            told = [(item.item_id, feed.document(item, minor)) for item in items if not isinstance(item, Problem)]
            refused = shelf.refused(told)
            verdicts = iter(refused[place][0] if place in refused else True for place in range(len(told)))
            outcome = [item if isinstance(item, Problem) else next(verdicts) for item in items]
            kept = [document for place, document in enumerate(told) if place not in refused]
            self.store.put("items", {item_id: msgspec.json.encode(document) for item_id, document in kept})
            for item_id, document in kept:
                shelf.put(item_id, document)
            self._rivals.put(kept)
        return feed.answer(uuid4().hex, [feed.id_of(row) for row in rows], outcome)

    def _set_users(
        self,
        rows: Sequence[bodies.User | Problem],
        attributes: Callable[[bodies.User, dict[str, Any]], dict[str, Any]],
    ) -> bodies.BatchAnswer:
        engine = self._engine
        with self._writing:
            documents: dict[str, dict[str, Any]] = {}
            for row in rows:
                if not isinstance(row, Problem):
                    old = documents.get(row.user_id)
                    old = profile.attributes_of(row.user_id, engine, self.store) if old is None else old
                    documents[row.user_id] = attributes(row, old)
            self.store.put("users", {user_id: msgspec.json.encode({"user_id": user_id, "attributes": told})
                                     for user_id, told in documents.items()})  # fmt: skip
            self._people.changed(documents)
        outcome = [row if isinstance(row, Problem) else True for row in rows]
        return feed.answer(uuid4().hex, [feed.id_of(row) for row in rows], outcome)
