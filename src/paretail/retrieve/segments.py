"""Weights of several retrievers by segment of users: how they are kept, and how they are learned from lists.

    w_{s, m} = c_s θ_{s, m} + (1 - c_s) θ_m,   c_s = n_s / (n_s + SHRINKAGE)

with n_s questions of the segment s, θ_s learned on them and θ on all. Kept only if lists are better with segments than
without, on questions that did not teach. Of the models only the lists are known here (`models/hybrid.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, field_validator

from paretail.core.config import Config
from paretail.core.rng import rng_for
from paretail.data.types import History
from paretail.retrieve import listwise, mixing
from paretail.retrieve.listwise import Lists, ndcg
from paretail.retrieve.models.blend import JUDGED_AT
from paretail.retrieve.signals.profiles import wished

#: Users with so many events or more begin a segment of their own.
SEGMENTS: Final = (0, 2, 6, 21)
#: So many questions of a segment count as much as everybody's weights.
SHRINKAGE: Final = 300.0

Weights = dict[str, NonNegativeFloat]


class Blending(Config):
    """The weights of one mode."""

    segments: list[Weights] = Field(
        min_length=1, description="Weight of each member for users with 0 or 1, 2 to 5, 6 to 20, and more events; one "
        "entry: for everybody.",
    )  # fmt: skip
    kappa: float = Field(1.0, ge=0, description="Shape log(1 + kappa x) of each member; 0 leaves it as it is.")

    @field_validator("segments")
    @classmethod
    def _one_or_all(cls, segments: list[Weights]) -> list[Weights]:
        if len(segments) not in (1, len(SEGMENTS)):
            raise ValueError(f"1 or {len(SEGMENTS)} entries")
        return segments


@dataclass(frozen=True, eq=False)
class Learned:
    """Weights, and NDCG of each question: by the mix that other questions taught, and by each member alone."""

    blending: Blending
    mixed: NDArray[np.float64]
    alone: Mapping[str, NDArray[np.float64]]
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of the members that were trained

    @property
    def cut(self) -> list[str]:
        """Return the members whose training ended for lack of time."""
        return [name for name, run in self.runs.items() if run.get("stopped") == "minutes"]

    @property
    def mean(self) -> float:
        """NDCG of the mix."""
        return float(self.mixed.mean())

    @property
    def error(self) -> float:
        """Its standard error."""
        return float(self.mixed.std() / np.sqrt(len(self.mixed)))

    def ahead_of(self, member: str) -> tuple[float, float]:
        """Return by how much the mix is better than one member, and the standard error of that."""
        gain = self.mixed - self.alone[member]
        return float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))

    def to_json(self) -> dict[str, Any]:
        """Return what a bundle keeps of it."""
        return {
            "k": JUDGED_AT, "ndcg": self.mean, "standard_error": self.error, "questions": len(self.mixed),
            "alone": {name: float(values.mean()) for name, values in self.alone.items()},
            "alone_errors": {name: float(x.std() / np.sqrt(len(x))) for name, x in self.alone.items()},
            "ahead_of": {name: self.ahead_of(name) for name in self.alone},
            **self.blending.model_dump(),
        }  # fmt: skip


def by_segment(
    lists: Lists, segments: NDArray[np.int64], names: list[str], common: mixing.Learned,
    alone: Mapping[str, NDArray[np.float64]], seed: int,
) -> Learned:  # fmt: skip
    """Keep weights by segment where they make better lists than the common ones, on the half that did not teach."""
    columns = np.array([names.index(name) for name in common.theta])
    shaped = lists.of_signals(columns).shaped(common.kappa)
    half = rng_for("retrieve/hybrid", seed).integers(0, 2, len(lists)).astype(bool)
    before, after = np.zeros(len(lists)), np.zeros(len(lists))
    for teach, test in ((half, ~half), (~half, half)):
        base = listwise.fit(shaped.of(teach), mixing.L2)
        own = _weights(shaped.of(teach), segments[teach], base)
        before[test] = ndcg(shaped.of(test), base, JUDGED_AT)
        after[test] = _ndcg_by_segment(shaped.of(test), segments[test], own)
    gain = after - before
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        return Learned(Blending(segments=[common.theta], kappa=common.kappa), before, alone)
    theta = _weights(shaped, segments, np.array(list(common.theta.values())))
    told = [{name: round(float(w), 4) for name, w in zip(common.theta, row, strict=True)} for row in theta]
    return Learned(Blending(segments=told, kappa=common.kappa), after, alone)


def _weights(lists: Lists, segments: NDArray[np.int64], common: listwise.Theta) -> NDArray[np.float64]:
    """Return theta[segments, members], each row between its own and the common one by its number of questions."""
    rows = []
    for segment in range(len(SEGMENTS)):
        mine = segments == segment
        share = mine.sum() / (mine.sum() + SHRINKAGE)
        own = listwise.fit(lists.of(mine), mixing.L2, start=common) if mine.any() else common
        rows.append(share * own + (1 - share) * common)
    return np.array(rows)


def _ndcg_by_segment(lists: Lists, segments: NDArray[np.int64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.zeros(len(lists))
    for segment in range(len(SEGMENTS)):
        mine = segments == segment
        if mine.any():
            values[mine] = ndcg(lists.of(mine), theta[segment], JUDGED_AT)
    return values


def segments_of(history: History, weights: Mapping[str, float]) -> NDArray[np.int64]:
    """Return the segment of each user, by the number of events of kinds that weigh something."""
    counts = np.diff(wished(history, weights).indptr)
    return np.searchsorted(SEGMENTS, counts, side="right") - 1
