"""shop.toml: one file that says where the data are, what to predict and how to train."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem
from paretail.data.config import DataConfig

_DURATION = re.compile(r"\d+(\.\d+)?[smh]", re.ASCII)


class GoalConfig(Config):
    """`[goal]`: what a recommendation is meant to bring about."""

    target: str | None = Field(
        None, description="The kind to predict; by default the strongest present: purchase > cart > favourite > "
        "click > view > a declared kind.",
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

    name: str = Field("blend", description="A name of the model table, or `their_module:TheirModel`.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of that model; those given are not searched for.",
    )  # fmt: skip


class ServeConfig(Config):
    """`[serve]`: how `paretail serve --config` finds what to serve."""

    bundle: str | None = Field(None, description="The bundle to serve, relative to this file.")
    port: int = Field(8000, ge=1, le=65535, description="The port on 127.0.0.1.")


class ShopConfig(Config):
    """The whole of shop.toml."""

    data: DataConfig
    goal: GoalConfig = GoalConfig()
    train: TrainConfig = TrainConfig()
    model: ModelConfig = ModelConfig()
    serve: ServeConfig = ServeConfig()


def load_config(path: Path) -> ShopConfig:
    """Read and check shop.toml; raises ConfigError with every problem found. Its paths are relative to its folder."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        expected = "Expected a configuration file (TOML)"
        do = f"Write one with: paretail init --events EVENTS --out {path.name}"
        raise ConfigError(Problem("CONF-05", f"{path} is no file", expected, do)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found = f"{path.name} is not valid TOML: {error}"
        raise ConfigError(Problem("CONF-06", found, "Expected UTF-8 TOML", "Correct that line")) from None
    return ShopConfig.parse(values, where=path.name)
