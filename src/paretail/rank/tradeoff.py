"""The trade-off report: what each way to weigh the tasks' losses is worth, beside single-task models.

    gain_t = 1 - L_t / L_t(single)            of each task's loss on later impressions, against its single-task model
    Δm = mean_t gain_t                        above 0: better than as many models as tasks

The picture has two axes, the mean gain of a group of tasks and of all others. The weighted sum is swept along them; a
method is dominated where a point of that sweep, or another method, is at least as good on both and better on one. The
volume is that of what is dominated, above the worst that the sweep has on each axis, its ends aside, which leave tasks
out.

Sources: K.-K. Maninis, I. Radosavovic, I. Kokkinos, "Attentive Single-Tasking of Multiple Tasks", CVPR 2019,
arXiv:1904.08918 (Δm); V. Kurin et al., "In Defense of the Unitary Scalarization for Deep Multi-Task Learning", NeurIPS
2022, arXiv:2201.04122 (the tuned sum belongs into every table). Deviations: 1. Of the settings that are within two
standard errors of the greatest Δm the simplest is chosen: even weights, then tuned ones, then a method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.moo.hypervolume import hypervolume
from paretail.moo.pareto import dominators, front
from paretail.moo.sign import gains
from paretail.rank import RankError

Array = NDArray[np.float64]
Kind = Literal["weighted", "method", "space"]  # a space: even weights, another loss of what follows a click

#: Differences of fewer standard errors say nothing.
SURE: Final = 2.0


@dataclass(frozen=True, eq=False)
class Tried:
    """One way to weigh the losses. `shares[task][users]` sum to the task's loss: each user's part of it."""

    name: str
    kind: Kind
    balance: str
    settings: Mapping[str, Any]
    shares: Mapping[str, Array]
    weight: float | None = None  # of the group, 0 to 1
    cost: float | None = None  # of a step, relative to a plain one
    failed: str | None = None
    covariance: Sequence[Sequence[float]] | None = None  # of the tasks, where it is learned
    correlation: float | None = None  # of P(purchase | click) with the purchases that followed clicks

    def checked(self) -> "Tried":
        """Return the same, failed where a loss is no number: it would pass for the best, and for the worst."""
        wrong = [task for task, loss in self.losses().items() if not np.isfinite(loss)]
        return replace(self, failed=f"the loss of {', '.join(wrong)} is no number") if wrong else self

    def losses(self) -> dict[str, float]:
        """Return the loss of each task."""
        return {task: float(share.sum()) for task, share in self.shares.items()}


@dataclass(frozen=True)
class Row:
    """A line of the report. Gains are shares, .01 is one per cent; `behind` is from the greatest Δm, and its error."""

    name: str
    kind: Kind
    balance: str
    settings: Mapping[str, Any]
    weight: float | None
    losses: Mapping[str, float]
    gain: Mapping[str, float]
    delta_m: float
    behind: tuple[float, float]
    goals: tuple[float, float]
    dominated_by: str | None
    hypervolume: float  # of the sweep with this one added
    cost: float | None
    covariance: Sequence[Sequence[float]] | None = None  # of the tasks, where it is learned
    correlation: float | None = None  # of P(purchase | click) with the purchases that followed clicks


@dataclass(frozen=True)
class Tradeoff:
    """See the module. `rows` have the sweep in its order, then the methods; `failed` says why there is no row."""

    tasks: tuple[str, ...]
    group: tuple[str, ...]
    others: tuple[str, ...]
    single: Mapping[str, float]
    rows: tuple[Row, ...]
    hypervolume: float  # of the sweep alone
    chosen: str
    reason: str
    about: Mapping[str, Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, single: Tried, tried: Sequence[Tried], group: Sequence[str], about: Mapping[str, Any],
           remarks: Sequence[str] = ()) -> Self:  # fmt: skip
        """Judge what was tried; `tried` must hold points of the weighted sum.

        A way whose losses are no numbers has failed. Raises RankError (RANK-09) where those of the single-task models,
        or of all weighted sums, are none.
        """
        tasks, tried, wrong = tuple(single.shares), [one.checked() for one in tried], single.checked().failed
        if wrong or not any(one.failed is None and one.kind == "weighted" for one in tried):
            found = f"of the single-task models, {wrong}" if wrong else "no weighted sum has losses that are numbers"
            do = "Lower [rank] lr, or look for prices and propensities that cannot be"
            raise RankError(Problem("RANK-09", found, "Losses of single-task models and of a weighted sum", do))
        sides = tuple(t for t in tasks if t in group), tuple(t for t in tasks if t not in group)
        done = [one for one in tried if one.failed is None]
        rows = _rows(single, done, tasks, sides)
        chosen, reason = _chosen(rows)
        return cls(
            tasks, *sides, single.losses(), rows, _volume(rows, ()), chosen, reason, about,
            {one.name: one.failed for one in tried if one.failed is not None}, tuple(remarks),
        )  # fmt: skip

    def row(self, name: str) -> Row:
        """Return the line of that name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def plain(self) -> Row:
        """The weighted sum with weights as near to even as there are: as the ranker is trained by default."""
        return min(_swept(self.rows), key=lambda row: abs((row.weight or 0.0) - 0.5))

    @property
    def tuned(self) -> Row:
        """The weighted sum of the greatest Δm."""
        return max(_swept(self.rows), key=lambda row: row.delta_m)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"plain": self.plain.name, "tuned": self.tuned.name}


