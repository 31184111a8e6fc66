"""Starting: a setting that a log could not judge goes into shop.toml as a small experiment."""

import json
import os
from pathlib import Path
from typing import Final

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.config import load_config

#: The part of the users who see a setting of which nothing is known.
SMALL: Final = 0.05


def begin(config: Path, name: str, setting: str, goal: str, margin: float) -> str:
    """Add an experiment of `setting` against what is served to shop.toml; returns its name.

    Raises UsageError (EXPT-06) where the name is taken, ConfigError where the file is not right.
    """
    if any(one.name == name for one in load_config(config).experiments):
        found = f"{config.name} has an experiment {name!r} already"
        raise UsageError(Problem("EXPT-06", found, "Expected a name of its own", "Give another with --name"))
    measured = goal if goal != "profit" else "revenue"
    guardrail = "clicks" if measured != "clicks" else "purchases"
    text = (
        config.read_text(encoding="utf-8").rstrip("\n")
        + f"""

[[experiments]]
name = {json.dumps(name)}
goal = "{measured}"
guardrails = ["{guardrail}"]
margin = {margin:g}

[[experiments.arms]]
name = "live"
share = {1 - SMALL:g}

[[experiments.arms]]
name = "candidate"
share = {SMALL:g}
goals = {json.dumps(setting)}
"""
    )
    aside = config.with_name(f".{config.name}.new")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, config)
    return name
