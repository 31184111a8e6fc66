"""shop.toml: one file that says where the data are, what to predict and how to train."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem
from paretail.data.config import DataConfig
from paretail.pipeline.experiments.config import ExperimentConfig, readable
from paretail.policy.config import PolicyConfig
from paretail.policy.goals import TODAY
from paretail.rank.config import RankConfig
from paretail.search.config import SearchConfig

_DURATION = re.compile(r"\d+(\.\d+)?[smh]", re.ASCII)


class GoalConfig(Config):
    """`[goal]`: what a recommendation is meant to bring about."""

    target: str | None = Field(
        None, description="The kind to predict; by default the strongest present: purchase > cart > favourite > "
        "click > view > a declared kind.",
    )  # fmt: skip
    lists: str = Field(
        "item", description="What a list holds: `item`, `user` (people who may be friends), `category`, `brand` or "
        "another attribute of the items; the command line's `--target`.",
    )  # fmt: skip
    repeat: bool | Literal["auto"] = Field(
        "auto", description="Whether items that a user already had may be recommended again; `auto` decides from "
        "the share of repeats in the newest events.",
    )  # fmt: skip


class TrainConfig(Config):
    """`[train]`: how much effort, and which random streams."""

    seed: int = Field(0, ge=0, description="Seed of every random stream; the same seed gives the same bundle.")
    budget: str = Field("10m", description="Time that choosing settings may take, such as 90s, 10m or 2h.")

    @field_validator("budget")
    @classmethod
    def _is_duration(cls, budget: str) -> str:
        if not _DURATION.fullmatch(budget):
            raise ValueError("a number with s, m or h, such as 90s, 10m or 2h")
        return budget

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds."""
        return float(self.budget[:-1]) * {"s": 1, "m": 60, "h": 3600}[self.budget[-1]]


class ModelConfig(Config):
    """`[model]`: the retriever; `blend` unless you compare."""

    name: str = Field(
        "blend", description="A name of the model table, `their_module:TheirModel`, or `auto`: the blend, or a hybrid "
        "with learned models where they make better lists.",
    )  # fmt: skip
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of that model; those given are not searched for.",
    )  # fmt: skip


class PlacementConfig(Config):
    """`[[serve.policies]]`: which policy fills the lists of a placement."""

    placement: str = Field("for-you", min_length=1, max_length=512, description="The placement of the lists.")
    policy: str = Field(
        "greedy", description="`greedy`: the model's best first; else an agent "
        "of the bundle, such as `iql` or `ppo`.",
    )  # fmt: skip
    goals: str | None = Field(
        None, description="Dials as a line, `revenue=0.5`, of an agent that learned for several goals; those of a "
        "question go before them.",
    )  # fmt: skip
    explore: float = Field(
        0.0, ge=0, le=0.5, description="The share of slots that an agent leaves to random candidates; the odds of "
        "every slot are logged, so that the log can tell of other policies.",
    )  # fmt: skip
    timeout_ms: float = Field(
        50.0, gt=0, le=10_000, description="How long an agent may take; then the greedy list is served, which is "
        "counted and told (`degraded`).",
    )  # fmt: skip

    @field_validator("goals")
    @classmethod
    def _can_be_read(cls, goals: str | None) -> str | None:
        return readable(goals)


