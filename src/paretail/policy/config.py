"""Settings of the policy, `[policy]` in shop.toml."""

from typing import Any

from pydantic import Field, NonNegativeFloat

from paretail.core.config import Config
from paretail.policy.compositions import Composition
from paretail.policy.goals import Goals
from paretail.policy.newcomers import Newcomers


class PolicyConfig(Config):
    """`[policy]`: what slates are for where a question does not say, and settings with names."""

    base: dict[str, NonNegativeFloat] = Field(
        default_factory=lambda: {"clicks": 1.0, "purchases": 1.0, "revenue": 1.0},
        description="Goals that slates serve where nothing else is asked, and their parts, each of how far the goal "
        "goes; those that cannot be predicted are left out.",
    )  # fmt: skip
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description='Settings of goals, such as `diversity = {by = "brand"}`.'
    )
    presets: dict[str, Goals] = Field(
        default_factory=dict, description='Settings of the goals with names, for `{"preset": "spring"}`.'
    )
    explore: float = Field(
        0.0, ge=0, le=0.5, description="The share of expected clicks that live slates may cost for being drawn at "
        "random near the best, so that their log can tell of other settings; questions may say otherwise.",
    )  # fmt: skip
    new_items: Newcomers = Field(
        "mean", description="How live slates believe in items that were hardly shown: `mean`, as the ranker expects; "
        "`thompson`, as drawn from what it believes; `ucb`, at the upper end of it: both need a log with impressions.",
    )  # fmt: skip
    new_items_shown: int = Field(
        100, ge=1, description="Items that the log shows less often than this are new to `new_items`."
    )
    composition: Composition = Field(
        "greedy", description="How slates are put together: `greedy` takes the weighted goals as they are; `mmr` and "
        "`dpp` weigh them against likeness by the items' vectors; questions may say otherwise.",
    )  # fmt: skip
    balance: float = Field(
        0.7, ge=0, lt=1, description="How far `mmr` and `dpp` look at the goals; the remainder is difference."
    )
    refit_minutes: float = Field(
        60.0, ge=0, description="How often dials are measured anew on the service's own requests, in the background, "
        "where there are enough new ones; 0: never.",
    )  # fmt: skip
    requests: int = Field(
        512, ge=16, le=4096, description="Requests of each segment of users on which dials are measured."
    )
