"""The loop of a search: ask, screen, train, tell, round by round, until a stop rule says that it is enough.

Each round is successive halving of two rungs: all of it is trained for a share of the epochs, the best of it in full.
What a screened architecture would have reached, which its strategy must be told, is foretold by the median ratio of
those that were trained in full, anew after each round, and is no more than what those of its round reached that were
ahead of it in screening; what is chosen was trained in full. Rounds are batch-
synchronous: what is asked for follows from the seed and from earlier rounds alone, whatever the number of workers.
K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016,
arXiv:1502.07943. Deviations: 1. within each round, two rungs; 2. the second training starts anew, for its learning
rate falls over all of its epochs.

A search that was killed is run again from its beginning: the strategy asks for the same, and the journal knows the
answers, so that nothing is evaluated twice and the end is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from time import monotonic
from typing import Any, Final, Literal

import numpy as np

from paretail.core.errors import Problem, UsageError
from paretail.core.progress import Progress, silent
from paretail.search.base import Architecture, Strategy
from paretail.search.goals import GOALS, gains
from paretail.search.journal import Journal
from paretail.search.space import GraphSpace
from paretail.search.standing import standing
from paretail.search.trial import Job, Measured
from paretail.search.workers import Lab

Stop = Literal["trials", "budget", "patience", "target", "space"]
#: What each stop rule says to people.
WHY: Final[dict[Stop, str]] = {
    "trials": "all trials are done", "budget": "the time is up", "patience": "nothing better came for long enough",
    "target": "the target is reached", "space": "there is nothing left to try",
}  # fmt: skip
#: Measures that change with training: what a screened trial would have reached is foretold. Costs are what they are.
GROWING: Final = ("ndcg", "cold_recall", "coverage", "diversity")
#: A training may take so many times the mean share of the budget.
LONGEST_SHARE: Final = 6.0
FEWEST_MINUTES: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """How a search goes; `named` identifies it among others that share a journal."""

    goals: tuple[str, ...] = ("accuracy",)
    trials: int = 40
    batch: int = 6
    screen: float = 0.25
    keep: float = 0.34
    seconds: float = float("inf")
    patience: int | None = None
    target: float | None = None
    seed: int = 0
    named: str = ""

    def promoted(self, screened: int) -> int:
        """How many of a round are trained in full: all of them where screening is a whole training."""
        return screened if self.screen == 1 else max(1, round(self.keep * screened))

    @property
    def minutes(self) -> float | None:
        """The longest that a training may take."""
        if self.seconds == float("inf"):
            return None
        return max(FEWEST_MINUTES, LONGEST_SHARE * self.seconds / self.trials / 60)


@dataclass(frozen=True)
class Tried:
    """One architecture: after screening, and where it was among the best of its round, after a whole training."""

    number: int
    round: int
    architecture: Architecture
    settings: Mapping[str, Any]
    screened: Measured | None
    whole: Measured | None
    called: str = ""

    @property
    def name(self) -> str:
        """What people call it: its number, or the name of a baseline."""
        return self.called or f"#{self.number}"

    @property
    def title(self) -> str:
        """Its name, and what it is."""
        return f"{self.name} ({name_of(self.settings)})"

    @property
    def fitted(self) -> dict[str, Any]:
        """Return the settings of the fit on all events: the best epoch is the last, at the pace it was reached at."""
        length, best = self.settings["epochs"], (self.whole or {}).get("epochs", self.settings["epochs"])
        pace = self.settings.get("lr_epochs") or (None if best == length else length)
        return {**self.settings, "epochs": best, "lr_epochs": pace}

    @property
    def failed(self) -> str | None:
        """Why it could not be trained."""
        found = self.whole or self.screened or {}
        return found.get("failed")


@dataclass
class Found:
    """What a search did so far: `best` has after each trial the greatest accuracy of those trained in full."""

    trials: list[Tried] = field(default_factory=list)
    best: list[float | None] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    stopped: Stop = "trials"
    seconds: float = 0.0
    evaluated: int = 0  # those that the journal did not know
    longest: float = 0.0  # of all rounds, in seconds

    @property
    def whole(self) -> list[Tried]:
        """Return those that were trained in full, and did not fail."""
        return [one for one in self.trials if one.whole is not None and "failed" not in one.whole]


class Loop:
    """A search over `space` by `strategy`; trainings are done by `lab` and kept in `journal`."""

    def __init__(self, space: GraphSpace, strategy: Strategy, lab: Lab, journal: Journal, plan: Plan) -> None:
        self.space, self.strategy, self.lab, self.journal, self.plan = space, strategy, lab, journal, plan
        self.found, self.ratios = Found(), {key: list[float]() for key in GROWING}
        self.first = 0.0  # what the first round may take, in seconds

    def baselines(self, jobs: Sequence[Job], progress: Progress = silent) -> list[Measured]:
        """Train what the search is compared with; points of the space are told to the strategy too."""
        progress("Training the baselines")
        began, jobs = monotonic(), [replace(job, minutes=self.plan.minutes) for job in jobs]
        measured, new = self._evaluated(jobs)
        self._spend("baselines", began, new)
        self._foresee(jobs, measured)
        self._check_goals(measured)
        known: dict[Architecture, Measured] = {}
        for job, one in zip(jobs, measured, strict=True):
            place = self.space.place_of(job.settings) if job.model == "graph" and "failed" not in one else None
            if place is not None:
                known[place] = one
        if known:
            self.strategy.tell(list(known), self._scores(list(known.values())))
        return measured

    def beside(self, jobs: Sequence[Job]) -> list[Measured]:
        """Train what is compared alone: the strategy hears nothing of it, and it is no part of the search's time."""
        limit = None if self.plan.minutes is None else self.plan.seconds / 60
        return self._evaluated([replace(job, minutes=limit) for job in jobs])[0]

    def run(self, progress: Progress = silent) -> Found:
        """Go on until a stop rule says so."""
        number = 0
        while (stop := self._stop()) is None:
            progress(self._told(), len(self.found.trials) / self.plan.trials)
            asked = self.strategy.ask(min(self.plan.batch, self.plan.trials - len(self.found.trials)))
            if not asked:
                stop = "space"
                break
            self._round(number, asked)
            number += 1
        self.found.stopped, self.found.alarms = stop, list(self.strategy.alarms)
        return self.found

    def _round(self, number: int, asked: Sequence[Architecture]) -> None:
        began = monotonic()
        screens, new = self._evaluated([self._job(one, self.plan.screen) for one in asked])
        self._check_goals(screens)
        chosen = self._promoted(screens)
        wholes, newer = self._evaluated([self._job(asked[row], 1.0) for row in chosen])
        whole = dict(zip(chosen, wholes, strict=True))
        self._learn_ratio([(screens[row], one) for row, one in whole.items()])
        for row, one in enumerate(asked):
            settings, place = self.space.settings(one), len(self.found.trials) + 1
            self.found.trials.append(Tried(place, number, one, settings, screens[row], whole.get(row)))
            self.found.best.append(self._best())
        self._tell(number)
        self._spend(f"round {number}", began, new + newer)

    def _job(self, architecture: Architecture, share: float) -> Job:
        minutes = self.plan.minutes
        limit = None if minutes is None else max(FEWEST_MINUTES, minutes * share)
        return Job("graph", self.space.settings(architecture), share, self.plan.seed, minutes=limit)

    def _evaluated(self, jobs: Sequence[Job]) -> tuple[list[Measured], int]:
        """Return what the jobs found, and how many of them the journal did not know."""
        known = {job.key: self.journal.get(job.key, job.minutes) for job in jobs}
        new = list({job.key: job for job in jobs if known[job.key] is None}.values())
        done = self.lab.run(new, self._keep)
        known |= {job.key: found for job, found in zip(new, done, strict=True)}
        self.found.evaluated += len(new)
        return [known[job.key] or {} for job in jobs], len(new)

    def _keep(self, job: Job, found: Measured) -> None:
        """Keep what a trial found; a crash tells of the machine, and is tried again where the search is run again."""
        if not found.get("crashed"):
            self.journal.add(job.key, _plain(job), found)

    def _check_goals(self, measured: Sequence[Measured]) -> None:
        """Raise UsageError (SRCH-23) for a goal that nothing which could be trained is measured in."""
        found = [one for one in measured if "failed" not in one]
        for goal, gained in zip(self.plan.goals, gains(found, self.plan.goals).T, strict=True):
            if found and np.isnan(gained).all():
                raise UsageError(_immeasurable(goal))

    def _promoted(self, screens: Sequence[Measured]) -> list[int]:
        """Return the rows that are trained in full: the most accurate after screening, then the best in all goals."""
        gained = gains(screens, self.plan.goals)
        worth = standing(gained)
        order = [int(row) for row in np.argsort(-worth, kind="stable") if np.isfinite(worth[row])]
        # A front has two ends in each goal, and no room for all: the choice is made among the most accurate.
        best = max(order, key=lambda row: gained[row, 0], default=None)
        order.sort(key=lambda row: row != best)
        return order[: self.plan.promoted(len(screens))]

    def _tell(self, number: int) -> None:
        """Tell the strategy of round `number`, and again of what was only screened before it: ratios are known better.

        What a strategy was told last counts (`base.py`), so that all points are on the scale of whole trainings.
        """
        told = [one for one in self.found.trials if one.round == number or one.whole is None]
        scores = self._scores([self._foretold(one) for one in told])
        self.strategy.tell([one.architecture for one in told], scores)
        self.found.figures.append({name: float(value) for name, value in self.strategy.figures.items()})

    def _learn_ratio(self, pairs: Sequence[tuple[Measured, Measured]]) -> None:
        for screen, whole in pairs:
            for key, ratios in self.ratios.items():
                if "failed" not in whole and screen.get(key) and whole.get(key) is not None:
                    ratios.append(whole[key] / screen[key])

    def _foretold(self, one: Tried) -> Measured:
        screen = one.screened or {}
        if one.whole is not None or "failed" in screen:
            return one.whole or screen
        ahead = [other for other in self.found.whole if other.round == one.round]
        told = dict(screen)
        for key, known in self.ratios.items():
            if known and screen.get(key) is not None:
                bounds = [float(np.median(known)) * screen[key]]
                bounds += [other.whole[key] for other in ahead if _leads(other, key, screen[key])]  # type: ignore[index]
                told[key] = min(bounds)
        return told

    def _scores(self, found: Sequence[Measured]) -> Any:
        scores = gains(found, self.plan.goals)
        return scores[:, 0] if len(self.plan.goals) == 1 else scores

    def _best(self) -> float | None:
        return max((one.whole["ndcg"] for one in self.found.whole if one.whole), default=None)

    def _spend(self, name: str, began: float, new: int) -> None:
        """Count the time of a round; of one that the journal knew, the time that it took then."""
        name, took = f"{self.plan.named}/{name}", monotonic() - began
        before = self.journal.noted(name)
        if new or before is None:
            took += before or 0.0
            self.journal.note(name, took)
        else:
            took = before
        self.found.seconds += took
        if "round" in name:
            self.found.longest = max(self.found.longest, took)

    def _foresee(self, jobs: Sequence[Job], measured: Sequence[Measured]) -> None:
        """Estimate what the first round takes: as long as baselines of its kind, as many side by side."""
        took = [one.get("seconds", 0.0) for job, one in zip(jobs, measured, strict=True) if job.model == "graph"]
        if took:
            batch, screen = self.plan.batch, self.plan.screen
            trainings = batch if screen == 1 else batch * screen + self.plan.promoted(batch)
            aside = min(self.found.seconds / max(sum(one.get("seconds", 0.0) for one in measured), 1e-9), 1.0)
            self.first = float(np.median(took)) * trainings * aside

    def _stop(self) -> Stop | None:
        found, plan = self.found, self.plan
        if len(found.trials) >= plan.trials:
            return "trials"
        if found.seconds + (found.longest or self.first) > plan.seconds:
            if not found.whole:
                raise UsageError(_too_little(found.seconds, found.longest or self.first, plan))
            return "budget"
        best = found.best[-1] if found.best else None
        if best is None:
            return None
        if plan.target is not None and best >= plan.target:
            return "target"
        since = len(found.best) - 1 - found.best.index(best)
        return "patience" if plan.patience is not None and since >= plan.patience else None

    def _told(self) -> str:
        tried, whole = len(self.found.trials), self.found.whole
        told = f"{tried} of {self.plan.trials} tried"
        if not whole:
            return told
        best = max(whole, key=lambda one: one.whole["ndcg"] if one.whole else 0.0)
        assert best.whole is not None
        return f"{told}; best: #{best.number} {name_of(best.settings)}, {best.whole['ndcg']:.4f}"


