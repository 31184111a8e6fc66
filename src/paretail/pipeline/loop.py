"""The loop: a shop that serves, learns from what followed, forecasts and releases, day by day, in simulation.

Each day: 1. serve visits by the policy in place, so many slots in a hundred at random, the odds logged; fewer once an
agent has been learned, in both arms of its trial and ever after. While a candidate is on trial half of the visits are
its own. 2. Feedback: the day's visits join the log. 3. The trial is looked at by the rules of experiments
(`evaluate/experiments/stopping.py`): ship, stop, keep, futile or go on. 4. Where none runs and the log has grown by
half since the last, an agent is learned from the newest visits of four users in five. 5. Forecast: fitted-Q evaluation
on every tenth user, by a model of users that is fitted to another tenth. 6. Release: what the forecast says is worse is
given up, else a trial begins, and what wins it is released.

Beside it, the same visitors with the same luck meet the first day's policy, frozen, with its random slots and without
any, and an oracle. After each release the truth is asked, which the shop never sees: how much better or worse than
what it replaced, without random slots.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any, Final

import numpy as np

from paretail.core.errors import Problem, UsageError
from paretail.core.files import atomic_file
from paretail.core.progress import Progress, silent
from paretail.data.sessions import SessionLog
from paretail.evaluate.experiments.sequences import Arm
from paretail.evaluate.experiments.stopping import Metric, Rules, futile, look
from paretail.sim.logged import logged
from paretail.sim.preset import REWARD, frozen_shop
from paretail.sim.rivals import Relevant, Rested

#: Visits from which a candidate learns, at least and at most; by which share the log has grown since the last; those
#: of a trial in both arms, and those after which it may be futile.
LEAST: Final = 1000
NEWEST: Final = 2500
GROWN: Final = 0.5
TRIAL: Final = 1200
EARLY: Final = 400
#: Users from whose visits agents learn, to whom the forecast's model of users is fitted, and on whom it is made.
SHARES: Final = (0.8, 0.1, 0.1)
STEPS: Final = 100
#: Visits by which the truth of a release is known.
ASKED: Final = 500
AGENTS: Final = ("bcq", "cql", "iql")
TOTALS: Final = ("reward", "frozen", "unexplored", "oracle")


@dataclass(frozen=True)
class Asked:
    """What is run; `visits` a day, `margin` what a release may lose at most.

    `explore` is the share of random slots at first, `settled` that of agents and of what they are compared with.
    """

    days: int = 30
    seed: int = 0
    visits: int = 200
    agent: str = "iql"
    explore: float = 0.2
    settled: float = 0.05
    margin: float = 0.02

    def check(self) -> None:
        """Raise UsageError (AGENT-11) for what cannot be asked."""
        wrong = [
            (self.agent in AGENTS, f"--agent {self.agent}", f"one of {', '.join(AGENTS)}"),
            (self.days >= 1, f"--days {self.days}", "1 or more"),
            (self.visits >= 20, f"--visits {self.visits}", "20 or more"),
            (0 < self.explore <= 0.5, f"--explore {self.explore}", "a share above 0, at most .5"),
            (0 < self.settled <= self.explore, f"--settled {self.settled}", f"above 0, at most {self.explore}"),
        ]
        problems = [Problem("AGENT-11", found, f"Expected {told}", "Correct it") for ok, found, told in wrong if not ok]
        if problems:
            raise UsageError(problems)


@dataclass(frozen=True)
class Day:
    """A day: rewards of all its visits, what was decided, and of a release the true gain in percent, else None."""

    day: int
    reward: float
    frozen: float
    unexplored: float
    oracle: float
    policy: str
    decided: str
    forecast: str
    truth: float | None = None


@dataclass(frozen=True)
class Looped:
    """A finished run."""

    asked: Asked
    days: tuple[Day, ...]
    cpu_seconds: float

    def total(self, name: str) -> float:
        """Return the cumulative reward of `reward`, `frozen`, `unexplored` or `oracle`."""
        return float(sum(getattr(day, name) for day in self.days))

    @property
    def should_have_stopped(self) -> list[int]:
        """The days of releases that lost more than the margin, in truth."""
        return [day.day for day in self.days if day.truth is not None and day.truth < -100 * self.asked.margin]

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values."""
        totals = {name: self.total(name) for name in TOTALS}
        return asdict(self) | {"totals": totals, "should_have_stopped": self.should_have_stopped}


