"""Checking: whether names and settings of `[rank]` lead somewhere, before a log is read that takes hours to learn from.

Architectures and spaces are looked up where they are not the usual ones alone, since their tables import torch.
"""

from collections.abc import Collection
from importlib.util import find_spec
from typing import Any

from paretail.rank.balance import balancer
from paretail.rank.config import RankConfig
from paretail.rank.examples import TASKS


def check_rank(config: RankConfig) -> None:
    """Raise ConfigError for a name that leads to nothing (RANK-01), a weight of no task (RANK-03), a wrong setting."""
    if not config.enabled:
        return
    balancer(config.balance, TASKS, config.balance_settings)
    if _chosen(config) == _chosen(RankConfig()) or find_spec("torch") is None:
        return
    from paretail.rank.sharing import sharing_settings
    from paretail.rank.spaces import space_settings

    sharing_settings(config.sharing, config.sharing_settings)
    space_settings(config.space, config.space_settings)


def weights_of(config: RankConfig, tasks: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the settings of the balancer for the tasks that are learned, and what is said of weights of others."""
    settings = config.balance_settings
    if config.balance != "weighted" or "weights" not in settings:
        return settings, ()
    kept = {task: weight for task, weight in settings["weights"].items() if task in tasks}
    told = (f"the weight of `{task}` in balance_settings counts nothing: that task is left out"
            for task in settings["weights"] if task not in kept)  # fmt: skip
    return {**settings, "weights": kept}, tuple(told)


def _chosen(config: RankConfig) -> tuple[Any, ...]:
    return config.sharing, config.sharing_settings, config.space, config.space_settings
