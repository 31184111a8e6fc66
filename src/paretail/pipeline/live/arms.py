"""Arms: which experiment a question belongs to, and the question as its user's arm asks it.

The first active experiment that concerns the placement takes the question, unless the question says itself what it
wants (goals, an order, exploration, a composition) or names no user. One bundle serves all arms.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog

from paretail.core.errors import ParetailError
from paretail.evaluate.experiments.assignment import arm_of
from paretail.pipeline.agents import need
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ArmConfig, ExperimentConfig
from paretail.pipeline.live import bodies, ranked, rules, slates
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.shown import ShownLists
from paretail.policy.goals import parse

log = structlog.get_logger()


class Placed(NamedTuple):
    """A question as it is answered, with the experiment and arm that it belongs to; `degraded` tells what failed."""

    question: bodies.RecommendRequest
    experiment: str | None = None
    arm: str | None = None
    degraded: tuple[str, ...] = ()


class Arms:
    """The experiments of a service; safe to share by threads."""

    def __init__(self, experiments: Sequence[ExperimentConfig], config: ServeConfig, shown: ShownLists) -> None:
        self._experiments = [one for one in experiments if one.active]
        self._config, self._shown = config, shown

    def check(self, engine: Engine) -> None:
        """Raise ParetailError where an arm asks for what the bundle cannot do; solves their dials ahead."""
        for experiment in self._experiments:
            for arm in experiment.arms:
                question = as_arm(bodies.RecommendRequest(), arm)
                self._asked(engine, question)
                need(engine.recommender, arm.policy)
                slates.solve(engine, question)

    def understood(self, engine: Engine, question: bodies.RecommendRequest) -> tuple[Asked, Placed]:
        """Return a question understood, as its arm asks it; raises ParetailError where it cannot be answered.

        Where only its arm cannot be followed it is answered as it is, and counts for no experiment.
        """
        placed = self.placed(question, engine)
        try:
            return self._asked(engine, placed.question), placed
        except ParetailError as error:
            if placed.arm is None:
                raise
            log.error("arm_failed", experiment=placed.experiment, arm=placed.arm, problem=str(error))
            return self._asked(engine, question), Placed(question, degraded=("experiment",))

    def placed(self, question: bodies.RecommendRequest, engine: Engine) -> Placed:
        """Return the question as the arm of whoever asks has it; a visitor who became a user is that user."""
        if question.user_id is None or _is_decided(question):
            return Placed(question)
        for experiment in self._experiments:
            if experiment.placement in (None, question.placement):
                name = arm_of(engine.users.user_of(question.user_id), experiment.name, experiment.weights)
                arm = next(arm for arm in experiment.arms if arm.name == name)
                return Placed(as_arm(question, arm), experiment.name, name)
        return Placed(question)

    def _asked(self, engine: Engine, question: bodies.RecommendRequest) -> Asked:
        if ranked.needs_ranker(question):
            ranked.check_there(engine)
        aged = rules.aged(question, engine, self._config.max_age_days)
        asked = Asked.of(engine, aged, self._shown, self._config.fatigue)
        slates.check(asked, question)
        return asked


def as_arm(question: bodies.RecommendRequest, arm: ArmConfig) -> bodies.RecommendRequest:
    """Return a question with the setting of an arm."""
    slate = question.slate
    if arm.composition is not None or (arm.explore is not None and arm.policy is None):
        slate = msgspec.structs.replace(slate or bodies.SlateRules(), composition=arm.composition)
    goals = question.goals
    if arm.goals is not None:
        told = parse(arm.goals)
        goals = bodies.Goals(dial=told.dial, maximise=told.maximise, keep=told.keep, preset=told.preset)
    return msgspec.structs.replace(
        question, goals=goals, slate=slate, order=arm.order, explore=arm.explore, policy=arm.policy
    )


def _is_decided(question: bodies.RecommendRequest) -> bool:
    composition = None if question.slate is None else question.slate.composition
    asked = question.goals, question.explore, composition, question.policy
    return question.order != "model" or any(one is not None for one in asked)