class ServeConfig(Config):
    """`[serve]`: what `paretail serve --config` serves, where it listens, and its bounds."""

    bundle: str | None = Field(None, description="The bundle to serve, relative to this file.")
    categories: str | None = Field(
        None, description="A bundle that `train --target category` (or `brand`, or an attribute) made, relative to "
        "this file: `POST /v1/categories` answers from it.",
    )  # fmt: skip
    friends: str | None = Field(
        None, description="A bundle that `train --target user` made, relative to this file: `POST /v1/friends` answers "
        "from it.",
    )  # fmt: skip
    store: str | None = Field(
        None, description="The folder of live data, relative to this file; by default the bundle's name and `-store`.",
    )  # fmt: skip
    host: str = Field("127.0.0.1", description="The address to listen on; any but this machine's own needs an API key.")
    port: int = Field(8000, ge=1, le=65535, description="The port.")
    users_in_memory: int = Field(
        1_000_000, ge=1, description="Users whose live events are held in memory; the store has the others.",
    )  # fmt: skip
    events_per_user: int = Field(
        200, ge=1, le=10_000, description="Newest live events of a user that count beside those in the bundle.",
    )  # fmt: skip
    fatigue: int = Field(
        0, ge=0, le=1000, description="An item shown so many times to a user without a click steps back by a list's "
        "length; 0: never.",
    )  # fmt: skip
    max_age_days: float | None = Field(
        None, gt=0, le=1e6, description="Items sold for longer are in no list, where questions say nothing else; items "
        "that do not tell (`created`) are. For articles and offers, which live for days.",
    )  # fmt: skip
    attribution_hours: float = Field(
        168.0, gt=0, le=8760, description="How long after a list was shown an event may follow from it, with "
        "`request_id` or without.",
    )  # fmt: skip
    goals: str | None = Field(
        None, description="Goals of lists for which a question asks no goals, order, exploration or policy of its own, "
        "as a line: `revenue=0.5,diversity=0.2`, or `preset=NAME`, or `today` for slates of `[policy] base`; "
        "`paretail release --start` writes what it ships.",
    )  # fmt: skip
    order: Literal["auto", "model", "value", "purchase", "cart", "click"] = Field(
        "auto", description="Order of lists for which neither a question nor `goals` says anything: `auto` is that "
        "which training measured to be surely better than the model's, else the model's (`model`); others are by what "
        "the ranker expects.",
    )  # fmt: skip
    rate: float = Field(1000.0, gt=0, description="Requests a second of a key that has no limit of its own.")
    policies: list[PlacementConfig] = Field(
        default_factory=list, description="Which policy fills the lists of which placement; see `[[serve.policies]]`."
    )
    timeout_seconds: float = Field(10.0, gt=0, le=600, description="Longest wait for a body, and for an answer.")

    @field_validator("goals")
    @classmethod
    def _can_be_read(cls, goals: str | None) -> str | None:
        return goals if goals == TODAY else readable(goals)

    @field_validator("policies")
    @classmethod
    def _are_placed_once(cls, policies: list[PlacementConfig]) -> list[PlacementConfig]:
        _check_apart([one.placement for one in policies], "one policy a placement")
        return policies

    @model_validator(mode="after")
    def _is_one(self) -> "ServeConfig":
        if self.goals is not None and self.order not in ("auto", "model"):
            raise ValueError(f"either goals or the order {self.order!r}")
        return self


class StoreConfig(Config):
    """`[store]`: how long live data are kept."""

    keep_days: dict[str, PositiveFloat] = Field(
        default_factory=lambda: {"impression": 90.0}, description="Days that events of a kind are kept; `impression` "
        "also for the lists that were shown; other kinds are kept for ever.",
    )  # fmt: skip


class ShopConfig(Config):
    """The whole of shop.toml."""

    data: DataConfig
    goal: GoalConfig = GoalConfig()
    train: TrainConfig = TrainConfig()
    model: ModelConfig = ModelConfig()
    rank: RankConfig = RankConfig()
    policy: PolicyConfig = PolicyConfig()
    search: SearchConfig = SearchConfig()
    serve: ServeConfig = ServeConfig()
    store: StoreConfig = StoreConfig()
    experiments: list[ExperimentConfig] = Field(
        default_factory=list, description="Experiments that `paretail serve --config` runs; see `[[experiments]]`."
    )

    @field_validator("experiments")
    @classmethod
    def _have_names(cls, experiments: list[ExperimentConfig]) -> list[ExperimentConfig]:
        _check_apart([one.name for one in experiments], "names of their own")
        return experiments


def _check_apart(names: list[str], expected: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{expected}, not {', '.join(names)}")


def load_config(path: Path) -> ShopConfig:
    """Read and check shop.toml; raises ConfigError with every problem found. Its paths are relative to its folder."""
    try:
        return parse_config(path.read_text(encoding="utf-8"), path.name)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        expected = "Expected a configuration file (TOML)"
        do = f"Write one with: paretail init --events EVENTS --out {path.name}"
        raise ConfigError(Problem("CONF-05", f"{path} is no file", expected, do)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(_no_toml(path.name, error)) from None


def parse_config(text: str, name: str) -> ShopConfig:
    """Check the text of a shop.toml that is called `name`; raises ConfigError with every problem found."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_no_toml(name, error)) from None
    return ShopConfig.parse(values, where=name)


def _no_toml(name: str, error: ValueError) -> Problem:
    return Problem("CONF-06", f"{name} is not valid TOML: {error}", "Expected UTF-8 TOML", "Correct that line")
