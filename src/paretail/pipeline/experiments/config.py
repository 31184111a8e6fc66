"""Settings of experiments, `[[experiments]]` in shop.toml."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from paretail.core.config import Config
from paretail.core.errors import ParetailError
from paretail.evaluate.experiments.assignment import check
from paretail.pipeline.experiments.metrics import Metric
from paretail.policy.compositions import Composition
from paretail.policy.goals import parse


def readable(goals: str | None) -> str | None:
    """Return a line of goals; raises ValueError where it cannot be read."""
    try:
        if goals is not None:
            parse(goals)
    except ParetailError as error:
        raise ValueError(f"goals, but {error}") from None
    return goals


class ArmConfig(Config):
    """One arm: how lists of its users are made; without any setting, as they are without the experiment."""

    name: str = Field(min_length=1, max_length=100, description="What it is called in answers and in the log.")
    share: float = Field(gt=0, le=1, description="Its part of the users; parts of all arms add up to 1.")
    goals: str | None = Field(
        None, description="Goals as a line: `revenue=0.5,diversity=0.2`, `maximise=...`, or `preset=NAME`."
    )
    bundle: str | None = Field(
        None, min_length=1, description="A bundle that serves the arm, relative to this file; by default the live one."
    )
    order: Literal["auto", "model", "value", "purchase", "cart", "click"] | None = Field(
        None, description="The order of lists, where the arm has no goals: `auto`, the one that training measured, "
        "`model`, the retriever's, or by what the ranker expects; by default that of `[serve]`."
    )  # fmt: skip
    explore: float | None = Field(None, ge=0, le=0.5, description="The share of clicks that exploring may cost.")
    composition: Composition | None = Field(None, description="How slates are put together.")
    policy: str | None = Field(
        None, description="Who fills lists: `greedy`, or an agent of the bundle; `explore` is then its share of slots."
    )

    @field_validator("goals")
    @classmethod
    def _can_be_read(cls, goals: str | None) -> str | None:
        return readable(goals)

    @model_validator(mode="after")
    def _is_one(self) -> "ArmConfig":
        ordered = self.order not in (None, "model")
        if self.policy is not None and (self.composition is not None or ordered):
            raise ValueError("either a policy or an order and composition")
        composed = self.goals is not None or self.composition is not None or self.explore is not None
        if composed and ordered:
            raise ValueError("either an order or goals, explore and composition")
        return self


class ExperimentConfig(Config):
    """One experiment: users are divided among arms by their ids, the first arm is the incumbent."""

    name: str = Field(min_length=1, max_length=100, description="The salt of the assignment; a new name divides anew.")
    arms: list[ArmConfig] = Field(min_length=2, description="The arms, the incumbent first.")
    active: bool = Field(True, description="Whether users are assigned; false: its log can be read, nothing more.")
    placement: str | None = Field(None, description="The placement that it concerns; by default every list.")
    goal: Metric = Field(
        "revenue",
        description="What is to become better, a user: clicks, purchases, revenue (net of "
        "refunds), profit, refunds (fewer), diversity or coverage of what was shown.",
    )
    guardrails: list[Metric] = Field(
        ["clicks"], description="What must not suffer by more than the guardrail's margin."
    )
    users: PositiveInt = Field(20_000, description="Users after which it ends; intervals are narrowest there.")
    margin: float = Field(0.0, ge=0, lt=1, description="How much less of the goal is borne, as a share.")
    guardrail_margin: float = Field(0.02, ge=0, lt=1, description="How much less of a guardrail is borne.")
    alpha: float = Field(0.05, gt=0, lt=1, description="The risk of a wrong verdict, at all looks together.")

    @model_validator(mode="after")
    def _arms_are_right(self) -> "ExperimentConfig":
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError(f"arms with names of their own, not {', '.join(names)}")
        if abs(sum(arm.share for arm in self.arms) - 1) > 1e-6:
            raise ValueError(f"shares that add up to 1, not {sum(arm.share for arm in self.arms):g}")
        check(self.name, self.weights)
        return self

    def beside(self, folder: Path) -> "ExperimentConfig":
        """Return the same with the bundles of its arms as paths, which stand relative to `folder`."""
        arms = [arm if arm.bundle is None else arm.model_copy(update={"bundle": str(folder / arm.bundle)})
                for arm in self.arms]  # fmt: skip
        return self.model_copy(update={"arms": arms})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The goal, then the guardrails."""
        return (self.goal, *(name for name in dict.fromkeys(self.guardrails) if name != self.goal))

    @property
    def weights(self) -> dict[str, float]:
        """The share of each arm."""
        return {arm.name: arm.share for arm in self.arms}
