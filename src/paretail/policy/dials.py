"""Dials: from how far a goal is wanted to the weights that achieve it, measured on a sample of requests.

    share_g(w) = (V_g(w) - low_g) / (high_g - low_g)

V_g(w) is the mean value of goal g over the slates of the sample under weights w; low_g is reached where only the other
goals of the base count, high_g where g alone counts (the others break ties). A dial asks for a share. One dial is read
off the goal's response curve, which is measured where it bends; several are solved by following the measured shares. A
budget ("keep revenue >= -2 %") is the least weight on what is kept with which the bound holds.

A raw weight is no dial: at .5 it gives anything from a tenth to nine tenths of the range. What is measured on one
set of requests holds on another, since means over hundreds of slates hardly differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from threading import RLock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.policy import PolicyError
from paretail.policy.compositions import GREEDY, How
from paretail.policy.exposure import Exposures
from paretail.policy.goals import Goals
from paretail.policy.objectives import Objective
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool
from paretail.policy.position import NOWHERE, Position, position
from paretail.policy.slate import compose

#: The part of a weight that the others keep at a dial's end, so that they break ties.
TIE: Final = 1e-3
#: A curve is measured until its shares lie so close, at so many weights at most.
GAP, MOST_POINTS = 0.03, 40
#: A goal that goes no further than this part of its value has no range.
SAME: Final = 1e-9
#: Rounds of solving several dials, and how far off is near enough.
ROUNDS, NEAR = 14, 0.004
#: Steps of a bisection for a budget, rounds over several, and the part of a bound by which it may be missed.
HALVINGS, SWEEPS, KEEPING = 16, 3, 1e-3
#: What the base is kept as, beside settings.
BASE: Final = ""
Key = tuple[tuple[str, float], ...]
#: Slates of weightings that are kept, and settings.
MOST_SLATES, MOST_SETTINGS = 256, 2000
#: Slates are composed in so many steps where what was shown changes what is wanted.
STEPS: Final = 8


@dataclass(frozen=True, eq=False)
class Setting:
    """Weights in one over each goal's own unit, and what the sample says of them.

    `expected[goal]` is the mean over slates; `today[goal]` that of the base; `shares[goal]` is the position in the
    goal's reachable range, 0 to 1, of goals that have one, and of those asked for of which the base has all and others
    took some, in the range by chance to alone; `position` is where the setting lies among those measured.
    """

    weights: Mapping[str, float]
    expected: Mapping[str, float]
    today: Mapping[str, float]
    shares: Mapping[str, float]
    position: Position = NOWHERE


@dataclass(frozen=True, eq=False)
class Curve:
    """The response of a goal to its part λ of the weight: measured values, λ rising."""

    part: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def low(self) -> float:
        """The value where the goal has no weight."""
        return float(self.value[0])

    @property
    def high(self) -> float:
        """The value where it has all."""
        return float(max(self.value[-1], self.value[0]))

    @property
    def moves(self) -> bool:
        """Whether its weight changes the goal: not where slates without it have all there is, or all are alike."""
        return self.high - self.low > SAME * max(abs(self.low), abs(self.high))

    def share(self, value: float) -> float:
        """Return the position of a value in the range; 1 where there is none."""
        return (value - self.low) / (self.high - self.low) if self.moves else 1.0

    def part_for(self, share: float) -> float:
        """Return λ at which the goal reaches a share of its range."""
        rising = np.maximum.accumulate(self.value)
        wanted = self.low + share * (self.high - self.low)
        if share <= 0 or not self.moves:
            return float(self.part[0])
        first = int(np.searchsorted(rising, wanted - 1e-12))
        if first == 0 or first >= len(rising):
            return float(self.part[min(first, len(rising) - 1)])
        step = rising[first] - rising[first - 1]
        along = (wanted - rising[first - 1]) / step if step > 0 else 1.0
        return float(self.part[first - 1] + along * (self.part[first] - self.part[first - 1]))


@dataclass(eq=False)
class Dials:
    """The goals of a shop measured on `sample`; what was measured is kept. `base[goal]`: what is served without goals.

    `per[goal]` divides amounts for people (1 where it says nothing). Safe to share by threads: what is solved is read
    while others are solved, one at a time.
    Cost: a measurement composes the sample once, 512 requests about 30 ms on a core; a curve takes about 30, kept.
    """

    sample: Pool
    goals: Mapping[str, Objective[Any]]
    base: Mapping[str, float]
    k: int = 10
    how: How = GREEDY
    per: Mapping[str, float] = field(default_factory=dict)
    _slates: dict[Key, NDArray[np.int32]] = field(default_factory=dict)
    _means: dict[tuple[str, Key], float] = field(default_factory=dict)
    _curves: dict[str, Curve] = field(default_factory=dict)
    _ends: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _solved: dict[str, Setting | PolicyError] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)
    _turn: "count[int]" = field(default_factory=count)
    _lock: RLock = field(default_factory=RLock)

    def setting(self, goals: Goals) -> Setting:
        """Return the weights for what is asked (no preset); raises PolicyError (POL-05) for a budget out of reach."""

        def solved() -> Setting:
            parts = self._budget(goals) if goals.maximise is not None else self._dialled(goals.dial or {})
            return self._setting(parts, goals.names)

        return self._kept(goals.model_dump_json(), solved)

    @property
    def today(self) -> Setting:
        """What is served without goals: the base."""
        return self._kept(BASE, lambda: self._setting(self.base, ()))

    def _kept(self, key: str, solve: Callable[[], Setting]) -> Setting:
        """Return what is kept under a key, solved now where it is not; a refusal is kept like an answer."""
        found = self._solved.get(key)
        if found is None:
            with self._lock:
                found = self._solved.get(key) or self._keep(key, solve)
        self._used[key] = next(self._turn)
        if isinstance(found, PolicyError):
            raise PolicyError(found.problems)
        return found

    def _keep(self, key: str, solve: Callable[[], Setting]) -> Setting | PolicyError:
        found: Setting | PolicyError
        try:
            found = solve()
        except PolicyError as error:
            found = error
        self._forget()
        self._solved[key] = found
        return found

    def _forget(self) -> None:
        """Let go of what the solving of settings needed, and of what was not asked for longest."""
        if len(self._slates) > MOST_SLATES:
            self._slates.clear()
            self._means.clear()
        if len(self._solved) >= MOST_SETTINGS:
            newest = sorted(self._solved, key=self._last_used)[-MOST_SETTINGS // 2 :]
            self._solved = {key: self._solved[key] for key in newest}
            self._used = {key: self._used[key] for key in newest if key in self._used}

    def _last_used(self, key: str) -> int:
        return self._used.get(key, -1)

    @property
    def asked(self) -> list[Goals]:
        """The settings that are kept, those asked for last at the end."""
        kept = sorted((key for key, found in list(self._solved.items()) if isinstance(found, Setting) and key != BASE),
                      key=self._last_used)  # fmt: skip
        return [Goals.model_validate_json(key) for key in kept]

    def curve(self, goal: str) -> Curve:
        """Return the response curve of a goal against the rest of the base."""
        if goal not in self._curves:
            parts = [0.0, 0.5, 1.0]
            values = [self.mean(self._against(goal, part), goal) for part in parts]
            while len(parts) < MOST_POINTS and (gap := _widest(parts, values)) is not None:
                parts.insert(gap + 1, (parts[gap] + parts[gap + 1]) / 2)
                values.insert(gap + 1, self.mean(self._against(goal, parts[gap + 1]), goal))
            self._curves[goal] = Curve(np.array(parts), np.array(values))
        return self._curves[goal]

    def weights(self, parts: Mapping[str, float]) -> dict[str, float]:
        """Return weights in one over each goal's unit, from parts of spans."""
        return {goal: part / self._span(goal) for goal, part in parts.items()}

    def _setting(self, parts: Mapping[str, float], asked: tuple[str, ...]) -> Setting:
        expected, today = ({goal: self.mean(each, goal) for goal in self.goals} for each in (parts, self.base))
        shares = {goal: self._share(parts, goal) for goal in parts if self.curve(goal).moves}
        taken = {goal: self._share(parts, goal) for goal in asked if goal not in shares and self._is_held(goal)}
        shares |= {goal: share for goal, share in taken.items() if share < 1 - NEAR}  # the other goals take of it
        measured = [dict(key) for key in self._slates]
        still = tuple(name for name in asked if name not in shares)
        found = replace(position(self._share, parts, asked, measured), still=still)
        return Setting(self.weights(parts), expected, today, shares, found)

    def share(self, value: float, goal: str) -> float:
        """Return the position of a value in the goal's range; where the base has all of it, in that by chance to alone.

        1 where nothing moves the goal.
        """
        return (value - self.ends(goal)[0]) / self._span(goal) if self._is_held(goal) else self.curve(goal).share(value)

    def _share(self, parts: Mapping[str, float], goal: str) -> float:
        return self.share(self.mean(parts, goal), goal)

    def _is_held(self, goal: str) -> bool:
        """Whether slates without the goal have all there is of it, which other goals may take."""
        low, high = self.ends(goal)
        return not self.curve(goal).moves and high - low > SAME * max(abs(low), abs(high))

    def _dialled(self, dial: Mapping[str, float]) -> dict[str, float]:
        if len(dial) == 1:
            ((goal, share),) = dial.items()
            return self._against(goal, self.curve(goal).part_for(share))
        return self._solve(dial)

    def _solve(self, dial: Mapping[str, float]) -> dict[str, float]:
        """Return parts whose measured shares are as near to the dials as was found.

        A goal of which slates without goals have all there is misses where the others take too much of it, one that
        nothing can move never.
        """
        names = list(dial)
        moves = np.array([self.curve(name).moves for name in names])
        held = np.array([self._is_held(name) for name in names])
        asked = np.array([dial[name] for name in names])
        single = np.array([self.curve(name).part_for(dial[name]) for name in names])
        odds = np.log(np.clip(single, TIE, 1 - TIE)) - np.log1p(-np.clip(single, TIE, 1 - TIE))
        single_odds, best, least, steps = odds, odds, np.inf, np.full(len(names), 4.0)
        before = np.zeros(len(names))
        for _ in range(ROUNDS):
            parts = self._beside(names, odds)
            short = asked - np.array([self._share(parts, name) for name in names])
            short = np.where(moves | (held & ((short > 0) | (odds > single_odds))), short, 0.0)
            if np.abs(short).max() < least:
                best, least = odds, float(np.abs(short).max())
            if least < NEAR:
                break
            steps = np.where(short * before < 0, steps * 0.5, np.minimum(steps * 1.2, 16.0))
            odds, before = np.clip(odds + steps * short, -12.0, 12.0), short
        return self._beside(names, best)

    def _budget(self, goals: Goals) -> dict[str, float]:
        """Return the least parts on what is kept with which all bounds hold on the sample."""
        today = {name: self.mean(self.base, name) for name in goals.keep}
        least = {name: bound.of(today[name]) for name, bound in goals.bounds.items()}
        for name, bound in least.items():
            if bound - _slack(bound) > self.curve(name).high:
                raise self._out_of_reach(name, bound, self.curve(name).high, today[name])
        assert goals.maximise is not None
        free = self._rest(goals.names)
        logs = dict.fromkeys(least, -8.0)

        def parts(logs: Mapping[str, float]) -> dict[str, float]:
            kept = {name: float(np.exp(log)) for name, log in logs.items()}
            return {str(goals.maximise): 1.0, **kept, **{name: TIE * part for name, part in free.items()}}

        for _ in range(SWEEPS if len(least) > 1 else 1):
            for name, bound in least.items():
                low, high = -8.0, 8.0
                if self.mean(parts({**logs, name: low}), name) >= bound:
                    logs[name] = low
                    continue
                for _ in range(HALVINGS):
                    middle = (low + high) / 2
                    holds = self.mean(parts({**logs, name: middle}), name) >= bound
                    low, high = (low, middle) if holds else (middle, high)
                logs[name] = high
        for name, bound in least.items():
            if (found := self.mean(parts(logs), name)) < bound - _slack(bound):
                raise self._out_of_reach(name, bound, found, today[name])
        return parts(logs)

    def _out_of_reach(self, goal: str, least: float, most: float, today: float) -> PolicyError:
        per = self.per.get(goal, 1.0)
        change = f", {100 * (most - today) / abs(today):+.1f} % of what is served without goals" if today else ""
        found = f"the budget {goal} >= {least / per:.6g} is out of reach"
        return PolicyError(Problem("POL-05", found, f"Expected {most / per:.6g} at most{change}", "Ask for less"))

    def _against(self, goal: str, part: float) -> dict[str, float]:
        """Return parts with `part` on a goal and the remainder on the rest of the base."""
        part = TIE + (1 - 2 * TIE) * part
        return {**{name: (1 - part) * each for name, each in self._rest((goal,)).items()}, goal: part}

    def _beside(self, names: list[str], odds: NDArray[np.float64]) -> dict[str, float]:
        """Return parts of several goals, as odds against the rest of the base."""
        found = {**self._rest(tuple(names)), **dict(zip(names, np.exp(odds).tolist(), strict=True))}
        whole = sum(found.values())
        return {name: part / whole for name, part in found.items()}

    def _rest(self, goals: tuple[str, ...]) -> dict[str, float]:
        """Return the base without some goals, in parts of 1; where nothing is left, all other goals that users feel."""
        rest = {name: part for name, part in self.base.items() if name not in goals and part > 0}
        rest = rest or {name: 1.0 for name, goal in self.goals.items() if name not in goals and goal.attended}
        return {name: part / sum(rest.values()) for name, part in rest.items()}

    def ends(self, goal: str) -> tuple[float, float]:
        """Return what a goal has on the sample by chance, and where it alone counts."""
        if goal not in self._ends:
            both = self._by_chance(), self._composed({goal: 1.0})
            self._ends[goal] = tuple(float(self._value(goal, places).mean()) for places in both)
        low, high = self._ends[goal]
        return low, high

    def _span(self, goal: str) -> float:
        """Return how far a goal goes on the sample; 1 where nowhere."""
        low, high = self.ends(goal)
        return high - low if high > low else 1.0

    def _by_chance(self) -> NDArray[np.int32]:
        valid = self.sample.valid
        valid = np.pad(valid, ((0, 0), (0, max(0, self.k - valid.shape[1]))))
        order = np.random.default_rng(0).random(valid.shape) - valid
        places = np.argsort(order, axis=1)[:, : self.k].astype(np.int32)
        return np.where(np.take_along_axis(valid, places, 1), places, -1).astype(np.int32)

    def mean(self, parts: Mapping[str, float], goal: str) -> float:
        """Return the mean value of a goal over the sample's slates under `parts`, weights of the goals' spans."""
        key = tuple(sorted((name, float(part)) for name, part in parts.items()))
        if key not in self._slates:
            self._slates[key] = self._composed(self.weights(parts))
        if (goal, key) not in self._means:
            self._means[goal, key] = float(self._value(goal, self._slates[key]).mean())
        return self._means[goal, key]

    def brought(self, weights: Mapping[str, float], goal: str) -> float:
        """Return the mean value of a goal over the sample's slates under a setting's weights."""
        return float(self._value(goal, self._composed(weights)).mean())

    def _composed(self, weights: Mapping[str, float]) -> NDArray[np.int32]:
        """Return the slates under weights; where exposure is a goal, each step of users sees what those before had."""
        if not any(self.goals[name].shared for name in weights):
            return compose(self.sample, self.goals, weights, self.k, how=self.how)
        exposures, places = Exposures.none(self.sample.wares.items), []
        for users in _steps(self.sample.shape[0]):
            part = self.sample.rows(users).with_exposures(exposures)
            places.append(compose(part, self.goals, weights, self.k, how=self.how))
            exposures.add(part.items(places[-1]))
        return np.concatenate(places)

    def _value(self, goal: str, places: NDArray[np.int32]) -> Values:
        """Return what slates are worth to a goal, `[users]`."""
        found = self.goals[goal]
        if not found.shared:
            return found.value(self.sample, places)
        exposures, values = Exposures.none(self.sample.wares.items), []
        for users in _steps(len(places)):
            part = self.sample.rows(users).with_exposures(exposures)
            values.append(found.value(part, places[users]))
            exposures.add(part.items(places[users]))
        return np.concatenate(values)


def _slack(bound: float) -> float:
    """Return by how much a value may lie below a bound and still keep it: slates change in steps."""
    return KEEPING * abs(bound) + 1e-12


def _steps(users: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(users), min(STEPS, max(1, users)))


def _widest(parts: list[float], values: list[float]) -> int | None:
    """Return after which point a curve is measured next: where its share rises most; None where it is known well."""
    span = max(values) - min(values)
    rises = np.abs(np.diff(values)) / span if span > 0 else np.zeros(len(values) - 1)
    rises[np.diff(parts) < 1e-5] = 0.0
    return int(rises.argmax()) if rises.max() > GAP else None
