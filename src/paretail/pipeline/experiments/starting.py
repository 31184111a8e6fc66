"""Starting: what a log cannot judge goes into shop.toml as a small experiment, what it lets through as `[serve] goals`.

shop.toml is edited as text, so that its comments stay, and replaced once it is read without a fault.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.config import load_config

#: The part of the users who see something of which nothing is known.
SMALL: Final = 0.05
#: What must not suffer, beside the goal.
GUARDRAILS: Final = ("clicks", "purchases")
_SERVE: Final = re.compile(r"^\[serve\][ \t]*(#.*)?$", re.MULTILINE)
_EXPERIMENT: Final = re.compile(r"^\[\[experiments\]\][ \t]*(#.*)?$", re.MULTILINE)
_OTHER: Final = re.compile(r"^\[(?!\[experiments\.)", re.MULTILINE)
_ACTIVE: Final = re.compile(r"^active[ \t]*=.*\n?", re.MULTILINE)
_NEXT: Final = re.compile(r"^\[", re.MULTILINE)
_GOALS: Final = re.compile(r"^goals[ \t]*=.*\n?", re.MULTILINE)


def begin(config: Path, name: str, arm: Mapping[str, str], goal: str, margin: float) -> str:
    """Add an experiment of `arm` (goals, bundle, policy) against what is served to shop.toml; returns its name.

    Raises UsageError (EXPT-06) where the name is taken, ConfigError where the file is not right.
    """
    if any(one.name == name for one in load_config(config).experiments):
        found = f"{config.name} has an experiment {name!r} already"
        raise UsageError(Problem("EXPT-06", found, "Expected a name of its own", "Give another with --name"))
    guardrail = next(one for one in GUARDRAILS if one != goal)
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in arm.items())
    _write(config, config.read_text(encoding="utf-8").rstrip("\n") + f"""

[[experiments]]
name = {json.dumps(name)}
goal = "{goal}"
guardrails = ["{guardrail}"]
margin = {margin:g}

[[experiments.arms]]
name = "live"
share = {1 - SMALL:g}

[[experiments.arms]]
name = "candidate"
share = {SMALL:g}
{settings}
""")  # fmt: skip
    return name


def serve_goals(config: Path, goals: str | None) -> None:
    """Make `goals` what lists serve where questions say nothing ([serve] goals), None: nothing."""
    load_config(config)
    text = config.read_text(encoding="utf-8")
    line = "" if goals is None else f"goals = {json.dumps(goals)}\n"
    head = _SERVE.search(text)
    if head is None:
        _write(config, f"{text.rstrip()}\n\n[serve]\n{line}")
        return
    start = min(head.end() + 1, len(text))
    after = _NEXT.search(text, start)
    end = len(text) if after is None else after.start()
    _write(config, f"{text[: head.end()]}\n{line}{_GOALS.sub('', text[start:end])}{text[end:]}")


def end(config: Path, name: str) -> None:
    """Set an experiment of shop.toml inactive; raises UsageError (EXPT-09) where it has no table of its own."""
    text = config.read_text(encoding="utf-8")
    for head in _EXPERIMENT.finditer(text):
        after = _OTHER.search(text, head.end())
        block = text[head.start() : len(text) if after is None else after.start()]
        if tomllib.loads(block)["experiments"][0].get("name") == name:
            mine = _ACTIVE.sub("", block).replace(head[0], f"{head[0]}\nactive = false", 1)
            _write(config, text[: head.start()] + mine + text[head.start() + len(block) :])
            return
    found = f"{config.name} has no table [[experiments]] with the name {name!r}"
    raise UsageError(Problem("EXPT-09", found, "Expected one, to set it inactive there", "Set active = false yourself"))


def _write(config: Path, text: str) -> None:
    """Replace shop.toml; raises ConfigError, and leaves it, where the text is not right."""
    aside = config.with_name(f".{config.name}.new")
    aside.write_text(text, encoding="utf-8")
    try:
        load_config(aside)
        os.replace(aside, config)
    finally:
        aside.unlink(missing_ok=True)
