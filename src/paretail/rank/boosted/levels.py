"""Levels: P(a pair gets as far as a click, a cart, a purchase), each by trees on top of the retriever's own score.

    logit P_l(u, i) = a_l score(u, i) + b_l + trees_l(x_ui),   then calibrated on questions that taught nothing
    lists are ordered by a score(u, i) + share trees(x_ui) of the level that they are for

Trees begin where the retriever ends: where they find nothing, its order stays. Whether they find something is judged on
the two newest moments, each with what those before it taught (of one moment alone: on each half of its users with what
the other taught), as NDCG of the retriever's NEAR best in the new order against its own. Halves of one moment share its
days, and the retriever's settings were chosen on the newest: where there is time, a gain that was not seen in both
moments is no promise for later days (docs/lab/LOG.md).

Of SHARES that one is taken whose gain is surest in the moment where it is less sure. Log-losses are least at 1, but
there a little more of the trees costs more places at the top of lists than it wins; half of them wins nearly as much
with half the error, and has room for a month that is unlike those in the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.rank.boosted.columns import Dense
from paretail.rank.boosted.questions import LEVELS, NEAR, Asked, level_of
from paretail.rank.boosted.trees import Boosting, Trees
from paretail.rank.calibration import Platt, Reliability

Floats = NDArray[np.float64]

#: A level is learned from so many positive pairs at least; what is rarer is left out.
FEWEST: Final = 50
#: Lists are judged at this length.
JUDGED_AT: Final = 20
#: Lists may be ordered by such a part of what trees add to the retriever's score.
SHARES: Final = (0.25, 0.5, 0.75, 1.0)
#: What a gain must exceed, in standard errors, for lists to be ordered by it unasked.
ERRORS: Final = 2.0
NEWTON: Final = 25
UNCALIBRATED: Final = Platt()


@dataclass(frozen=True, eq=False)
class Level:
    """Slope and shift of the retriever's score, what trees add, and the calibration of the sum.

    `usual` is the mean score of all pairs.
    """

    a: float
    b: float
    trees: Trees
    platt: Platt = UNCALIBRATED
    usual: float = 0.0

    @classmethod
    def fit(cls, asked: Asked, level: str, how: Boosting, rng: np.random.Generator) -> Self:
        """Learn one level."""
        label, weight = asked.reached[level].astype(np.float64), asked.weight
        score = asked.x[:, 0].astype(np.float64)
        a, b = line(score, label, weight)
        trees = Trees.fit(asked.x, label, weight, a * score + b, how, rng)
        return cls(a, b, trees, usual=float(np.average(score, weights=weight)))

    def logits(self, x: Dense, share: float = 1.0) -> Floats:
        """Return the logits before calibration, with a share of what the trees add."""
        return np.asarray(self.a * x[:, 0] + self.b + share * self.trees.logits(x))

    def probabilities(self, x: Dense) -> Floats:
        """Return calibrated probabilities."""
        return self.platt(_sigmoid(self.logits(x)))


@dataclass(frozen=True)
class Gain:
    """NDCG at JUDGED_AT of the retriever's lists, what the new order adds, and the standard error of that.

    `ahead` says whether two moments were judged that came after what taught, as far as the log has time; `each` is the
    gain of each part that was judged, the newest first, `errors` the standard error of each; `share` is that of the
    trees in the order.
    """

    ndcg: float
    gain: float
    error: float
    questions: int
    ahead: bool = True
    each: Sequence[float] = ()
    errors: Sequence[float] = ()
    share: float = 1.0

    @property
    def sure(self) -> bool:
        """Whether the new order was better on later days by more than ERRORS standard errors, and worse on none."""
        much = self.gain > ERRORS * self.error and self.questions > 1
        return self.ahead and much and min(self.each, default=0.0) >= 0

    @property
    def sureness(self) -> float:
        """The gain in standard errors, of the part where it is less sure."""
        each = zip(self.each, self.errors, strict=True)
        return min((gain / error if error > 0 else 0.0 for gain, error in each), default=0.0)

    @classmethod
    def of(cls, parts: Sequence[tuple[Asked, Floats]], share: float = 1.0) -> Self:
        """Compare the order of logits with the retriever's, both of its NEAR best."""
        before = [ndcg(asked, -asked.place.astype(np.float64)) for asked, _ in parts]
        gains = [ndcg(asked, logits) - old for (asked, logits), old in zip(parts, before, strict=True)]
        gain = np.concatenate(gains)
        told = [(float(one.mean()), _error(one)) for one in gains if len(one)]
        each, errors = zip(*told, strict=True) if told else ((), ())
        mean = float(np.concatenate(before).mean())
        return cls(mean, float(gain.mean()), _error(gain), len(gain), each=each, errors=errors, share=share)

    @classmethod
    def surest(cls, parts: Sequence[tuple[Asked, Level]]) -> Self:
        """Return the gain of that share of each level's trees which is surest, of two alike that of the smaller."""
        bases = [level.logits(asked.x, 0.0) for asked, level in parts]
        trees = [level.trees.logits(asked.x) for asked, level in parts]
        found = [cls.of([(asked, base + share * more) for (asked, _), base, more in
                         zip(parts, bases, trees, strict=True)], share) for share in SHARES]  # fmt: skip
        return max(found, key=lambda one: one.sureness)


