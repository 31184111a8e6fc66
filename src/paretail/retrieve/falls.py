"""Falls: by how much an item's score falls without one item that the user had; what reasons are made of.

    fall(i, j) = score(u, j) - score(u without all events of i, j)

with all that makes scores comparable held fixed: units, norms, the weight of the user's other events. Where scores are
sums over the items of a history, as in most models here, this is the summand, found without scoring the catalogue.
"""

from typing import Final, Protocol, TypeGuard

import numpy as np

from paretail.core.ids import Rows
from paretail.data.held import Mode
from paretail.data.types import History
from paretail.retrieve.base import Retriever, Scores

#: A model that cannot tell falls is asked for the scores without each of so many items.
MOST_TRIED: Final = 30


class TellsFalls(Protocol):
    """A retriever that knows its falls at the listed items alone."""

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return `[causes, listed]` for the one user of `history`, below 0 where an item speaks against another.

        `causes` are items of the history and `listed` others, all of them distinct. Any number of threads may ask.
        """
        ...


def tells_falls(model: Retriever) -> TypeGuard[TellsFalls]:
    """Say whether a model knows its falls; ten times as fast as asking a protocol."""
    return hasattr(model, "falls")


def falls(
    model: Retriever, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
) -> Scores:
    """Return what `model` tells, or else the differences of its scores, which costs a scoring for each item tried.

    Of `causes` the first MOST_TRIED are tried then, the falls of the others are 0; what the model does to keep scores
    comparable is not held fixed.
    """
    if tells_falls(model):
        return model.falls(history, causes, listed, now_ms, mode)
    return differences(model, history, causes, listed, now_ms, mode)


def differences(
    model: Retriever, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
) -> Scores:
    """Return the differences of scores with and without each of the first MOST_TRIED `causes`, 0 for others."""
    tried = causes[:MOST_TRIED]
    kept = np.concatenate([np.ones((1, len(history.item_idx)), bool), history.item_idx != tried[:, None]])
    copies = history.of_users(np.zeros(len(kept), np.int64)).where(kept.ravel())
    scores = model.score(copies, now_ms, mode)[:, listed]
    out = np.zeros((len(causes), len(listed)), np.float32)
    out[: len(tried)] = scores[0] - scores[1:]
    return out
