"""Ending: an experiment whose verdict is in is set inactive, and the arm that it ships goes live."""

from collections.abc import Sequence
from pathlib import Path

from paretail.pipeline.experiments.config import ArmConfig, ExperimentConfig
from paretail.pipeline.experiments.looking import Status
from paretail.pipeline.experiments.metrics import METRICS
from paretail.pipeline.release import Proposal, composition_of, ship
from paretail.policy.goals import TODAY

#: Settings of an arm that no release puts live.
BY_HAND = ("order", "explore", "composition")


def finish(config: Path, experiment: ExperimentConfig, told: Sequence[Status], live: Path | None) -> list[str]:
    """End an experiment of shop.toml where all is said, and return what was done, in words.

    Of several arms that ship, the one with the best goal goes live. An experiment that is inactive has ended: nothing
    is done. Raises UsageError (EXPT-09), BundleError, ConfigError.
    """
    if not experiment.active:
        return []
    ships = [status for status in told if status.verdict == "ship"]
    if not ships and any(status.verdict == "go on" for status in told):
        return []
    going = Proposal(live or Path())
    if ships:
        best = max(ships, key=lambda status: METRICS[experiment.goal].sign * status.effects[0].difference)
        arm = _as_served(next(arm for arm in experiment.arms if arm.name == best.arm), config, live)
        if by_hand := _by_hand(experiment, arm, live):
            return [f"{experiment.name}: {arm.name} ships, and {by_hand} must be put live by hand"]
        bundle = None if arm.bundle is None else config.parent / arm.bundle
        going = Proposal(going.live, bundle, arm.goals)
        if arm.policy is not None:
            going = Proposal(going.live, bundle, arm.goals, arm.policy, None, str(experiment.placement), arm.explore)
    return ship(going, config, experiment.name)


def _as_served(arm: ArmConfig, config: Path, live: Path | None) -> ArmConfig:
    """Return an arm whose slates are those of its bundle's `[policy] base` as goals that can be served: `today`."""
    bundle = live if arm.bundle is None else config.parent / arm.bundle
    composes = arm.composition is not None and arm.goals is None and arm.policy is None
    if composes and bundle is not None and arm.composition == composition_of(bundle):
        return arm.model_copy(update={"goals": TODAY, "composition": None})
    return arm


def _by_hand(experiment: ExperimentConfig, arm: ArmConfig, live: Path | None) -> str:
    """Return which settings of an arm cannot be put live; an agent's list is of one placement, any other of all."""
    if arm.policy is not None:
        told = {} if experiment.placement is not None and live is not None else {"policy": arm.policy}
    else:
        plain = ArmConfig(name=arm.name, share=arm.share)
        told = {name: getattr(arm, name) for name in BY_HAND if getattr(arm, name) != getattr(plain, name)}
        told |= {} if experiment.placement is None else {"placement": experiment.placement}
    if arm.bundle is not None and live is None:
        told["bundle"] = arm.bundle
    return ", ".join(f"{name} = {value!r}" for name, value in told.items())
