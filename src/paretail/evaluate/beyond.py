"""Metrics beyond accuracy of each user's list: coverage, novelty, popularity, diversity, serendipity, calibration.

Every function returns `values[users]`, NaN where the question has no meaning for a user (an empty list, no
held-out item, no history). `lists[users, k]` holds item rows, -1 past the end. Sources stand at each function.
Deviations: 1. user coverage asks for a floor of scores; 2. novelty counts an item that nobody had as had by one user;
3. popularity counts users, not ratings; 4. diversity is 1 - a mean over pairs, of features, not a sum over a taxonomy;
5. in serendipity a held-out item is a useful one; 6. calibration weighs all items of a history or a list alike.
"""

from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.evaluate.context import Context
from paretail.evaluate.ranking import Counts, Hit, Values

#: Steck 2018, section 3.2: the share of the user's own distribution that keeps the divergence finite.
ALPHA: Final = 0.01


def user_coverage(lists: Rows, scores: NDArray[np.floating] | None, floor: float) -> Values:
    """1 if the user gets a full list in which every score is above `floor`, else 0; without scores, a full list.

    Source: G. Shani, A. Gunawardana, "Evaluating recommendation systems", 2011, section 3.3 (user space coverage);
    the relevance floor is ours.
    """
    good = lists >= 0 if scores is None else (lists >= 0) & (scores > floor)
    return np.asarray(good.all(axis=1), dtype=np.float64)


def novelty(lists: Rows, context: Context) -> Values:
    """Mean self-information of the list in bits: mean of -log2(users who had the item / users).

    Source: T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", 2010,
    doi:10.1073/pnas.1000488107. An item that nobody had counts as had by one user (ours: finite).
    """
    share = np.maximum(context.users_with, 1) / max(context.users, 1)
    return _mean_over(lists, -np.log2(share))


def popularity(lists: Rows, context: Context) -> Values:
    """Mean number of users who had the item in training.

    Source: H. Yin et al., "Challenging the long tail recommendation", 2012, doi:10.14778/2311906.2311916 (the
    average recommendation popularity counts ratings there; here users, so that one heavy user counts once).
    """
    return _mean_over(lists, context.users_with.astype(np.float64))


def diversity(lists: Rows, features: sp.csr_array | NDArray[np.floating]) -> Values:
    """Intra-list diversity: 1 - mean cosine of all pairs in the list, over items that have a feature.

    Source: C. Ziegler et al., "Improving recommendation lists through topic diversification", 2005,
    doi:10.1145/1060745.1060754 (their sum of similarities, as a mean and subtracted from 1). On 0/1 labels the
    cosine of two sets is |A∩B| / √(|A||B|); libraries that take Jaccard agree where an item has one label.
    Cost: linear in the list, since Σ_{i≠j} x_i·x_j = |Σx_i|² - Σ|x_i|². NaN with fewer than two such items.
    """
    unit, known = _unit(features)
    picked = _matrix(lists, unit.shape[0])
    square = _squares(picked @ unit)
    n = np.asarray(picked @ known)
    pairs = n * (n - 1)
    same = np.divide(square - n, pairs, out=np.full(len(n), np.nan), where=pairs > 0)
    return np.asarray(1.0 - same, dtype=np.float64)


def serendipity(lists: Rows, hit: Hit, held: Counts, context: Context) -> Values:
    """Share of the k slots that are both useful and unexpected: a hit that is not among the k most popular items.

    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond accuracy: evaluating recommender systems by coverage
    and serendipity", 2010, doi:10.1145/1864708.1864761; the primitive recommender is popularity in training
    (their choice too), useful means held out.
    """
    k = lists.shape[1]
    expected = np.zeros(context.items, dtype=bool)
    expected[np.argsort(-context.users_with, kind="stable")[:k]] = True
    return np.where(held > 0, (hit & ~expected[lists]).sum(axis=1) / k, np.nan)


def calibration(lists: Rows, context: Context) -> Values:
    """Divergence between the categories of what the user had and of the list, in nats; 0 is best, lower is better.

    C_KL(p, q) = Σ_c p(c) log(p(c) / q̃(c)), q̃ = (1 - α) q + α p, α = 0.01; an item spreads its weight evenly over
    its categories. Source: H. Steck, "Calibrated recommendations", 2018, doi:10.1145/3240323.3240372, equations
    1 to 6, every item of history or list weighted alike. NaN without history or without list.
    """
    if context.categories is None:
        return np.full(len(lists), np.nan)
    weight = _rows_to_one(context.categories)
    p = _rows_to_one(sp.csr_array(context.had @ weight)).tocoo()
    q = _rows_to_one(sp.csr_array(_matrix(lists, context.items) @ weight))
    at = np.asarray(q[p.row, p.col]).ravel()
    term = p.data * np.log(p.data / ((1 - ALPHA) * at + ALPHA * p.data)) if len(p.data) else p.data
    both = (np.bincount(p.row, minlength=len(lists)) > 0) & (np.diff(q.indptr) > 0)
    return np.where(both, np.bincount(p.row, term, minlength=len(lists)), np.nan)


def _mean_over(lists: Rows, value: NDArray[np.float64]) -> Values:
    """Return the mean of `value[items]` over each list."""
    there = lists >= 0
    n = there.sum(axis=1)
    total = np.where(there, value[lists], 0.0).sum(axis=1)
    return np.asarray(np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0))


def _matrix(lists: Rows, items: int) -> sp.csr_array:
    """Return the lists as a 0/1 matrix `[users, items]`."""
    there = lists >= 0
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    column = lists[there]
    return sp.csr_array((np.ones(len(column)), column, indptr), shape=(len(lists), items))


def _squares(total: Any) -> Values:
    """Return the squared length of each row of a dense or sparse matrix."""
    square = total.multiply(total) if isinstance(total, sp.csr_array) else total * total
    return np.asarray(square.sum(axis=1), dtype=np.float64)


def _unit(features: sp.csr_array | NDArray[np.floating]) -> tuple[sp.csr_array | NDArray[np.float64], Values]:
    """Return the rows at length 1, and 1.0 for each row that has a length."""
    if isinstance(features, np.ndarray):
        length = np.sqrt(_squares(features.astype(np.float64)))
        return features / np.where(length > 0, length, 1.0)[:, None], (length > 0).astype(np.float64)
    length = np.sqrt(_squares(features))
    scale = 1.0 / np.where(length > 0, length, 1.0)
    return sp.csr_array(sp.diags_array(scale) @ features), (length > 0).astype(np.float64)


def _rows_to_one(matrix: sp.csr_array) -> sp.csr_array:
    """Return the matrix with each row's sum 1; an empty row stays empty."""
    total = np.asarray(matrix.sum(axis=1), dtype=np.float64)
    return sp.csr_array(sp.diags_array(1.0 / np.where(total > 0, total, 1.0)) @ matrix)
