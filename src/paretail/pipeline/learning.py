"""Learning an agent: several seeds, a look at held-out visits now and then, and the best agent kept.

Agents learn in the simulated shop or from a log (`grounds.py`), on some of the users, one after the other by seeds of
their own; after each stretch of `stretch` steps other users judge, in the simulated shop by the same visits with the
same luck each time, which is none of learning's. Of each seed the best agent so far is written whole, with all that
learning on needs; the newest one beside it, so that a run that was stopped goes on where it was. A seed ends after its
steps, or where `patience` stretches brought nothing better; the run after its minutes, of which each seed has its part.
The best of all seeds is kept, and looked at once more where no choice was made, if there is such a place.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.files import atomic_file
from paretail.core.plain import plain
from paretail.core.progress import Progress, silent
from paretail.pipeline.grounds import Ground, Logged, Simulated

#: Agents that can be learned, and where.
NAMES: Final = ("bcq", "cql", "dqn", "iql", "ppo", "reinforce")
PLACES: Final = ("logs", "sim")
#: Those that learn from logs; steps and stretch of theirs are optimiser steps, of the others slates shown.
FROM_LOGS: Final = ("bcq", "cql", "iql")
STEPS: Final = {True: 300, False: 100_000}
STRETCH: Final = {True: 100, False: 10_000}
_BARS: Final = "▁▂▃▄▅▆▇█"


#: What those are with whom an agent is compared.
RIVALS: Final = {
    "popular": "what most people like", "relevant": "greed that knows the true relevance",
    "rested": "greed that knows it, and rests what was shown", "log": "the visits of the log",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is to be learned, and for how long; `minutes` 0 is no bound. `bundle`, `log` and `k` are those of logs."""

    agent: str = "ppo"
    env: str = "sim"
    steps: int = 100_000
    minutes: float = 0.0
    seed: int = 0
    stretch: int = 10_000
    patience: int = 5
    visits: int = 250
    bundle: str | None = None
    log: str | None = None
    k: int = 10
    publish: bool = False
    seeds: int = 3
    dials: bool = False

    def check(self) -> None:
        """Raise UsageError for what cannot be asked (AGENT-11)."""
        problems = [
            Problem("AGENT-11", f"--{name} {value!r}", f"Expected {nearest(value, there)}", "Correct the name")
            for name, value, there in (("agent", self.agent, NAMES), ("env", self.env, PLACES)) if value not in there
        ]  # fmt: skip
        numbers = {name: getattr(self, name) for name in ("steps", "stretch", "patience", "visits", "k", "seeds")}
        problems += [
            Problem("AGENT-11", f"--{name} {value}", "Expected 1 or more", "Correct the number")
            for name, value in numbers.items() if value < 1
        ]  # fmt: skip
        if not 0 <= self.minutes < 1e6:
            problems.append(
                Problem("AGENT-11", f"--minutes {self.minutes}", "Expected 0 or more", "Correct the number")
            )
        if self.dials and (self.agent in FROM_LOGS or self.env != "logs"):
            found = f"--dials with --agent {self.agent} --env {self.env}"
            problems.append(
                Problem("AGENT-15", found, "Expected --env logs and ppo, dqn or reinforce: others learn one reward",
                        "Leave --dials out, or take one of these agents")
            )  # fmt: skip
        if (self.env == "logs") != (self.bundle is not None and self.log is not None):
            found = f"--env {self.env} with --bundle {self.bundle} and --log {self.log}"
            problems.append(
                Problem("AGENT-11", found, "Expected both with --env logs, and none with --env sim",
                        "Give the bundle that answered, and the events of what it showed")
            )  # fmt: skip
        if self.publish and self.env != "logs":
            problems.append(
                Problem("AGENT-11", f"--publish with --env {self.env}", "Expected --env logs",
                        "Leave it out, or learn from the shop's log")
            )  # fmt: skip
        if problems:
            raise UsageError(problems)

    @property
    def run(self) -> dict[str, Any]:
        """What two calls must agree in to be one run."""
        mine = {"agent": self.agent, "env": self.env, "seed": self.seed, "stretch": self.stretch, "dials": self.dials}
        return mine if self.env == "sim" else mine | {"bundle": self.bundle, "log": self.log, "k": self.k}


