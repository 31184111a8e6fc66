"""Checking: whether names and settings of `[rank]` lead somewhere, before a log is read that takes hours to learn from.

Architectures and spaces are looked up where they are not the usual ones alone, since their tables import torch.
"""

from collections.abc import Collection
from importlib.util import find_spec
from typing import Any

from paretail.core.errors import ConfigError, Problem
from paretail.rank.balance import balancer
from paretail.rank.config import RankConfig
from paretail.rank.examples import TASKS


def check_rank(config: RankConfig) -> None:
    """Raise ConfigError for a name that leads to nothing (RANK-01), a weight of no task (RANK-03), a wrong setting."""
    if not config.enabled:
        return
    balancer(config.balance, TASKS, config.balance_settings)
    check_counted(config, TASKS)
    if _chosen(config) == _chosen(RankConfig()) or find_spec("torch") is None:
        return
    from paretail.rank.sharing import sharing_settings
    from paretail.rank.spaces import space_settings

    sharing_settings(config.sharing, config.sharing_settings)
    space_settings(config.space, config.space_settings)


def weights_of(config: RankConfig, tasks: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the balancer's settings for the tasks that are learned, and what is said of others' weights and of 0."""
    settings = config.balance_settings
    idle = tuple(f"the weight of `{task}` is 0: it is not learned, and every pair gets about its usual rate"
                 for task, weight in _counted(config, tasks).items() if not weight)  # fmt: skip
    if config.balance != "weighted" or "weights" not in settings:
        return settings, idle
    kept = {task: weight for task, weight in settings["weights"].items() if task in tasks}
    told = (f"the weight of `{task}` in balance_settings counts nothing: that task is left out"
            for task in settings["weights"] if task not in kept)  # fmt: skip
    return {**settings, "weights": kept}, (*told, *idle)


def check_counted(config: RankConfig, tasks: Collection[str]) -> None:
    """Raise ConfigError (CONF-03) where every one of the tasks weighs 0: nothing would be learned."""
    if not any(_counted(config, tasks).values()):
        found = f"[rank] gives {', '.join(tasks)} the weight 0, by task_weights or by weights in balance_settings"
        raise ConfigError(Problem("CONF-03", found, "Expected a task at least that counts", "Raise a weight above 0"))


def _counted(config: RankConfig, tasks: Collection[str]) -> dict[str, float]:
    """Return how often each task's loss counts by what is set."""
    given = config.balance_settings.get("weights", {}) if config.balance == "weighted" else {}
    return {task: config.weight_of(task) * given.get(task, 1.0) for task in tasks}


def _chosen(config: RankConfig) -> tuple[Any, ...]:
    return config.sharing, config.sharing_settings, config.space, config.space_settings