@dataclass(eq=False)
class Served:
    """A policy in place or on trial: its name, how it acts, and the returns of its visits since the trial began."""

    name: str
    acts: Callable[[], Any]
    returns: list[float] = field(default_factory=list)


class Loop:
    """The shop as it stands after some days."""

    def __init__(self, asked: Asked, progress: Progress = silent) -> None:
        asked.check()
        self.asked, self.progress = asked, progress
        self.shop = frozen_shop(asked.seed)
        self.place = Served("relevant", lambda: Relevant(self.shop))
        self.trial: Served | None = None
        self.logs: list[SessionLog] = []
        self.learned, self.known = 0, 0

    def run(self) -> Looped:
        """Run all days."""
        began, days = process_time(), []
        for day in range(1, self.asked.days + 1):
            days.append(self._day(day))
            total = sum(one.reward for one in days) / max(1e-9, sum(one.frozen for one in days)) - 1
            self.progress(
                f"Day {day}: {days[-1].policy}, {days[-1].decided}; {total:+.1%} over frozen", day / self.asked.days
            )
        return Looped(self.asked, tuple(days), round(process_time() - began, 1))

    def _day(self, day: int) -> Day:
        first, rested = Relevant(self.shop), Rested(self.shop)
        frozen, unexplored, oracle = (
            self._beside(day, *one) for one in ((first, self.asked.explore), (first, 0.0), (rested, 0.0))
        )
        name = self.place.name
        reward = self._serve(day)
        decided, replaced = self._looked()
        forecast = ""
        if self.trial is None and replaced is None and decided == "none" and self._is_due():
            decided, forecast, replaced = self._candidate(day)
        truth = None if replaced is None else self._truth(replaced, day)
        return Day(day, reward, frozen, unexplored, oracle, name, decided, forecast, truth)

    # ---- the steps of a day

    def _serve(self, day: int) -> float:
        """Serve the day's visits; those of a trial are divided by visit."""
        arms = [self.place] if self.trial is None else [self.place, self.trial]
        total = 0.0
        for number, arm in enumerate(arms):
            count = self.asked.visits // len(arms) + (number < self.asked.visits % len(arms))
            log = self._log(arm, count, 1000 * day + number)
            arm.returns += log.returns.tolist()
            total += float(log.returns.sum())
            self.logs.append(log)
        return total

    def _looked(self) -> tuple[str, Served | None]:
        """Look at the trial, if one runs; return what was decided and, after a release, what was replaced."""
        if self.trial is None:
            return "none", None
        arms = (Arm.of(np.array(one.returns)) for one in (self.trial, self.place))
        metric, rules = Metric(*arms), Rules(users=TRIAL, margin=self.asked.margin)
        verdict: str = look(metric, {}, rules).verdict
        if verdict == "go on" and metric.candidate.n + metric.incumbent.n >= EARLY and futile(metric, rules):
            verdict = "futile"
        if verdict == "go on":
            return "trial goes on", None
        replaced, candidate = self.place, self.trial
        self.trial = None
        if verdict == "ship":
            self.place = candidate
            return f"{candidate.name} released after its trial", replaced
        return f"{candidate.name} given up ({verdict})", None

    def _is_due(self) -> bool:
        """Return whether there are visits enough for another candidate."""
        visits = sum(len(log.starts) for log in self.logs)
        return visits >= max(LEAST, (1 + GROWN) * self.known)

    def _candidate(self, day: int) -> tuple[str, str, Served | None]:
        """Learn an agent from the newest visits, forecast it, and release it or begin its trial."""
        from paretail.policy.agents.logs import Told

        agent, estimate = self._learn(day)
        self.learned, self.known = self.learned + 1, sum(len(log.starts) for log in self.logs)
        candidate = Served(f"{self.asked.agent} {self.learned}", lambda: Told(agent))
        incumbent = float(np.mean(self.place.returns))
        self.place.returns = []
        if estimate.refused:
            self.trial = candidate
            return f"trial of {candidate.name}", "refused by " + ", ".join(p.code for p in estimate.refused), None
        forecast = f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f}) against {incumbent:.2f}"
        if estimate.high < incumbent:
            return f"{candidate.name} given up by the forecast", forecast, None
        self.trial = candidate
        return f"trial of {candidate.name}", forecast, None

    def _learn(self, day: int) -> tuple[Any, Any]:
        """Return a new agent, learned from some users' newest visits, and its forecast from others'.

        The forecast's model of users is fitted to yet others: no user is in two of the three.
        """
        from paretail.policy.agents import FROM_LOGS
        from paretail.policy.agents.judging import Judge
        from paretail.policy.agents.users import UserModel
        from paretail.sim.environment import observation_space
        from paretail.sim.observe import Observer

        observer = Observer(self.shop)
        kind, space = FROM_LOGS[self.asked.agent], observation_space(observer)
        log, fitted, other = newest(self.logs, NEWEST).parts(*SHARES)
        agent = kind(space, observer.items, self.shop.config.slots)
        agent.learn(log, STEPS, seed=1000 * self.asked.seed + day)
        users = UserModel.fit(kind(space, observer.items, self.shop.config.slots), fitted, day)
        return agent, Judge(users, other).estimate(agent)

    # ---- what the shop never sees

    def _beside(self, day: int, policy: Any, epsilon: float) -> float:
        """Return the rewards that others would have brought from as many visits of the day."""
        log = logged(self.shop, policy, self.asked.visits, epsilon, self._seed(1000 * day), REWARD)
        return float(log.returns.sum())

    def _truth(self, replaced: Served, day: int) -> float:
        """Return by how many percent the policy in place is better than what it replaced, exploring apart."""
        now, then = (
            float(logged(self.shop, one.acts(), ASKED, 0.0, self._seed(day), REWARD).returns.mean())
            for one in (self.place, replaced)
        )
        return 100 * (now / then - 1)

    def _log(self, arm: Served, visits: int, number: int) -> SessionLog:
        explore = self.asked.settled if self.learned else self.asked.explore
        log = logged(self.shop, arm.acts(), visits, explore, self._seed(number), REWARD)
        return replace(log, session=log.session + len(self.logs) * 1_000_000)

    def _seed(self, number: int) -> int:
        return self.asked.seed * 10_000_000 + number


def newest(logs: list[SessionLog], visits: int) -> SessionLog:
    """Return the newest logs that hold so many visits, as one."""
    kept: list[SessionLog] = []
    for log in reversed(logs):
        if kept and sum(len(one.starts) for one in kept) >= visits:
            break
        kept.insert(0, log)
    columns: dict[str, Any] = {}
    for name, value in vars(kept[0]).items():
        parts = [getattr(one, name) for one in kept]
        columns[name] = (
            {key: np.concatenate([part[key] for part in parts]) for key in value} if isinstance(value, dict)
            else np.concatenate(parts)
        )  # fmt: skip
    return SessionLog(**columns)


def kept(looped: Looped, out: Path) -> None:
    """Write report.html and report.json."""
    from paretail.pipeline.loop_page import page

    for name, text in (("report.html", page(looped)), ("report.json", json.dumps(looped.to_json(), indent=1))):
        with atomic_file(out / name) as aside:
            aside.write_text(text, encoding="utf-8")
