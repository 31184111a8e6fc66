"""Arms: which experiment a question belongs to, and the question as its user's arm asks it.

The first active experiment that concerns the placement takes the question, unless the question says itself what it
wants (goals, an order, exploration, a composition) or names no user. Where neither it nor an arm says so, it has the
goals of `[serve]`, but on placements that an agent fills. The arm is that of the first list of the experiment that
they were shown, by whatever id: a visitor's arm goes with them into the user who they become, as the store tells
(`Store.entry`), on every process and after every restart. Before any list it is drawn by their own id. An arm may have
a bundle of its own (`rivals.py`); all others are served by the live one.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
import structlog

from paretail.core.errors import ParetailError
from paretail.data.stores.base import Entry, Store
from paretail.evaluate.experiments.assignment import arm_of
from paretail.pipeline.agents import need
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ArmConfig, ExperimentConfig
from paretail.pipeline.live import bodies, ranked, rules, slates
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.rivals import Rivals
from paretail.pipeline.live.shown import ShownLists
from paretail.policy.goals import TODAY, parse

log = structlog.get_logger()


class Placed(NamedTuple):
    """A question as it is answered, with the experiment and arm that it belongs to; `degraded` tells what failed.

    `drawn_by` is the id by which the arm was drawn.
    """

    question: bodies.RecommendRequest
    experiment: str | None = None
    arm: str | None = None
    degraded: tuple[str, ...] = ()
    bundle: str | None = None
    drawn_by: str | None = None


class Arms:
    """The experiments of a service; safe to share by threads."""

    def __init__(
        self, experiments: Sequence[ExperimentConfig], config: ServeConfig, shown: ShownLists, rivals: Rivals,
        store: Store,
    ) -> None:  # fmt: skip
        self._experiments = [one for one in experiments if one.active]
        self._config, self._shown, self._rivals, self._store = config, shown, rivals, store
        self._goals = None if config.goals in (None, TODAY) else _goals(config.goals)
        self._base = bodies.SlateRules() if config.goals == TODAY else None
        self._by_agents = {one.placement for one in config.policies}

    def check(self, engine: Engine) -> None:
        """Raise ParetailError where an arm asks for what its bundle cannot do; solves their dials ahead."""
        self._solve(engine, self._as_live(bodies.RecommendRequest()))
        for experiment in self._experiments:
            for arm in experiment.arms:
                mine = self._rivals.engine(arm.bundle, engine)
                self._solve(mine, self._as_live(as_arm(bodies.RecommendRequest(), arm)))
                need(mine.recommender, arm.policy)

    def understood(self, engine: Engine, question: bodies.RecommendRequest) -> tuple[Asked, Placed]:
        """Return a question understood, as its arm asks it; raises ParetailError where it cannot be answered.

        Where only its arm cannot be followed it is answered as without it, and counts for no experiment; where only the
        goals of `[serve]` cannot be, as it stands. `degraded` says so.
        """
        ways, failed = self._ways(question), list[str]()
        for placed in ways:
            try:
                asked, settled = self._asked(self._rivals.engine(placed.bundle, engine), placed.question)
            except ParetailError as error:
                if placed is ways[-1]:
                    raise
                failed.append(str(error))
            else:
                if failed:
                    log.error("arm_failed", experiment=ways[0].experiment, arm=ways[0].arm, problem=failed[0])
                return asked, placed._replace(question=settled)
        raise AssertionError("there is one way at least")

    def solve(self, engine: Engine, question: bodies.RecommendRequest) -> None:
        """Solve a question's goals, as its arm asks it, for the segment of who asks; the answer says what cannot be."""
        with suppress(ParetailError):
            asked, placed = self.understood(engine, question)
            slates.solve_ahead(asked.engine, placed.question, [asked.segment])

    def placed(self, question: bodies.RecommendRequest) -> Placed:
        """Return the question as the arm of whoever asks has it; a visitor who became a user is that user."""
        experiment = None if _is_decided(question) else self._experiment_of(question)
        if experiment is None or question.user_id is None:
            return Placed(self._explored(question) if _is_decided(question) else self._as_live(question))
        try:
            entry = self._store.entry(question.user_id, experiment.name)
        except ParetailError as error:  # a list outside of the experiment is better than none, or than another arm
            log.error("arm_unknown", experiment=experiment.name, problem=str(error))
            return Placed(self._as_live(question), degraded=("experiment",))
        arm = _arm(experiment, entry)
        return Placed(self._as_live(as_arm(question, arm)), experiment.name, arm.name, (), arm.bundle, entry.drawn_by)

    def _ways(self, question: bodies.RecommendRequest) -> list[Placed]:
        """Return how a question may be answered, what it is meant to be first."""
        ways = [self.placed(question)]
        if ways[0].arm is not None:
            ways.append(Placed(self._as_live(question), degraded=("experiment",)))
        if ways[-1].question is not question:
            failed = "goals" if ranked.is_slate(ways[-1].question) else "ranker"
            ways.append(Placed(question, degraded=(*ways[-1].degraded, failed)))
        return ways

    def _experiment_of(self, question: bodies.RecommendRequest) -> ExperimentConfig | None:
        return next((one for one in self._experiments if one.placement in (None, question.placement)), None)

    def _as_live(self, question: bodies.RecommendRequest) -> bodies.RecommendRequest:
        """Return a question with the goals or the order of `[serve]`, where nothing else says how its list is made.

        `today` makes it a slate of `[policy] base`.
        """
        told = question.goals is not None or question.order is not None or question.policy is not None
        if told or question.placement in self._by_agents:
            return question
        if self._goals is not None:
            return msgspec.structs.replace(question, goals=self._goals)
        if question.slate is not None:
            return question
        if self._base is not None:
            return msgspec.structs.replace(question, slate=self._base)
        return msgspec.structs.replace(question, order=self._config.order)

    def _explored(self, question: bodies.RecommendRequest) -> bodies.RecommendRequest:
        """Return a question that asks for exploring alone as one for a slate, of the goals of `[serve]` or the base."""
        asked = question.goals, question.slate, question.policy, question.order
        alone = all(one is None for one in asked)
        if not alone or question.placement in self._by_agents:
            return question
        if not question.explore:
            return self._as_live(question)
        return self._as_live(msgspec.structs.replace(question, slate=bodies.SlateRules()))

    def _solve(self, engine: Engine, question: bodies.RecommendRequest) -> None:
        self._asked(engine, question)
        slates.solve(engine, question)

    def _asked(self, engine: Engine, question: bodies.RecommendRequest) -> tuple[Asked, bodies.RecommendRequest]:
        """Return a question understood, and with `auto` as the order that it comes out at for whoever asks."""
        if question.order != "auto" and ranked.needs_ranker(question):
            ranked.check_there(engine)
        aged = rules.aged(question, engine, self._config.max_age_days)
        asked = Asked.of(engine, aged, self._shown, self._config.fatigue)
        slates.check(asked, question)
        return asked, ranked.settled(asked, question)


