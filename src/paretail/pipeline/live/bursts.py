"""Bursts: hot topics, which many more people turn to in the last day than in the four weeks before.

Of item i let r be the distinct people who turned to it within RECENT_DAYS of the newest event, and b those of the days
before, each counted once a day; R and B are the sums over all items. Were its share of the shop's traffic unchanged,
then r would be binomial, given r + b:

    p(i) = P(X >= r),   X ~ Binomial(r + b, R / (R + B))

A burst is what stays after the step-up procedure at a false discovery rate of FALSE_SHARE, with FEWEST people at least;
its score is -log p over the greatest. A busy day of the whole shop is no burst, nor is one person who comes often.

Sources: the exact conditional test of two Poisson rates of J. Przyborowski, H. Wilenski, 1940,
doi:10.1093/biomet/31.3-4.313; Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", 1995,
doi:10.1111/j.2517-6161.1995.tb02031.x. J. Kleinberg, "Bursty and hierarchical structure in streams", 2002,
doi:10.1145/775047.775061, finds when bursts began; here it is asked at one moment alone. Deviations: people are counted
in place of events.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from paretail.core.clock import DAY_MS

RECENT_DAYS: Final = 1
BEFORE_DAYS: Final = 28
FEWEST: Final = 5
FALSE_SHARE: Final = 0.05


def bursts(
    item: NDArray[np.integer], user: NDArray[np.integer], ts_ms: NDArray[np.int64], items: int
) -> NDArray[np.float32]:
    """Return the score of each item, 1 for the strongest burst, -inf where there is none."""
    scores = np.full(items, -np.inf, np.float32)
    if not len(ts_ms):
        return scores
    recent, before = _counts(item, user, (int(ts_ms.max()) - ts_ms) // DAY_MS, items)
    asked = np.flatnonzero(recent + before)
    if not before.sum() or not recent.sum():
        return scores
    share = recent.sum() / (recent.sum() + before.sum())
    p = special.bdtrc(recent[asked] - 1, (recent + before)[asked], share)
    log_p = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    found = _discovered(log_p) & (recent[asked] >= FEWEST)
    if found.any():
        scores[asked[found]] = log_p[found] / log_p[found].min()
    return scores


def _counts(
    item: NDArray[np.integer], user: NDArray[np.integer], age: NDArray[np.int64], items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each item the people of the recent days and of those before, each once a day."""
    within = age < RECENT_DAYS + BEFORE_DAYS
    day, item, user = age[within], item[within].astype(np.int64), user[within].astype(np.int64)
    people = int(user.max(initial=-1)) + 1
    once = np.unique((day * items + item) * people + user) // max(people, 1)
    day, item = once // items, once % items
    recent = day < RECENT_DAYS
    return np.bincount(item[recent], minlength=items), np.bincount(item[~recent], minlength=items)


def _discovered(log_p: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which hypotheses are rejected at a false discovery rate of FALSE_SHARE."""
    order = np.argsort(log_p, kind="stable")
    bound = np.log(FALSE_SHARE * np.arange(1, len(log_p) + 1) / len(log_p))
    passed = np.flatnonzero(log_p[order] <= bound)
    found = np.zeros(len(log_p), bool)
    found[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return found
