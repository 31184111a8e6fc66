"""Shortlists: scores that are exact where it matters, for the first page of a live answer.

A list of 20 needs the exact scores of a few hundred items; those of the other 40,000 only need to stay below. A model
that can tell the few from the many cheaply says so here; any other one is asked for everything.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from paretail.data.held import Mode
from paretail.data.types import History
from paretail.retrieve.base import Retriever, Scores


@runtime_checkable
class Shortlists(Protocol):
    """A retriever with a cheap way to its best items."""

    def score_best(
        self, history: History, best: NDArray[np.integer], now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return `[users, items]` as `score` does, where the `best[users]` best items have their exact scores.

        Which these are is found by a part of the model and may err at the end of such a list; the scores of the other
        items are those of that part.
        """
        ...


def score_best(model: Retriever, history: History, best: NDArray[np.integer], mode: Mode = "target") -> Scores:
    """Return what `model` tells of the `best[users]` best items, or else the scores of all."""
    if isinstance(model, Shortlists):
        return model.score_best(history, best, None, mode)
    return model.score(history, None, mode)
