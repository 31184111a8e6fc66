"""Policies: which of a bundle's agents fills a list, in time or not at all; greedy is what is served without one.

`[[serve.policies]]` says which policy a placement has; a question may say so itself (`policy`). An agent fills the list
from the retriever's candidates (on a page: from the placement's), knowing the visit so far: the lists that it filled
for the same session (or user) in the last 30 minutes, and what was clicked of them since. `explore` fills so many of a
hundred slots at random, and the odds of every slot are logged (`data/odds.py`). Dials of a question, or of the table,
move an agent that learned for several goals (`pipeline/agents.py`); the composed slate of the same dials is what is
served where it fails. What was clicked is known by the list's request_id, or by the user; where a question names a
session alone, by the user of that name, as exports name it. Agents answer one after the other in a
thread of their own; where one is late (`timeout_ms`), fails or is not in the bundle, the greedy list is served,
`degraded` says `policy`, and it counts.

Deviations: 1. Lists longer than the agent's slate go on from it, and the first `slots` are remembered; of shorter ones
the whole slate is. 2. A visit is remembered by this process alone: after a restart it begins anew.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from paretail.core.clock import now_ms
from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.core.ids import Rows
from paretail.data.odds import drawn
from paretail.pipeline.agents import GREEDY, ShopAgent, agent_of, goals_of, need, presets_of
from paretail.pipeline.config import PlacementConfig
from paretail.pipeline.live import bodies, ranked, slates
from paretail.pipeline.live.asked import BY_AGENT, Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.sessions import GAP_MS
from paretail.policy import PolicyError
from paretail.policy.goals import Goals, parse, resolved

#: Visits that are remembered.
MOST_VISITS: Final = 5000
#: Events this much before a list still count as following from it: the shop's clock against ours.
_SKEW_MS: Final = 5000

log = structlog.get_logger()


@dataclass(eq=False)
class Visit:
    """A visit so far: what the agent remembers, the list shown last and when, and what the user was when it began."""

    sessions: Any
    user: NDArray[np.float32]
    shown_ms: int = 0
    items: list[str] = field(default_factory=list)
    request_id: str | None = None
    followed: set[str] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Filled:
    """A list as an agent filled it: rows of the shelf, and the odds of each slot."""

    policy: str
    rows: Rows
    odds: NDArray[np.float64]

    def lines(self, asked: Asked) -> list[bodies.RecommendedItem]:
        """Return the lines of the list; a slate is worth something as a whole alone."""
        scores = (1.0 / np.arange(1, len(self.rows) + 1)).astype(np.float32)
        lines = asked.lines(self.rows, scores, BY_AGENT + self.policy)
        for line, odds in zip(lines, self.odds.tolist(), strict=True):
            line.propensity = odds
        return lines


class Policies:
    """The policies of a service; safe to share by threads."""

    def __init__(self, placements: Sequence[PlacementConfig], arms: Iterable[str | None] = ()) -> None:
        """Serve the policies of placements, and of experiments' arms."""
        self._placements = {one.placement: one for one in placements}
        self._names = {*(one.policy for one in placements), *arms} - {GREEDY, None}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="paretail-policy")
        self._agents: WeakKeyDictionary[Engine, dict[str, ShopAgent | ParetailError]] = WeakKeyDictionary()
        self._visits: OrderedDict[tuple[str, ...], Visit] = OrderedDict()
        self._lists: OrderedDict[str, Visit] = OrderedDict()
        self._rng = np.random.default_rng()
        self.counts: Counter[str] = Counter()

    def warm(self, engine: Engine) -> None:
        """Load an engine's agents before it answers; lists are filled meanwhile."""
        loaded = {name: _loaded(engine, name) for name in self._names if name}
        self._worker.submit(lambda: self._agents_of(engine).update(loaded)).result()

    def close(self) -> None:
        """Stop the thread; an agent that is late is not waited for."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def of(self, engine: Engine, question: bodies.RecommendRequest) -> PlacementConfig | None:
        """Return the policy of a question, None for greedy, as of one that asks for an order or a slate.

        So is one for goals, but for those by which its agent is moved.
        """
        own = question.order is not None if question.policy is None else ranked.is_ordered(question)
        if own or question.slate is not None:
            return None
        known = self._placements.get(question.placement)
        name = question.policy or (known.policy if known else GREEDY)
        if name == GREEDY or (question.goals is not None and not _follows(engine, name, question)):
            return None
        base = known or PlacementConfig(placement=question.placement)
        share = base.explore if question.explore is None else question.explore
        return base.model_copy(update={"policy": name, "explore": share})

    def settled(self, engine: Engine, question: bodies.RecommendRequest) -> bodies.RecommendRequest:
        """Return the question with the policy that its placement has."""
        config = self.of(engine, question)
        if config is None:
            return question
        return msgspec.structs.replace(question, policy=config.policy, explore=config.explore)

    def followed(self, events: Iterable[tuple[str | None, str]]) -> None:
        """Take note of events by the request that they follow from, and their items."""
        for request_id, item_id in events:
            if request_id is not None and (visit := self._lists.get(request_id)) is not None:
                visit.followed.add(item_id)

    @staticmethod
    def drawing(question: bodies.RecommendRequest) -> bodies.RecommendRequest:
        """Return the settled question as its candidates are drawn: an agent chooses among many."""
        if question.policy in (None, GREEDY):
            return question
        return msgspec.structs.replace(question, k=max(question.k, CANDIDATES))

    def check(self, engine: Engine, question: bodies.RecommendRequest) -> None:
        """Raise ParetailError where a question itself asks for a policy that cannot be followed.

        UsageError (AGENT-14) beside a slate or an order, or (AGENT-15) goals that the agent has not; BundleError
        (AGENT-13) for an agent that is not there.
        """
        if question.policy in (None, GREEDY):
            return
        if ranked.is_ordered(question) or question.slate is not None:
            found = f"the policy {question.policy!r} beside a slate or an order"
            raise UsageError(Problem("AGENT-14", found, "Expected one of them", "Leave out one: each fills the list"))
        if isinstance(known := self._agent(engine, str(question.policy)), ParetailError):
            raise known
        known.weights(slates.asked_goals(question))

    def filled(self, asked: Asked, rows: Rows, question: bodies.RecommendRequest, degraded: list[str]) -> Filled | None:
        """Return the list that the question's policy fills from candidates `rows`, None where greedy is served."""
        config = self.of(asked.engine, question)
        if config is None or not len(rows):
            return None
        self.counts["asked"] += 1
        given_up = Event()
        try:
            waits = self._worker.submit(self._fill, asked, rows, question, config, given_up)
            return waits.result(config.timeout_ms / 1000)
        except Late:
            given_up.set()  # what is not served is not remembered either
            waits.cancel()
            why = "late"
        except Exception as error:  # the greedy list is better than none
            log.error("policy_failed", version=asked.engine.version, policy=config.policy, exc_info=error)
            why = "failed"
        self.counts[why] += 1
        log.warning("policy_fell_back", policy=config.policy, placement=question.placement, why=why)
        degraded.append("policy")
        return None

    def gauges(self) -> dict[str, float]:
        """Return how often agents were asked, were late, and failed."""
        names = {"asked": "policy_answers", "late": "policy_late", "failed": "policy_failed"}
        return {name: float(self.counts[what]) for what, name in names.items()}

    def problems(self, engine: Engine) -> list[str]:
        """Return which placements are served greedily as the bundle has not their agent."""
        told = []
        for one in self._placements.values():
            try:
                need(engine.recommender, one.policy)
            except ParetailError as error:
                told.append(f"The lists of {one.placement!r} are greedy: {error}")
        return told

    # ---- in the agents' thread

    def _fill(self, asked: Asked, rows: Rows, question: bodies.RecommendRequest, config: PlacementConfig,
              given_up: Event) -> Filled:  # fmt: skip
        known = self._agent(asked.engine, config.policy)
        if isinstance(known, ParetailError):
            raise known
        candidates = np.array([known.of_bundle[row] for row in rows.tolist() if row in known.of_bundle], np.int64)
        k = min(question.k, len(candidates))
        if not k:
            raise LookupError("the agent knows none of the candidates")
        visit = self._visit(asked, known, question)
        if (weights := known.weights(_setting(question, config))) is not None:
            known.agent.aim(weights)
            visit.sessions.aim = known.agent.aims(1, None)
        best, raw = _best(known.agent, visit, _seen(asked, known, visit), candidates, max(k, known.agent.slots))
        mine, odds = drawn(best[:k], candidates, config.explore, self._rng)
        if given_up.is_set():
            raise Late
        _remember(known.agent, visit, raw, mine, best)
        shown = known.rows[mine]
        visit.shown_ms, visit.items = now_ms(), asked.engine.shelf.ids(shown[: known.agent.slots])
        self._expect(visit, question.request_id)
        return Filled(known.name, shown.astype(np.int32), odds)

    def _visit(self, asked: Asked, known: ShopAgent, question: bodies.RecommendRequest) -> Visit:
        from paretail.policy.agents.sessions import Sessions

        who = question.session_id or question.user_id
        key = (asked.engine.version, known.name, question.placement, who or "")
        visit = self._visits.pop(key, None) if who else None
        if visit is None or now_ms() - visit.shown_ms > GAP_MS:
            rows = asked.past.item_idx
            mine = np.array([known.of_bundle[row] for row in rows.tolist() if row in known.of_bundle], np.int64)
            visit = Visit(Sessions(known.agent, 1, self._rng), known.wares.user(mine))
        if who:
            self._visits[key] = visit
            if len(self._visits) > MOST_VISITS:
                self._visits.popitem(last=False)
        return visit

    def _expect(self, visit: Visit, request_id: str | None) -> None:
        """Let what follows from a list be known to its visit."""
        self._lists.pop(visit.request_id or "", None)
        visit.request_id, visit.followed = request_id, set()
        if request_id is not None:
            self._lists[request_id] = visit
            if len(self._lists) > MOST_VISITS:
                self._lists.popitem(last=False)

    def _agent(self, engine: Engine, name: str) -> ShopAgent | ParetailError:
        agents = self._agents_of(engine)
        if name not in agents:
            agents[name] = _loaded(engine, name)
        return agents[name]

    def _agents_of(self, engine: Engine) -> dict[str, ShopAgent | ParetailError]:
        if engine not in self._agents:  # visits to engines that went go with them
            alive = {engine.version, *(one.version for one in self._agents)}
            self._visits = OrderedDict((key, visit) for key, visit in self._visits.items() if key[0] in alive)
        return self._agents.setdefault(engine, {})


