"""The front of goals: what slates bring under many weightings, which of them nothing beats, and where today is.

Weightings are a lattice over the goals asked for and the rest of `[policy] base`. Each is measured on the requests on
which dials are; those that no other beats are the front. Suggestions are front points by name: the balanced one
(augmented Chebyshev), and for each goal the most of it while no other falls below today's (epsilon-constraint). An
evolutionary search over the weights is the yardstick, where asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.progress import Progress, silent
from paretail.moo import pareto
from paretail.moo.hypervolume import hypervolume
from paretail.moo.scalarise import augmented, lattice
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.steering import EVERYBODY
from paretail.policy import PolicyError
from paretail.policy.dials import Dials

#: Divisions of the lattice by how many parts it has, rest included: 41, 91, 126 and 126 weightings.
DIVISIONS: Final = {2: 40, 3: 12, 4: 5, 5: 4}
#: The yardstick composes slates for so many times as many weightings.
TIMES: Final = 20


@dataclass(frozen=True)
class Point:
    """One weighting: the mean of each goal over slates, and the dials that ask for it."""

    values: dict[str, float]
    dials: dict[str, float]
    is_front: bool

    @property
    def line(self) -> str:
        """The setting as `--goals` reads it."""
        return ",".join(f"{goal}={share:.2f}" for goal, share in self.dials.items())


@dataclass(frozen=True)
class Front:
    """All that was measured. `volume` is of 1 where every goal could have its best at once."""

    version: str
    goals: tuple[str, ...]
    units: dict[str, str]
    k: int
    requests: int
    points: tuple[Point, ...]
    today: dict[str, float]
    better_than_today: int
    suggestions: dict[str, Point]
    volume: float
    yardstick: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with the line that asks for each point."""
        told = asdict(self)
        told["points"] = [asdict(point) | {"goals": point.line} for point in self.points]
        told["suggestions"] = {why: asdict(point) | {"goals": point.line} for why, point in self.suggestions.items()}
        return told


def measure(recommender: Recommender, goals: Sequence[str], k: int, yardstick: Any = None, seed: int = 0,
            progress: Progress = silent) -> Front:  # fmt: skip
    """Measure the front of two to four goals; raises PolicyError POL-01, POL-02 for goals, POL-09 for their number."""
    if yardstick is not None:
        _check_yardstick(yardstick)
    if len(set(goals)) != len(goals) or not 2 <= len(goals) <= 4:
        found = f"the goals {', '.join(goals) or 'none'}"
        raise PolicyError(Problem("POL-09", found, "Expected two, three or four different ones", "Correct --goals"))
    progress("Drawing requests")
    steering = recommender.steering
    for name in goals:
        steering.goal(name)
    dials = steering.dials(EVERYBODY, k)
    rest = [name for name in dials.base if name not in goals]
    weightings = lattice(len(goals) + bool(rest), DIVISIONS[len(goals) + bool(rest)])
    values = np.empty((len(weightings), len(goals)))
    for row, weighting in enumerate(weightings):
        values[row] = _values(dials, goals, rest, weighting)
        progress("Composing", (row + 1) / len(weightings))
    values = np.unique(values.round(12), axis=0)  # several weightings may give the same slates
    points = _points(dials, goals, values, steering.per)
    today = {name: dials.mean(dials.base, name) for name in goals}
    low, span = _range(dials, goals)
    at = (np.array(list(today.values())) - low) / span
    scaled = (values - low) / span
    return Front(
        recommender.version, tuple(goals), {name: steering.goal(name).unit for name in goals}, k, dials.sample.shape[0],
        points, {name: value / steering.per(name) for name, value in today.items()},
        int(pareto.dominators(at, scaled).sum()), _suggestions(points, scaled, at, goals),
        hypervolume(scaled, np.zeros(len(goals))),
        None if yardstick is None else _yardstick(dials, goals, rest, yardstick, len(weightings), seed, low, span),
    )  # fmt: skip


def _values(dials: Dials, goals: Sequence[str], rest: Sequence[str], weighting: NDArray[np.float64]) -> list[float]:
    parts = dict(zip(goals, weighting.tolist(), strict=False))
    parts |= {name: float(weighting[-1]) / len(rest) for name in rest}
    return [dials.mean(parts, name) for name in goals]


def _points(dials: Dials, goals: Sequence[str], values: NDArray[np.float64], per: Any) -> tuple[Point, ...]:
    kept = pareto.front(values)
    return tuple(
        Point(
            {name: float(value / per(name)) for name, value in zip(goals, row, strict=True)},
            {name: round(min(1.0, max(0.0, dials.share(float(value), name))), 4)
             for name, value in zip(goals, row, strict=True)},
            bool(is_front),
        )
        for row, is_front in zip(values, kept, strict=True)
    )  # fmt: skip


def _range(dials: Dials, goals: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each goal has by chance, and how far it goes."""
    ends = np.array([dials.ends(name) for name in goals])
    return ends[:, 0], np.maximum(ends[:, 1] - ends[:, 0], 1e-12)


def _suggestions(points: Sequence[Point], scaled: NDArray[np.float64], today: NDArray[np.float64],
                 goals: Sequence[str]) -> dict[str, Point]:  # fmt: skip
    kept = np.array([point.is_front for point in points])
    balanced = np.where(kept, augmented(scaled, np.ones(len(goals)), np.ones(len(goals))), -np.inf)
    found = {"balanced": points[int(balanced.argmax())]}
    for number, name in enumerate(goals):
        others = [other for other in range(len(goals)) if other != number]
        holds = kept & (scaled[:, others] >= today[others] - 1e-9).all(1) & (scaled[:, number] > today[number])
        if holds.any():
            found[f"most {name}, no other below today"] = points[int(np.where(holds, scaled[:, number], -1).argmax())]
    return found


def _check_yardstick(method: str) -> None:
    from paretail.moo.evolve import METHODS  # MissingExtraError without the extra `evolve`

    if method not in METHODS:
        told = f"the yardstick {method!r} is unknown"
        raise PolicyError(Problem("POL-09", told, f"Expected one of {', '.join(METHODS)}", "Correct --yardstick"))


def _yardstick(dials: Dials, goals: Sequence[str], rest: Sequence[str], method: Any, weightings: int, seed: int,
               low: NDArray[np.float64], span: NDArray[np.float64]) -> dict[str, Any]:  # fmt: skip
    from paretail.moo.evolve import evolve

    def worth(keys: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = np.maximum(keys, 1e-6)
        weights /= weights.sum(1, keepdims=True)
        return (np.array([_values(dials, goals, rest, row) for row in weights]) - low) / span

    size = len(goals) + bool(rest)
    found = evolve(worth, np.zeros(size), np.ones(size), len(goals), method, 40, TIMES * weightings, seed)
    return {
        "method": method,
        "weightings": TIMES * weightings,
        "volume": hypervolume(found.gains, np.zeros(len(goals))),
    }


def asked(text: str) -> list[str]:
    """Return the goals of a line such as `revenue,diversity`."""
    return [name.strip() for name in text.split(",") if name.strip()]
