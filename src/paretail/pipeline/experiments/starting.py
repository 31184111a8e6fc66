"""Starting: what a log cannot judge goes into shop.toml as a small experiment; what it lets through as `[serve] goals`,
or as the policy of a placement.

shop.toml is edited as text, so that its comments stay, and replaced once it is read without a fault: `serving`,
`filled_by` and `ended` return what it would be, `replaced` puts it there.
"""

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from paretail.core.errors import Problem, UsageError
from paretail.core.files import atomic_file
from paretail.pipeline.config import PlacementConfig, load_config, parse_config

#: The part of the users who see something of which nothing is known.
SMALL: Final = 0.05
#: What must not suffer, beside the goal.
GUARDRAILS: Final = ("clicks", "purchases")
_SERVE: Final = re.compile(r"^\[serve\][ \t]*(#.*)?$", re.MULTILINE)
_EXPERIMENT: Final = re.compile(r"^\[\[experiments\]\][ \t]*(#.*)?$", re.MULTILINE)
_OTHER: Final = re.compile(r"^\[(?!\[experiments\.)", re.MULTILINE)
_ACTIVE: Final = re.compile(r"^[ \t]*active[ \t]*=.*\n?", re.MULTILINE)
_NEXT: Final = re.compile(r"^\[", re.MULTILINE)
_GOALS: Final = re.compile(r"^[ \t]*goals[ \t]*=.*\n?", re.MULTILINE)
_POLICY: Final = re.compile(r"^\[\[serve\.policies\]\][ \t]*(#.*)?$", re.MULTILINE)
_POLICY_LINE: Final = re.compile(r"^[ \t]*(policy|goals)[ \t]*=.*\n?", re.MULTILINE)
_FILLS: Final = re.compile(r"^[ \t]*(policy|goals|explore)[ \t]*=.*\n?", re.MULTILINE)


def begin(
    config: Path, name: str, arm: Mapping[str, str], goal: str, margin: float, placement: str | None = None
) -> str:
    """Add an experiment of `arm` (goals, bundle, policy) against what is served to shop.toml; returns its name.

    `placement`: the lists that it concerns, None for all.

    Raises UsageError: EXPT-06 where the name is taken, EXPT-10 where another has all users; ConfigError where the file
    is not right.
    """
    others = load_config(config).experiments
    if any(one.name == name for one in others):
        found = f"{config.name} has an experiment {name!r} already"
        raise UsageError(Problem("EXPT-06", found, "Expected a name of its own", "Give another with --name"))
    taken = (one.name for one in others if one.active and one.placement in (None, placement or ""))
    if (first := next(taken, None)) is not None:
        found = f"the experiment {first!r} of {config.name} has these lists already, so that another gets no users"
        do = "End it (paretail experiment --finish), or set active = false in it"
        raise UsageError(Problem("EXPT-10", found, "Expected none beside a new one", do))
    guardrail = next(one for one in GUARDRAILS if one != goal)
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in arm.items())
    where = "" if placement is None else f"\nplacement = {json.dumps(placement)}"
    before = config.read_text(encoding="utf-8").rstrip("\n")
    text = f"""{before}

[[experiments]]
name = {json.dumps(name)}{where}
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
"""
    with replaced(config, text):
        return name


def serving(text: str, goals: str | None) -> str:
    """Return a shop.toml in which `goals` are what lists serve where questions say nothing ([serve]), None: nothing."""
    line = "" if goals is None else f"goals = {json.dumps(goals)}\n"
    head = _SERVE.search(text)
    if head is None:
        return f"{text.rstrip()}\n\n[serve]\n{line}"
    start = min(head.end() + 1, len(text))
    after = _NEXT.search(text, start)
    end = len(text) if after is None else after.start()
    return f"{text[: head.end()]}\n{line}{_GOALS.sub('', text[start:end])}{text[end:]}"


def filled_by(text: str, placement: str, policy: str, explore: float | None = None, goals: str | None = None) -> str:
    """Return a shop.toml in which a policy, moved by `goals`, fills the lists of a placement.

    What else its table says stays, but for goals of the policy before.
    """
    lines = f"policy = {json.dumps(policy)}\n" + ("" if goals is None else f"goals = {json.dumps(goals)}\n")
    lines += "" if explore is None else f"explore = {explore:g}\n"
    told = _POLICY_LINE if explore is None else _FILLS
    for head in _POLICY.finditer(text):
        after = _NEXT.search(text, head.end())
        block = text[head.start() : len(text) if after is None else after.start()]
        if tomllib.loads(block)["serve"]["policies"][0].get("placement", PlacementConfig().placement) == placement:
            rest = told.sub("", block[len(head[0]) :].removeprefix("\n"))
            return text[: head.start()] + f"{head[0]}\n{lines}{rest}" + text[head.start() + len(block) :]
    return f"{text.rstrip()}\n\n[[serve.policies]]\nplacement = {json.dumps(placement)}\n{lines}"


def ended(text: str, name: str) -> str:
    """Return a shop.toml in which an experiment is inactive; raises UsageError (EXPT-09) where it has no table."""
    for head in _EXPERIMENT.finditer(text):
        after = _OTHER.search(text, head.end())
        block = text[head.start() : len(text) if after is None else after.start()]
        if tomllib.loads(block)["experiments"][0].get("name") == name:
            mine = _ACTIVE.sub("", block).replace(head[0], f"{head[0]}\nactive = false", 1)
            return text[: head.start()] + mine + text[head.start() + len(block) :]
    found = f"shop.toml has no table [[experiments]] with the name {name!r}"
    raise UsageError(Problem("EXPT-09", found, "Expected one, to set it inactive there", "Set active = false yourself"))


@contextmanager
def replaced(config: Path, text: str) -> Iterator[None]:
    """Replace shop.toml at the end of a block, so that what goes with it comes first; where that fails, it stays.

    Raises ConfigError before the block where the text is not right. Links and the file's mode stay.
    """
    parse_config(text, config.name)
    file = config.resolve()
    with atomic_file(file) as aside:
        aside.write_text(text, encoding="utf-8")
        shutil.copymode(file, aside)
        yield
