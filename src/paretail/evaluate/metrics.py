"""The table of metrics: by name, a function of one case that returns each user's value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.held import Held, Mask
from paretail.evaluate import beyond, ranking
from paretail.evaluate.context import Context
from paretail.evaluate.ranking import Counts, Hit, Values


@dataclass(frozen=True, eq=False)
class Case:
    """Lists and what is asked of them: `lists[users, k]`, `scores` of the same shape or None, the held-out pairs."""

    lists: Rows
    scores: NDArray[np.floating] | None
    held: Held
    context: Context
    asked: Mask | None = None  # a segment of the held-out pairs

    @cached_property
    def hit(self) -> Hit:
        """Whether each cell is a held-out item of the user, within the segment."""
        at = self.positions
        return at >= 0 if self.asked is None else (at >= 0) & np.append(self.asked, False)[at]

    @cached_property
    def n_held(self) -> Counts:
        """How many items are held out for each user, within the segment."""
        if self.asked is None:
            return self.held.counts
        return np.bincount(self.held.user_idx[self.asked], minlength=self.held.users)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """The place of each cell's pair in `held`, -1 where it is not held out."""
        return ranking.pair_positions(self.lists, self.held)

    def at(self, k: int) -> Self:
        """Return the case of the first `k` places."""
        scores = None if self.scores is None else self.scores[:, :k]
        return replace(self, lists=self.lists[:, :k], scores=scores)

    def only(self, asked: Mask) -> Self:
        """Return the case that asks for the pairs `asked` alone."""
        part = replace(self, asked=asked)
        part.__dict__["positions"] = self.positions  # the same lists: look them up once
        return part


def _diversity_vectors(case: Case) -> Values:
    vectors = case.context.vectors
    return np.full(len(case.lists), np.nan) if vectors is None else beyond.diversity(case.lists, vectors)


def _diversity(case: Case) -> Values:
    labels = case.context.categories
    return np.full(len(case.lists), np.nan) if labels is None else beyond.diversity(case.lists, labels)


#: What the held-out items decide; these exist for segments of pairs too.
RANKING: Final[dict[str, Callable[[Case], Values]]] = {
    "recall": lambda case: ranking.recall(case.hit, case.n_held),
    "ndcg": lambda case: ranking.ndcg(case.hit, case.n_held),
    "hr": lambda case: ranking.hit_rate(case.hit, case.n_held),
    "mrr": lambda case: ranking.mrr(case.hit, case.n_held),
    "map": lambda case: ranking.average_precision(case.hit, case.n_held),
}
METRICS: Final[dict[str, Callable[[Case], Values]]] = RANKING | {
    "user_coverage": lambda case: beyond.user_coverage(case.lists, case.scores, case.context.floor),
    "novelty": lambda case: beyond.novelty(case.lists, case.context),
    "popularity": lambda case: beyond.popularity(case.lists, case.context),
    "diversity": _diversity,
    "diversity_vectors": _diversity_vectors,
    "serendipity": lambda case: beyond.serendipity(case.lists, case.hit, case.n_held, case.context),
    "calibration": lambda case: beyond.calibration(case.lists, case.context),
}
