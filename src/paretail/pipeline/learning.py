"""Learning an agent in the simulated shop: rounds, a look at held-out visits now and then, and the best agent kept.

The agent learns on one half of the shop's users; after each stretch of `stretch` steps the other half judges it, the
same visits with the same luck each time. The best agent so far is written whole, with all that learning on needs; the
newest one beside it, so that a run that was stopped goes on where it was. Learning ends after its steps or minutes, or
where `patience` stretches brought nothing better.
"""

import json
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from time import monotonic
from typing import Any, Final

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.files import atomic_file
from paretail.core.progress import Progress, silent
from paretail.pipeline.training_page import STYLE

#: Agents that can be learned, and where.
NAMES: Final = ("dqn", "ppo", "reinforce")
PLACES: Final = ("sim",)
LANES: Final = 8
_BARS: Final = "▁▂▃▄▅▆▇█"


#: What those are with whom an agent is compared.
RIVALS: Final = {
    "popular": "what most people like", "relevant": "greed that knows the true relevance",
    "rested": "greed that knows it, and rests what was shown",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is to be learned, and for how long; `minutes` 0 is no bound."""

    agent: str = "ppo"
    env: str = "sim"
    steps: int = 100_000
    minutes: float = 0.0
    seed: int = 0
    stretch: int = 10_000
    patience: int = 5
    visits: int = 250

    def check(self) -> None:
        """Raise UsageError for what cannot be asked (AGENT-11)."""
        problems = [
            Problem("AGENT-11", f"--{name} {value!r}", f"Expected {nearest(value, there)}", "Correct the name")
            for name, value, there in (("agent", self.agent, NAMES), ("env", self.env, PLACES)) if value not in there
        ]  # fmt: skip
        numbers = {name: getattr(self, name) for name in ("steps", "stretch", "patience", "visits")}
        problems += [
            Problem("AGENT-11", f"--{name} {value}", "Expected 1 or more", "Correct the number")
            for name, value in numbers.items() if value < 1
        ]  # fmt: skip
        if not 0 <= self.minutes < 1e6:
            problems.append(
                Problem("AGENT-11", f"--minutes {self.minutes}", "Expected 0 or more", "Correct the number")
            )
        if problems:
            raise UsageError(problems)


@dataclass(frozen=True)
class Look:
    """What the agent was worth on held-out visits after so many steps; ± is a standard error."""

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

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values."""
        return asdict(self)


def learn(asked: Asked, out: Path, progress: Progress = silent) -> Learned:
    """Learn, write `out`/agent, `out`/newest and the report, and tell how it went; goes on where `out` has a run.

    Raises UsageError (AGENT-11) for what cannot be asked or where `out` holds a run of another kind.
    """
    from paretail.policy.agents import AGENTS
    from paretail.sim import preset
    from paretail.sim.environment import ShopVectorEnv
    from paretail.sim.rivals import Popular, Relevant, Rested
    from paretail.sim.rollout import mean_se, rollout

    asked.check()
    shop = preset.frozen_shop(asked.seed)
    env = ShopVectorEnv(LANES, shop, preset.REWARD, preset.learners(shop))
    judges, began = preset.judges(shop), monotonic()
    looks = _before(asked, out)
    kind = AGENTS[asked.agent]
    if looks:
        agent: Any = kind.load(out / "newest")
    else:
        agent = kind(env.single_observation_space, env.item_vectors, shop.config.slots)
    stopped = _due(asked, looks, began)
    while stopped is None:
        first = agent.steps

        def tell(told: Any, before: str = curve(looks)) -> None:
            at = min(1.0, told.steps / asked.steps)
            progress(f"{told.steps:,} steps, visits of learning {told.mean_return or 0:.2f}  {before}", at)

        steps = min(asked.stretch, asked.steps - first)
        told = agent.learn(env, steps, seed=asked.seed * 10_000 + len(looks), progress=tell)
        played = rollout(shop, agent.crowd(), asked.visits, asked.seed, preset.REWARD, judges)
        reward, se = mean_se(played.reward)
        figures = dict(told[-1].figures) if told else {}
        seconds = (looks[-1].seconds if looks else 0.0) + (told[-1].seconds if told else 0.0)
        looks = [*looks, Look(agent.steps, round(seconds, 1), reward, se, agent.mean_return, figures)]
        if _best(looks) == len(looks) - 1:
            agent.save(out / "agent")
        agent.save(out / "newest")
        _note(out, asked, looks)
        stopped = _due(asked, looks, began)
    found = {
        rival.__name__.lower(): float(rollout(shop, rival(shop), asked.visits, asked.seed, users=judges).reward.mean())
        for rival in (Popular, Relevant, Rested)
    }
    learned = Learned(asked, tuple(looks), _best(looks), stopped, found)
    with atomic_file(out / "report.html") as aside:
        aside.write_text(page(learned), encoding="utf-8")
    with atomic_file(out / "report.json") as aside:
        aside.write_text(json.dumps(learned.to_json(), indent=1), encoding="utf-8")
    return learned


def curve(looks: list[Look]) -> str:
    """Return the held-out rewards so far as a line of bars, and the newest."""
    if not looks:
        return ""
    values = [look.reward for look in looks][-40:]
    low, high = min(values), max(values)
    bars = "".join(_BARS[int(7 * (value - low) / (high - low))] if high > low else _BARS[3] for value in values)
    return f"held out {bars} {values[-1]:.2f}"


def _best(looks: list[Look]) -> int:
    return max(range(len(looks)), key=lambda number: looks[number].reward)


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
    mine = {"agent": asked.agent, "env": asked.env, "seed": asked.seed, "stretch": asked.stretch}
    if kept["asked"] != mine:
        found = f"{out} holds a run of {kept['asked']}"
        raise UsageError(Problem("AGENT-11", found, f"Expected none, or one of {mine}", "Choose another folder"))
    return [Look(**look) for look in kept["looks"]]


def _note(out: Path, asked: Asked, looks: list[Look]) -> None:
    mine = {"agent": asked.agent, "env": asked.env, "seed": asked.seed, "stretch": asked.stretch}
    with atomic_file(out / "run.json") as aside:
        aside.write_text(json.dumps({"asked": mine, "looks": [asdict(look) for look in looks]}), encoding="utf-8")


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
        f"<h1>{escape(title)}</h1><p>Mean reward of a visit ± 95 %, all on the same held-out visits. The best look was "
        f"chosen on them too: new visits bring a little less.</p><table>{table}</table>"
        f"<h2>Curves, by stretch of {asked.stretch:,} steps</h2>{drawn}"
        f"<h2>Losses and scales</h2><table><tr><th>steps</th><th>held out</th><th>figures</th></tr>{scales}</table>"
        "</html>\n"
    )