def _arm(experiment: ExperimentConfig, entry: Entry) -> ArmConfig:
    """Return the arm of an entry: that of its first list, where the experiment still has it."""
    known = {arm.name: arm for arm in experiment.arms}
    drawn = arm_of(entry.drawn_by, experiment.name, experiment.weights)
    return known.get(entry.arm or drawn, known[drawn])


def as_arm(question: bodies.RecommendRequest, arm: ArmConfig) -> bodies.RecommendRequest:
    """Return a question with the setting of an arm."""
    slate = question.slate
    if arm.composition is not None or (arm.explore is not None and arm.policy is None):
        slate = msgspec.structs.replace(slate or bodies.SlateRules(), composition=arm.composition)
    goals = question.goals if arm.goals is None else _goals(arm.goals)
    return msgspec.structs.replace(
        question, goals=goals, slate=slate, order=arm.order, explore=arm.explore, policy=arm.policy
    )


def _goals(line: str) -> bodies.Goals:
    told = parse(line)
    return bodies.Goals(dial=told.dial, maximise=told.maximise, keep=told.keep, preset=told.preset)


def _is_decided(question: bodies.RecommendRequest) -> bool:
    composition = None if question.slate is None else question.slate.composition
    asked = question.goals, question.explore, composition, question.policy, question.order
    return any(one is not None for one in asked)