def name_of(settings: Mapping[str, Any]) -> str:
    """Return a short name of a point: what people ask for first."""
    layers = "no graph" if settings["message"] == "none" else f"{settings['message']} x {settings['depth']}"
    return f"{layers}, {settings['loss']}, {settings['scorer']}, dim {settings['dim']}"


def _leads(other: Tried, key: str, value: float) -> bool:
    """Say whether one that was trained in full was no worse than `value` after screening."""
    found = (other.screened or {}).get(key), (other.whole or {}).get(key)
    return None not in found and found[0] >= value  # type: ignore[operator]


def _plain(job: Job) -> dict[str, Any]:
    return {**vars(job), "settings": dict(job.settings)}


def _immeasurable(goal: str) -> Problem:
    found, expected = f"--goals {goal}: this shop has nothing to measure it by", GOALS[goal].needs
    return Problem("SRCH-23", found, expected, "Give the shop these data, or leave the goal out")


def _too_little(spent: float, ahead: float, plan: Plan) -> Problem:
    need = f", and the next round would take about {ahead:.0f} s" if ahead else ""
    found = f"--budget {plan.seconds:.0f} s: after {spent:.0f} s no architecture was trained in full{need}"
    more = ceil(4 * (spent + ahead) / 60)
    do = f"Give it more: --budget {more}m, or more; what was trained is kept"
    return Problem("SRCH-16", found, "Time for one round of trials at least", do)
