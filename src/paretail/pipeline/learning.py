"""Learning an agent: rounds, a look at held-out visits now and then, and the best agent kept.

The agent learns in the simulated shop or from a log (`grounds.py`), on one half of the users; after each stretch of
`stretch` steps the other half judges it, in the simulated shop by the same visits with the same luck each time. The
best agent so far is written whole, with all that learning on needs; the newest one beside it, so that a run that was
stopped goes on where it was. Learning ends after its steps or minutes, or where `patience` stretches brought nothing
better.
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from time import monotonic
from typing import Any, Final

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.files import atomic_file
from paretail.core.plain import plain
from paretail.core.progress import Progress, silent
from paretail.pipeline.grounds import Ground, Logged, Simulated
from paretail.pipeline.training_page import STYLE

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

    def check(self) -> None:
        """Raise UsageError for what cannot be asked (AGENT-11)."""
        problems = [
            Problem("AGENT-11", f"--{name} {value!r}", f"Expected {nearest(value, there)}", "Correct the name")
            for name, value, there in (("agent", self.agent, NAMES), ("env", self.env, PLACES)) if value not in there
        ]  # fmt: skip
        numbers = {name: getattr(self, name) for name in ("steps", "stretch", "patience", "visits", "k")}
        problems += [
            Problem("AGENT-11", f"--{name} {value}", "Expected 1 or more", "Correct the number")
            for name, value in numbers.items() if value < 1
        ]  # fmt: skip
        if not 0 <= self.minutes < 1e6:
            problems.append(
                Problem("AGENT-11", f"--minutes {self.minutes}", "Expected 0 or more", "Correct the number")
            )
        if self.env == "logs" and self.agent in NAMES and self.agent not in FROM_LOGS:
            found = f"--agent {self.agent} --env logs"
            problems.append(
                Problem("AGENT-11", found, f"Expected one of {', '.join(FROM_LOGS)}: others learn by trying",
                        "Learn it with --env sim, or take another agent")
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
        mine = {"agent": self.agent, "env": self.env, "seed": self.seed, "stretch": self.stretch}
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
class Learned:
    """A finished run; `rivals` are the mean rewards of others on the same visits."""

    asked: Asked
    looks: tuple[Look, ...]
    best: int
    stopped: str
    rivals: dict[str, float]
    judged: str = ""
    users: dict[str, Any] | None = None
    published: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values."""
        return plain(asdict(self))  # type: ignore[no-any-return]  # of a dict, a dict


def learn(asked: Asked, out: Path, progress: Progress = silent) -> Learned:
    """Learn, write `out`/agent, `out`/newest and the report, and tell how it went; goes on where `out` has a run.

    Raises UsageError (AGENT-11) for what cannot be asked or where `out` holds a run of another kind.
    """
    asked.check()
    looks, began = _before(asked, out), monotonic()
    ground = _ground(asked, progress)
    agent = ground.load(out / "newest") if looks else ground.new()
    stopped = _due(asked, looks, began)
    while stopped is None:
        first = agent.steps

        def tell(told: Any, before: str = curve(looks)) -> None:
            at = min(1.0, told.steps / asked.steps)
            progress(f"{told.steps:,} steps, visits of learning {told.mean_return or 0:.2f}  {before}", at)

        steps, seed = min(asked.stretch, asked.steps - first), asked.seed * 10_000 + len(looks)
        looked = first <= (looks[-1].steps if looks else 0)  # else the run was stopped before it was judged
        told = agent.learn(ground.source, steps, seed=seed, progress=tell) if looked else []
        reward, se = ground.value(agent)
        figures = dict(told[-1].figures) if told else {}
        looks = [*looks, Look(agent.steps, round(agent.seconds, 1), reward, se, agent.mean_return, figures)]
        if _best(looks) == len(looks) - 1:
            agent.save(out / "agent")
        agent.save(out / "newest")
        _note(out, asked, looks)
        stopped = _due(asked, looks, began)
    learned = Learned(asked, tuple(looks), _best(looks), stopped, ground.rivals(), ground.judged, _users(ground))
    if asked.publish and isinstance(ground, Logged):
        learned = replace(learned, published=_published(learned, ground, out))
    with atomic_file(out / "report.html") as aside:
        aside.write_text(page(learned), encoding="utf-8")
    with atomic_file(out / "report.json") as aside:
        aside.write_text(json.dumps(learned.to_json(), indent=1), encoding="utf-8")
    return learned


def _ground(asked: Asked, progress: Progress) -> Ground:
    if asked.env == "sim":
        return Simulated(asked.agent, asked.seed, asked.visits, progress)
    assert asked.bundle is not None
    assert asked.log is not None
    return Logged(asked.agent, asked.seed, Path(asked.bundle), Path(asked.log), asked.k, progress)