@dataclass(frozen=True, eq=False)
class Funnel:
    """The levels that could be learned of one question, the gain of the order by the target's, and what is told."""

    levels: Mapping[str, Level]
    gain: Gain
    report: Mapping[str, Any]

    @classmethod
    def learn(cls, moments: Sequence[Asked], target: str, how: Boosting, rng: np.random.Generator,
              timed: bool = False) -> Self | None:  # fmt: skip
        """Learn from questions of one or more moments, the newest first; None where too few reached the target.

        `timed` says whether the log has clock time.
        """
        every, main = Asked.together(moments), level_of(target)
        names = [level for level in LEVELS if every.reached[level].sum() >= FEWEST]
        if main not in names:
            return None
        names = [level for level in names if level == main or not _same(every, level, main)]
        folds = _folds(moments, every, rng)
        levels, reliability, judged = {}, {}, list[tuple[Asked, Level]]()
        for level in names:
            told = [(test, Level.fit(teach, level, how, rng)) for teach, test in folds]
            judged = told if level == main else judged
            platt, reliability[level] = _calibrated([(test, fit.logits(test.x)) for test, fit in told], level)
            levels[level] = replace(Level.fit(every, level, how, rng), platt=platt)
        judged += [(test, Level.fit(teach, main, how, rng)) for teach, test in _earlier(moments)]
        gain = replace(Gain.surest(judged), ahead=len(moments) > 2 or not timed)
        positives = {level: int(every.reached[level].sum()) for level in names}
        report = {"questions": every.questions, "pairs": len(every), "positives": positives,
                  "reliability": reliability, "moments": len(moments)}  # fmt: skip
        return cls(levels, gain, report)


def _folds(moments: Sequence[Asked], every: Asked, rng: np.random.Generator) -> list[tuple[Asked, Asked]]:
    """Return what teaches and what is judged: earlier moments and the newest, or of one moment two halves in turn."""
    if len(moments) > 1:
        return [(Asked.together(moments[1:]), moments[0])]
    half = rng.integers(0, 2, every.questions).astype(bool)
    return [(every.of(half), every.of(~half)), (every.of(~half), every.of(half))]


def _earlier(moments: Sequence[Asked]) -> list[tuple[Asked, Asked]]:
    """Return what teaches and what is judged a moment earlier, where there is something before it."""
    return [(Asked.together(moments[2:]), moments[1])] if len(moments) > 2 else []


def _calibrated(told: Sequence[tuple[Asked, Floats]], level: str) -> tuple[Platt, dict[str, Any]]:
    """Return the calibration of logits that were told of questions which did not teach, and how far off they were."""
    p = _sigmoid(np.concatenate([logits for _, logits in told]))
    label = np.concatenate([test.reached[level] for test, _ in told]).astype(np.float64)
    weight = np.concatenate([test.weight for test, _ in told])
    return Platt.fit(p, label, weight / weight.mean()), Reliability.of(p, label, weight).to_json()


def ndcg(asked: Asked, scores: Floats) -> Floats:
    """Return NDCG at JUDGED_AT of each question that has an answer, its list the NEAR best of the retriever."""
    near = asked.place < NEAR
    question, place, scores = asked.question[near], asked.place[near], scores[near]
    order = np.lexsort((place, -scores, question))
    question = question[order]
    starts = np.searchsorted(question, question)
    rank = np.arange(len(question)) - starts
    found = asked.reached[asked.main][near][order] & (rank < JUDGED_AT)
    gains = np.bincount(question, found / np.log2(rank + 2), asked.questions)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, JUDGED_AT + 2)))])
    some = asked.wanted > 0
    return np.asarray(gains[some] / ideal[np.minimum(asked.wanted[some], JUDGED_AT)])


def line(score: Floats, label: Floats, weight: Floats) -> tuple[float, float]:
    """Return a >= 0 and b of the weighted logistic regression of a label on a score, by Newton steps."""
    mean, deviation = np.average(score, weights=weight), max(float(score.std()), 1e-9)
    z, weight = (score - mean) / deviation, weight / weight.sum()
    rate = np.clip((weight * label).sum(), 1e-9, 1 - 1e-9)
    a, b = 0.0, float(np.log(rate / (1 - rate)))
    for _ in range(NEWTON):
        p = _sigmoid(a * z + b)
        slope, curve = weight * (p - label), weight * p * (1 - p)
        gradient = np.array([slope @ z, slope.sum()])
        hessian = np.array([[curve @ z**2, curve @ z], [curve @ z, curve.sum()]]) + 1e-9 * np.eye(2)
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        a, b = a - step[0], b - step[1]
    a = max(0.0, a)
    return float(a / deviation), float(b - a * mean / deviation)


def _error(values: Floats) -> float:
    """Return the standard error of a mean."""
    return float(values.std() / np.sqrt(max(1, len(values)))) if len(values) else 0.0


def _same(asked: Asked, level: str, main: str) -> bool:
    """Say whether a level says nothing beside the main one: nearly all who reach the one reach the other."""
    return int(np.abs(asked.reached[level].astype(int) - asked.reached[main]).sum()) < FEWEST


def _sigmoid(eta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(eta, -30, 30))))