@dataclass(frozen=True)
class Look:
    """What the agent was worth on held-out visits after so many steps; ± is a standard error. NaN: no log tells."""

    steps: int
    seconds: float
    reward: float
    se: float
    learning: float | None
    figures: dict[str, float]


@dataclass(frozen=True)
class Run:
    """What one seed came to: its looks, which was the best, and why it ended."""

    seed: int
    looks: tuple[Look, ...]
    best: int
    stopped: str

    @property
    def top(self) -> Look:
        """The best look."""
        return self.looks[self.best]


@dataclass(frozen=True)
class Learned:
    """A finished run of all seeds, of which `runs[chosen]` has the agent that is kept.

    `tested` is what that one is worth, and the standard error, where nothing was chosen; `rivals` are the mean rewards
    of others on the same visits.
    """

    asked: Asked
    runs: tuple[Run, ...]
    chosen: int
    rivals: dict[str, float]
    tested: tuple[float, float] | None = None
    judged: str = ""
    users: dict[str, Any] | None = None
    published: str | None = None

    @property
    def run(self) -> Run:
        """The seed that is kept."""
        return self.runs[self.chosen]

    @property
    def bests(self) -> list[float]:
        """The best look of each seed."""
        return [run.top.reward for run in self.runs]

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values."""
        looks = [asdict(look) for look in self.run.looks]
        mine: dict[str, Any] = {"looks": looks, "best": self.run.best, "stopped": self.run.stopped}
        return plain(asdict(self) | mine)  # type: ignore[no-any-return]  # of a dict, a dict


def learn(asked: Asked, out: Path, progress: Progress = silent) -> Learned:
    """Learn, write `out`/agent, a folder a seed and the report, and tell how it went; goes on where `out` has a run.

    Raises UsageError: AGENT-11 for what cannot be asked or where `out` holds a run of another kind or on other data,
    AGENT-15 for dials of an agent that has none.
    """
    from paretail.pipeline.learning_page import page

    asked.check()
    seeds = [asked.seed + number for number in range(asked.seeds)]
    folders = [out / f"seed-{seed}" for seed in seeds]
    for folder in folders:
        _before(asked.run, folder)
    began, runs, ground = monotonic(), list[Run](), _ground(asked, progress)
    for seed, folder in zip(seeds, folders, strict=True):
        left = 60 * asked.minutes - (monotonic() - began)
        minutes = max(left, 1e-3) / 60 / (len(seeds) - len(runs)) if asked.minutes else 0.0
        runs.append(_seed(asked, seed, folder, ground, minutes, progress))
    chosen = max(range(len(runs)), key=lambda number: _rank(runs[number].top, number))
    agent = ground.load(folders[chosen] / "agent")
    agent.save(out / "agent")
    learned = Learned(asked, tuple(runs), chosen, ground.rivals(), ground.tested(agent), ground.judged, ground.users())
    if asked.publish and isinstance(ground, Logged):
        learned = replace(learned, published=_published(learned, ground, out))
    for name, text in (("report.html", page(learned)), ("report.json", json.dumps(learned.to_json(), indent=1))):
        with atomic_file(out / name) as aside:
            aside.write_text(text, encoding="utf-8")
    return learned


def _seed(asked: Asked, seed: int, out: Path, ground: Ground, minutes: float, progress: Progress) -> Run:
    """Learn by one seed until it is due."""
    run = asked.run | dict(ground.mark)
    looks, began = _before(run, out), monotonic()
    agent = ground.load(out / "newest") if looks else ground.new()
    stopped = _due(asked, looks, began, minutes)
    while stopped is None:
        first = agent.steps

        def tell(told: Any, before: str = curve(looks)) -> None:
            at = min(1.0, told.steps / asked.steps)
            progress(f"seed {seed}: {told.steps:,} steps, visits {told.mean_return or 0:.2f}  {before}", at)

        steps, luck = max(1, min(asked.stretch, asked.steps - first)), seed * 10_000 + len(looks)
        looked = first <= (looks[-1].steps if looks else 0)  # else the run was stopped before it was judged
        left = max(minutes - (monotonic() - began) / 60, 1e-6) if minutes else 0.0
        told = agent.learn(ground.source, steps, luck, tell, asked.steps, left) if looked else []
        reward, se = ground.value(agent)
        figures = dict(told[-1].figures) if told else {}
        looks = [*looks, Look(agent.steps, round(agent.seconds, 1), reward, se, agent.mean_return, figures)]
        if _best(looks) == len(looks) - 1:
            agent.save(out / "agent")
        agent.save(out / "newest")
        _note(out, run, looks)
        stopped = _due(asked, looks, began, minutes)
    return Run(seed, tuple(looks), _best(looks), stopped)


def _ground(asked: Asked, progress: Progress) -> Ground:
    if asked.env == "sim":
        return Simulated(asked.agent, asked.seed, asked.visits, progress)
    assert asked.bundle is not None
    assert asked.log is not None
    return Logged(asked.agent, asked.seed, Path(asked.bundle), Path(asked.log), asked.k, asked.dials, progress)


def _published(learned: Learned, ground: Logged, out: Path) -> str:
    """Put the best agent into the bundle that the log is of, and return the new version."""
    from paretail.pipeline.agents import add_agent

    told = {"value": learned.run.top.reward, "log": learned.rivals["log"], **ground.facts()}
    return add_agent(Path(str(learned.asked.bundle)), learned.asked.agent, out / "agent", ground.wares, plain(told))


def curve(looks: list[Look]) -> str:
    """Return the held-out rewards so far as a line of bars, and the newest."""
    if not looks:
        return ""
    values = [look.reward for look in looks if not math.isnan(look.reward)][-40:]
    if not values:
        return "no value that the log can tell"
    low, high = min(values), max(values)
    bars = "".join(_BARS[int(7 * (value - low) / (high - low))] if high > low else _BARS[3] for value in values)
    return f"held out {bars} {values[-1]:.2f}"


def _best(looks: list[Look]) -> int:
    return max(range(len(looks)), key=lambda number: _rank(looks[number], number))


def _rank(look: Look, number: int) -> tuple[float, int]:
    """Return what the best look has most of; where no log tells, the newest counts as the best."""
    return (-math.inf, number) if math.isnan(look.reward) else (look.reward, -number)


def _due(asked: Asked, looks: list[Look], began: float, minutes: float) -> str | None:
    """Return why a seed ends, if it does."""
    if looks and looks[-1].steps >= asked.steps:
        return "steps"
    if minutes and looks and monotonic() - began >= 60 * minutes:
        return "minutes"
    if looks and len(looks) - 1 - _best(looks) >= asked.patience:
        return "patience"
    return None


def _before(run: Mapping[str, Any], out: Path) -> list[Look]:
    """Return the looks of the run that `out` holds, if any; what is known of that run must agree with this one."""
    if not (out / "run.json").exists():
        return []
    kept = json.loads((out / "run.json").read_text(encoding="utf-8"))
    if not run.items() <= kept["asked"].items():
        found = f"{out} holds a run of {kept['asked']}"
        raise UsageError(Problem("AGENT-11", found, f"Expected none, or one of {run}", "Choose another folder"))
    return [Look(**look) for look in kept["looks"]]


def _note(out: Path, run: Mapping[str, Any], looks: list[Look]) -> None:
    with atomic_file(out / "run.json") as aside:
        aside.write_text(json.dumps({"asked": run, "looks": [asdict(look) for look in looks]}), encoding="utf-8")