def _published(learned: Learned, ground: Logged, out: Path) -> str:
    """Put the best agent into the bundle that the log is of, and return the new version."""
    from paretail.pipeline.agents import add_agent

    best = learned.looks[learned.best]
    told = {"value": best.reward, "log": learned.rivals["log"]}
    return add_agent(Path(str(learned.asked.bundle)), learned.asked.agent, out / "agent", ground.wares, plain(told))


def _users(ground: Ground) -> dict[str, Any] | None:
    """Return how the model of users that judges on a log is calibrated, on visits that it was not fitted to."""
    if not isinstance(ground, Logged):
        return None
    return {name: [asdict(one) for one in bins] for name, bins in ground.judge.calibration.items()}


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


def _due(asked: Asked, looks: list[Look], began: float) -> str | None:
    """Return why learning ends, if it does."""
    if looks and looks[-1].steps >= asked.steps:
        return "steps"
    if asked.minutes and looks and monotonic() - began > 60 * asked.minutes:
        return "minutes"
    if looks and len(looks) - 1 - _best(looks) >= asked.patience:
        return "patience"
    return None


def _before(asked: Asked, out: Path) -> list[Look]:
    """Return the looks of the run that `out` holds, if any."""
    if not (out / "run.json").exists():
        return []
    kept = json.loads((out / "run.json").read_text(encoding="utf-8"))
    if kept["asked"] != asked.run:
        found = f"{out} holds a run of {kept['asked']}"
        raise UsageError(Problem("AGENT-11", found, f"Expected none, or one of {asked.run}", "Choose another folder"))
    return [Look(**look) for look in kept["looks"]]


def _note(out: Path, asked: Asked, looks: list[Look]) -> None:
    with atomic_file(out / "run.json") as aside:
        aside.write_text(json.dumps({"asked": asked.run, "looks": [asdict(look) for look in looks]}), encoding="utf-8")


def page(learned: Learned) -> str:
    """Return the report as one HTML page that loads nothing."""
    from paretail.learn.curves import Epoch, Run, svg

    asked, best = learned.asked, learned.looks[learned.best]
    title = f"{asked.agent} learned in {asked.env}, seed {asked.seed}"
    epochs = tuple(
        Epoch(n + 1, look.steps, look.learning, 0.0, look.seconds, look.reward) for n, look in enumerate(learned.looks)
    )
    seconds = learned.looks[-1].seconds
    run = Run(epochs, learned.best + 1, best.reward, "epochs", best.steps, seconds)
    drawn = svg(run, "reward of held-out visits", "return of visits of learning")
    rows = [
        ("Agent", asked.agent), ("Steps", f"{learned.looks[-1].steps:,} in {seconds:.0f} s"),
        ("Ended by", learned.stopped), ("Best", f"{best.reward:.2f} ± {1.96 * best.se:.2f} after {best.steps:,} steps"),
        *((f"For comparison: {name} ({RIVALS[name]})", f"{value:.2f}") for name, value in learned.rivals.items()),
    ]  # fmt: skip
    table = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    scales = "".join(
        f"<tr><td>{look.steps:,}</td><td>{look.reward:.2f} ± {1.96 * look.se:.2f}</td>"
        f"<td>{escape(', '.join(f'{name} {value:.3g}' for name, value in look.figures.items()))}</td></tr>"
        for look in learned.looks
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><p>{escape(learned.judged)} The best look was chosen on them too: new visits bring a "
        f"little less. A value is nan where a guard refuses it.</p><table>{table}</table>"
        f"<h2>Curves, by stretch of {asked.stretch:,} steps</h2>{drawn}"
        f"<h2>Losses and scales</h2><table><tr><th>steps</th><th>held out</th><th>figures</th></tr>{scales}</table>"
        f"{_calibration(learned.users)}</html>\n"
    )


def _calibration(users: dict[str, Any] | None) -> str:
    """Return how far the model of users is to be believed, as a table."""
    if users is None:
        return ""
    rows = "".join(
        f"<tr><td>{escape(what)}</td><td>{one['count']:,}</td><td>{one['predicted']:.3f}</td>"
        f"<td>{one['happened']:.3f}</td></tr>"
        for what, bins in users.items() for one in bins
    )  # fmt: skip
    return (
        "<h2>The model of users, on visits that it was not fitted to</h2><table><tr><th>what</th><th>cases</th>"
        f"<th>predicted</th><th>happened</th></tr>{rows}</table>"
    )