def _loaded(engine: Engine, name: str) -> ShopAgent | ParetailError:
    try:
        return agent_of(engine.recommender, name)
    except ParetailError as error:
        return error


def policy_of(lines: Sequence[bodies.RecommendedItem]) -> tuple[str, list[str], list[float | None] | None]:
    """Return by which policy items were chosen, the items, and how probable each was, as `slates.policy_of` does."""
    policy, items, odds = slates.policy_of(lines)
    agents = [line.source.removeprefix(BY_AGENT) for line in lines if line.source.startswith(BY_AGENT)]
    return f"{agents[0]}/1" if agents else policy, items, odds


def _follows(engine: Engine, name: str, question: bodies.RecommendRequest) -> bool:
    """Whether a question's goals are those of an agent."""
    known = goals_of(engine.recommender, name)
    asked = slates.asked_goals(question)
    if known is None or asked is None:
        return False
    try:
        return known.takes(resolved(asked, presets_of(engine.recommender)))
    except PolicyError:
        return False


def _setting(question: bodies.RecommendRequest, config: PlacementConfig) -> Goals | None:
    """Return the dials of a question, else those of its placement."""
    asked = slates.asked_goals(question)
    return parse(config.goals) if asked is None and config.goals is not None else asked


def _seen(asked: Asked, known: ShopAgent, visit: Visit) -> dict[str, NDArray[Any]]:
    """Return what the agent observes: who it is, the list before, and what was clicked of it since."""
    slots = known.agent.slots
    slate, clicked = np.full(slots, -1, np.int64), np.zeros(slots, np.int8)
    rows = [known.of_bundle.get(asked.engine.shelf.row(item), -1) for item in visit.items]
    slate[: len(rows)] = rows
    user_id = asked.rules.user_id or asked.rules.session_id
    if visit.items:
        done = set(visit.followed)
        if user_id is not None:
            users = asked.engine.users
            events = users.of(users.user_of(user_id))
            events = events[events["ts_ms"] >= visit.shown_ms - _SKEW_MS]
            done |= {users.items.words[item] for item in events["item"].tolist()}
        clicked[: len(rows)] = [item in done for item in visit.items]
    return {"user": visit.user, "slate": slate, "clicked": clicked}


def _best(agent: Any, visit: Visit, seen: dict[str, NDArray[Any]], candidates: NDArray[np.int64], count: int) -> Any:
    """Return the agent's own best of the candidates, at most `count`, and the raw observation."""
    from paretail.policy.agents.restricted import best_of

    raw = agent.reader.raw(seen, 1)
    if visit.sessions.begun.any():
        visit.sessions.note(raw)
        visit.sessions.begun[:] = False  # noted once, whether or not this list is remembered
    return best_of(agent, visit.sessions.state(raw), candidates, min(count, len(candidates))), raw


def _remember(agent: Any, visit: Visit, raw: Any, shown: Rows, best: Rows) -> None:
    """Take down the slate: what was shown, up to the agent's slots, and beyond it what the agent would have shown."""
    rest = [row for row in best.tolist() if row not in shown.tolist()]
    rows = np.array([*shown.tolist(), *rest], np.int64)[: agent.slots]
    if len(rows) == agent.slots:
        visit.sessions.shown(raw, rows[None])
