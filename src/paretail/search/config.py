"""`[search]` of shop.toml: how long, by which strategy, for which goals, and among what."""

from re import fullmatch
from typing import Any, Literal

from pydantic import Field, field_validator

from paretail.core.config import Config


class SearchConfig(Config):
    """`[search]`: how `paretail search` looks for a graph model of this shop's own."""

    strategy: str = Field(
        "auto", description="Who says which architectures are worth a training; `auto` is the best that we measured."
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of that strategy.")
    trials: int = Field(40, ge=1, le=100_000, description="Architectures that are tried, beside the baselines.")
    budget: str = Field(
        "2h", description="Time that baselines and trials may take, such as 90s or 2h; the fit on all events follows."
    )
    batch: int = Field(
        6, ge=1, le=1000,
        description="Architectures of a round: they are asked for together, so that any number of workers gives the "
        "same result.",
    )  # fmt: skip
    screen: float = Field(
        0.25, gt=0, le=1, description="Share of its epochs that every architecture is trained for; 1: no screening."
    )
    keep: float = Field(
        0.34,
        gt=0,
        le=1,
        description="Share of a round, the best after screening, that is trained in full; without screening all are.",
    )
    patience: int | None = Field(
        None, ge=1, description="Ends the search after so many trials without a better one; by default none does."
    )
    target: float | None = Field(None, gt=0, description="Ends the search at this accuracy in validation.")
    baselines: list[str] = Field(
        default_factory=lambda: ["blend", "mf", "lightgcn"],
        description="Models of the table that are trained on the same split, to compare with.",
    )
    exclude: Literal["auto", "none", "target", "all"] = Field(
        "auto",
        description="What lists leave out in validation: `none`, items had under the `target` kind, `all` items "
        "touched; `auto` follows `[goal] repeat`.",
    )
    space: dict[str, Any] = Field(
        default_factory=dict,
        description='Fields of a graph model: one option fixes a field, a list of them is what is searched; "none" '
        "stands for no value.",
    )

    @field_validator("budget", mode="before")
    @classmethod
    def _is_duration(cls, budget: object) -> object:
        known = isinstance(budget, str) and fullmatch(r"\d+(\.\d+)?[smh]", budget)
        if not known or not float(str(budget)[:-1]):
            raise ValueError('a number with s, m or h, such as "90s", "20m" or "2h"')
        return budget

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds."""
        return float(self.budget[:-1]) * {"s": 1, "m": 60, "h": 3600}[self.budget[-1]]
