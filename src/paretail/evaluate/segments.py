"""Segments: users by how much they did, held-out pairs by whether item or pair is new.

A segment of users keeps its users' values. A segment of pairs keeps the lists and asks only for its pairs, so it
exists for the ranking metrics alone.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.data.held import Held
from paretail.evaluate.context import Context, Mask


def everyone(context: Context) -> Mask:
    """All users."""
    return np.ones(context.had.shape[0], dtype=bool)


def cold(context: Context) -> Mask:
    """Users who had no item in training."""
    return np.asarray(_depth(context) == 0)


def light(context: Context) -> Mask:
    """Users who had at least one item, and at most as many as the median of such users."""
    depth = _depth(context)
    return np.asarray((depth > 0) & (depth <= _median(context)))


def heavy(context: Context) -> Mask:
    """Users who had more items than the median of users with any."""
    return np.asarray(_depth(context) > _median(context))


def new_items(held: Held, context: Context) -> Mask:
    """Pairs of an item that is new: no training event, or (with clock time) the first one in the last 14 days."""
    return context.new_item[held.item_idx]


def repeat_pairs(held: Held, context: Context) -> Mask:
    """Pairs that the user already had with the target kind."""
    return held.repeat


def new_pairs(held: Held, context: Context) -> Mask:
    """Pairs that the user did not have with the target kind."""
    return ~held.repeat


USER_SEGMENTS: Final[dict[str, Callable[[Context], Mask]]] = {
    "all": everyone,
    "cold": cold,
    "light": light,
    "heavy": heavy,
}
PAIR_SEGMENTS: Final[dict[str, Callable[[Held, Context], Mask]]] = {
    "new_items": new_items,
    "repeat_pairs": repeat_pairs,
    "new_pairs": new_pairs,
}


def _depth(context: Context) -> NDArray[np.integer]:
    return np.diff(context.had.indptr)


def _median(context: Context) -> float:
    depth = _depth(context)
    return float(np.median(depth[depth > 0])) if (depth > 0).any() else 0.0
