"""Rivals of a search: the baselines that it is compared with, and the model of the bundle's current version.

A search may choose what `[search.space]` allows and nothing else: a preset that is no point of that space is trained
and compared, and never chosen. The current version is compared last and told to nobody: it may be what this very search
published, and an answer must not depend on whether it was given before.
"""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from paretail.pipeline.bundle import Bundle, current_or_none
from paretail.retrieve.spec import PRESETS, GraphModelSpec
from paretail.search.config import SearchConfig
from paretail.search.fields import DEFAULTS
from paretail.search.space import GraphSpace
from paretail.search.trial import Job

#: This share of the budget has a baseline to choose its own settings.
CHOOSING_SHARE: Final = 0.05
#: What the current version is called among rivals, and the word that stands for no value in shop.toml.
CURRENT: Final = "current"
NO_VALUE: Final = "none"


def baselines(space: GraphSpace, asks: SearchConfig, seed: int) -> dict[str, Job]:
    """Return the jobs of the baselines by name."""
    jobs = {}
    for name in dict.fromkeys(asks.baselines):
        if name in pickable(asks):
            weights = {"weights": space.options["weights"][0]}
            jobs[name] = Job("graph", {**DEFAULTS, **weights, **PRESETS[name]}, seed=seed)
        else:
            jobs[name] = Job(name, {}, seed=seed, seconds=CHOOSING_SHARE * asks.budget_seconds)
    return jobs


def pickable(asks: SearchConfig) -> list[str]:
    """Return the baselines that are presets, points of a space that may be chosen."""
    # the table's `mf` is matrix factorisation that tunes itself
    return [name for name in asks.baselines if name in PRESETS and name != "mf"]


def current_job(bundle: Path, seed: int) -> dict[str, Job]:
    """Return the job of the current version's model, with its settings, by its name; nothing where there is none."""
    if (version := current_or_none(bundle)) is None:
        return {}
    facts = Bundle.load(bundle, version).manifest.facts
    return {CURRENT: Job(facts["model"], facts["settings"], seed=seed)}


def outside(space: GraphSpace, settings: Mapping[str, Any]) -> str | None:
    """Say which fields keep a graph model out of the space; None where it is a point of it."""
    if space.place_of(settings) is not None:
        return None
    whole = {**DEFAULTS, **settings}
    away = [f"{name} = {whole[name]}" for name, options in space.options.items() if whole[name] not in options]
    return ", ".join(away) or "options that do not go together"


def options_said(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `[search.space]` with no value where it says "none" of a field that may have none."""
    return {name: _valued(name, options) for name, options in given.items()}


def _valued(name: str, options: Any) -> Any:
    field = GraphModelSpec.model_fields.get(name)
    if field is None or NoneType not in get_args(field.annotation):
        return options
    if isinstance(options, list):
        return [None if option == NO_VALUE else option for option in options]
    return None if options == NO_VALUE else options
