"""Settings of the ranker, `[rank]` in shop.toml."""

from typing import Any, Final, Literal

from pydantic import Field, NonNegativeFloat, field_validator

from paretail.core.config import Config
from paretail.rank.calibration import Way
from paretail.rank.segments import By

Task = Literal["click", "long_view", "favourite", "cart", "purchase", "value"]
WEIGHTS: Final[dict[Task, float]] = {"cart": 0.5, "favourite": 0.5, "long_view": 0.5}


class SweepConfig(Config):
    """`[rank.sweep]`: the report of `train --sweep` on how the tasks trade off."""

    impressions: int = Field(
        60_000, ge=1000, description="Impressions to learn from and to judge on, those of users drawn at random.",
    )  # fmt: skip
    later: float = Field(0.25, gt=0, lt=1, description="The share of them, the newest, that methods are judged on.")
    epochs: int = Field(12, ge=1, description="Passes over the older ones, of each method.")
    points: int = Field(21, ge=3, description="Points of the weighted sum's front; an odd number has the even weights.")
    group: list[str] = Field(["click"], description="The tasks that are weighed against all others.")


class RankConfig(Config):
    """`[rank]`: clicks, carts, purchases and values, learned together from what was shown."""

    enabled: bool = Field(
        True,
        description="Whether `train` learns a ranker: from impressions (it needs the extra `learn`), or where the "
        "log has none from lists that the model would have made.",
    )
    sharing: str = Field(
        "bottom", description="A name of the table of sharing architectures, or `their_module:TheirSharing`."
    )
    sharing_settings: dict[str, Any] = Field(
        default_factory=lambda: {"dim": 32, "layers": 1}, description="Settings of that architecture."
    )
    balance: str = Field("weighted", description="A name of the table of balancers, or `their_module:TheirBalancer`.")
    balance_settings: dict[str, Any] = Field(default_factory=dict, description="Settings of that balancer.")
    dim: int = Field(12, ge=1, description="Columns of vectors that all tasks read; those not needed vanish.")
    own_dim: int = Field(4, ge=0, description="Columns that clicks do not read.")
    shared_vectors: bool = Field(True, description="Whether tasks share the columns of vectors, or divide them.")
    epochs: int = Field(24, ge=1, description="Passes over the impressions.")
    batch_size: int = Field(8192, ge=1, description="Impressions of a step, fewer for small logs.")
    lr: float = Field(0.02, gt=0, description="Learning rate, before its cosine.")
    seed: int | None = Field(None, ge=0, description="Seed; by default that of `[train]`.")
    propensity_power: float = Field(
        0.3, ge=0, le=1, description="Impressions are weighed by propensity to the power of minus this: 1 undoes the "
        "policy that showed them, 0 takes them as they come; between, noise is traded for fairness.",
    )  # fmt: skip
    click_power: float = Field(
        0.5, ge=0, le=1, description="What follows a click is weighed by P(click) to the power of minus this.",
    )  # fmt: skip
    space: str = Field(
        "conditional", description="Examples that what follows a click is learned from: those clicked (`conditional`), "
        "or all impressions: `esmm`, `escm2_ips`, `escm2_dr`, or `their_module:TheirSpace`.",
    )  # fmt: skip
    space_settings: dict[str, Any] = Field(default_factory=dict, description="Settings of that space.")
    relation: float = Field(
        0.0, ge=0, description="How strongly tasks' own weights are held to the covariance learned of them; "
        "0 leaves them free.",
    )  # fmt: skip
    net_precision: float = Field(
        6500.0, ge=0, description="Precision of the prior that holds the features' network, for a million impressions. "
        "It grows with the log: features follow the last policy's liking however long the log is.",
    )  # fmt: skip
    task_weights: dict[Task, NonNegativeFloat] = Field(
        default_factory=lambda: dict(WEIGHTS), description="Weight of a task's likelihood; those not named keep "
        "theirs: 0.5 of carts, favourites and long views, 1 of others.",
    )  # fmt: skip
    calibration: Way = Field(
        "platt", description="`platt`: two numbers a task; `isotonic`: any rising curve, for logs with many purchases."
    )
    calibration_by: By = Field(
        "none",
        description="Items that have a calibration of their own after it, the same way, held to that of all: `none`; "
        "by `category`, `brand` or `price` (five bands).",
    )
    start_from: str | None = Field(
        None, description="Another bundle, whose ranker's beliefs are where this one starts: of a larger shop, say."
    )
    start_items: bool = Field(
        False, description="With `start_from`: items of the same id are the same thing in both, and their vectors too."
    )
    leaks: Literal["refuse", "ignore"] = Field(
        "refuse", description="What becomes of a ranker where an attribute says exactly what it is to predict."
    )
    long_view_seconds: float = Field(
        30.0, gt=0, description="A click or view of so many seconds or more is a long view, where the log tells them."
    )
    retrieved: bool | Literal["parts", "vectors"] = Field(
        False,
        description="Whether the retriever's score of the pair is a feature, from models fitted before the moment; "
        "`parts`: each signal's own score too, `vectors`: also angles between its vectors.",
    )
    recent: int = Field(
        0, ge=0, le=200, description="Newest events of a user that the features' network reads through a Transformer; "
        "0 leaves them out.",
    )  # fmt: skip
    ensembles: int = Field(
        1, ge=1, le=10, description="Ensembles of trees whose mean ranks lists of logs without impressions. Each draws "
        "other rows and features, and costs training and answers as much as the first.",
    )  # fmt: skip
    attribution_hours: float = Field(
        168.0, gt=0, le=8760, description="How long after it was shown an event may follow from an impression.",
    )  # fmt: skip

    sweep: SweepConfig = SweepConfig()

    @field_validator("task_weights")
    @classmethod
    def _keep_others(cls, weights: dict[Task, float]) -> dict[Task, float]:
        return WEIGHTS | weights

    def weight_of(self, task: str) -> float:
        """Return the weight of a task's likelihood."""
        return next((weight for name, weight in self.task_weights.items() if name == task), 1.0)
