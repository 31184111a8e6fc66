"""Weights of signals, learned from lists: softmax regression over candidates with non-negative weights.

For each question q with candidates C(q), features x and wanted items P(q), minimise

    - mean_q sum_{i in P(q)} log( e^{theta.x_i} / sum_{j in C(q)} e^{theta.x_j} ) / sqrt(|P(q)|) + l2 |theta|^2 / 2

over theta >= 0. Source: Z. Cao et al., "Learning to rank: from pairwise approach to listwise approach", 2007,
doi:10.1145/1273496.1273513 (top-one probability). Deviations: several wanted items share one list; a question weighs
by the root of their number; the weights are non-negative, as every signal speaks for an item or not at all.
"""

from dataclasses import dataclass

import numpy as np
from numba import prange
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from paretail.core.kernels import parallel_kernel

#: With fewer feature values BLAS threads cost more than they bring: 18 s of CPU time in training, 8 s without them.
SMALL = 4 << 20

Theta = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Lists:
    """Candidates of many questions: `features[cands, signals]`, `wanted[cands]`, CSR by question in `indptr`.

    `asked[questions]` is the number of wanted items, those included that no signal proposed.
    """

    features: NDArray[np.float32]
    wanted: Bools
    indptr: NDArray[np.int64]
    asked: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def solvable(self) -> Bools:
        """Questions with a wanted item among their candidates."""
        return np.add.reduceat(self.wanted.astype(np.int64), self.indptr[:-1]) > 0

    def of(self, questions: Bools) -> "Lists":
        """Return those questions alone."""
        keep = np.repeat(questions, np.diff(self.indptr))
        indptr = np.concatenate([[0], np.cumsum(np.diff(self.indptr)[questions])])
        return Lists(self.features[keep], self.wanted[keep], indptr, self.asked[questions])

    def of_signals(self, columns: NDArray[np.integer]) -> "Lists":
        """Return the lists with those signals alone."""
        return Lists(np.ascontiguousarray(self.features[:, columns]), self.wanted, self.indptr, self.asked)

    def shaped(self, kappa: float) -> "Lists":
        """Return the lists with features log(1 + kappa x), as they are for kappa = 0."""
        features = np.log1p(np.float32(kappa) * self.features) if kappa else self.features
        return Lists(features, self.wanted, self.indptr, self.asked)


def fit(
    lists: Lists,
    l2: float,
    columns: NDArray[np.integer] | None = None,
    start: Theta | None = None,
    iterations: int = 60,
) -> Theta:
    """Return theta[signals]; signals outside `columns` get 0. Zeros where no question can be solved.

    `start` is where the search begins, by default 0.3 for all.
    """
    from scipy.optimize import minimize  # 0.3 s to import, and most commands fit nothing

    theta = np.zeros(lists.features.shape[1])
    columns = np.arange(len(theta)) if columns is None else columns
    lists = lists.of(lists.solvable)
    if not len(lists) or not len(columns):
        return theta
    features = np.ascontiguousarray(lists.features[:, columns])
    starts, counts = lists.indptr[:-1], np.diff(lists.indptr)
    wanted = lists.wanted.astype(np.float32)
    n_wanted = np.add.reduceat(wanted, starts)
    weight = 1 / np.sqrt(n_wanted)

    def loss(at: Theta) -> tuple[float, Theta]:
        with np.errstate(invalid="ignore"):  # OpenBLAS may flag what it read past the end of a row and threw away
            scores = features @ at.astype(np.float32)
        top = np.maximum.reduceat(scores, starts)
        odds = np.exp(scores - np.repeat(top, counts))
        total = np.add.reduceat(odds, starts)
        gain = np.add.reduceat(wanted * scores, starts) - n_wanted * (np.log(total) + top)
        slope = np.repeat(weight, counts) * wanted - odds * np.repeat(weight * n_wanted / total, counts)
        gradient = -(slope @ features).astype(np.float64) / len(counts) + l2 * at
        return -float((weight * gain).sum()) / len(counts) + l2 * float(at @ at) / 2, gradient

    begin = np.full(len(columns), 0.3) if start is None else start[columns]
    bounds = [(0.0, None)] * len(columns)
    with threadpool_limits(1 if features.size < SMALL else None, "blas"):
        found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    theta[columns] = found.x
    return theta


def ndcg(lists: Lists, theta: Theta, k: int) -> NDArray[np.float64]:
    """Return NDCG@k of each question when its candidates are ordered by `features @ theta`."""
    used = np.flatnonzero(theta)
    scores = lists.features[:, used] @ theta[used].astype(np.float32)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    values = np.zeros(len(lists))
    _ndcg(scores, lists.wanted, lists.indptr, lists.asked, k, ideal, values)
    return values


@parallel_kernel
def _ndcg(scores, wanted, indptr, asked, k, ideal, values):  # type: ignore[no-untyped-def]
    for question in prange(len(asked)):
        start, end = indptr[question], indptr[question + 1]
        gain = 0.0
        for place in range(start, end):
            if not wanted[place]:
                continue
            rank = 0
            for other in range(start, end):
                above = scores[other] > scores[place]
                rank += above or (scores[other] == scores[place] and other < place)
            if rank < k:
                gain += 1.0 / np.log2(rank + 2.0)
        if asked[question] > 0:
            values[question] = gain / ideal[min(k, asked[question])]