def _rows(
    single: Tried, done: Sequence[Tried], tasks: Sequence[str], sides: tuple[tuple[str, ...], ...]
) -> tuple[Row, ...]:
    base = np.array([single.shares[task].sum() for task in tasks])
    gain = 1 + gains(np.array([[one.shares[task].sum() for task in tasks] for one in done]) / base)
    delta = gain.mean(1)
    best = done[int(delta.argmax())]
    goals = np.stack([gain[:, [tasks.index(task) for task in side]].mean(1) for side in sides], 1)
    rows = []
    for one, gained, mean, at in zip(done, gain, delta, goals, strict=True):
        better = np.flatnonzero(dominators(at, goals))
        by = done[int(better[goals[better].sum(1).argmax()])].name if len(better) else None
        rows.append(
            Row(one.name, one.kind, one.balance, one.settings, one.weight, one.losses(),
                dict(zip(tasks, gained.tolist(), strict=True)), float(mean), _behind(one, best, tasks, base),
                (float(at[0]), float(at[1])), by, 0.0, one.cost, one.covariance, one.correlation)
        )  # fmt: skip
    return tuple(Row(**{**vars(row), "hypervolume": _volume(rows, (row,))}) for row in rows)


def _behind(one: Tried, best: Tried, tasks: Sequence[str], base: Array) -> tuple[float, float]:
    """Return by how much one's Δm is below the best's, and the standard error of that over users."""
    lost = sum(
        (one.shares[task] - best.shares[task]) / whole / len(tasks) for task, whole in zip(tasks, base, strict=True)
    )
    users = len(np.atleast_1d(lost))
    return float(np.sum(lost)), float(np.sqrt(users) * np.std(lost))


def _volume(rows: Sequence[Row], more: Sequence[Row]) -> float:
    """Return the volume that the sweep and `more` dominate, above the worst of the sweep on each axis, ends aside."""
    swept = _swept(rows)
    inner = [row for row in swept if 0 < (row.weight or 0.0) < 1]
    worst = np.array([row.goals for row in (inner if len(inner) > 1 else swept)]).min(0)
    return hypervolume(np.array([row.goals for row in [*swept, *more]]), worst)


def _swept(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.kind == "weighted"]


def _chosen(rows: Sequence[Row]) -> tuple[str, str]:
    """Return the simplest of those that are as good as the best, and why."""
    best = max(rows, key=lambda row: row.delta_m)
    plain = min(_swept(rows), key=lambda row: abs((row.weight or 0.0) - 0.5))
    tuned = max(_swept(rows), key=lambda row: row.delta_m)
    if best.name == plain.name:
        return plain.name, "even weights have the greatest Δm of all"
    if plain.behind[0] <= SURE * plain.behind[1]:
        return plain.name, f"even weights are the simplest, and {best.name} is better by no more than {_told(plain)}"
    if best.name == tuned.name:
        return tuned.name, f"the tuned weighted sum has the greatest Δm of all, {_told(plain)} above even weights"
    if tuned.behind[0] <= SURE * tuned.behind[1]:
        return tuned.name, f"a weighted sum is simpler, and {best.name} is better by no more than {_told(tuned)}"
    return best.name, f"its Δm is {_told(tuned)} above that of the tuned weighted sum"


def _told(row: Row) -> str:
    return f"{100 * row.behind[0]:.2f} ± {100 * row.behind[1]:.2f} %"


def on_front(rows: Sequence[Row]) -> list[Row]:
    """Return the lines that none dominates, by their first goal."""
    there = front(np.array([row.goals for row in rows]))
    return sorted((row for row, is_there in zip(rows, there, strict=True) if is_there), key=lambda row: row.goals)
