"""Hard rules of a slate as questions and files tell them, on candidates and the shelf that filters read.

One code for live answers and for lists to a file.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError
from paretail.core.ids import Rows
from paretail.data import filters
from paretail.data.shelf import Shelf
from paretail.data.types import Candidates
from paretail.pipeline.live.bodies.slates import SlateRules
from paretail.policy.objectives.base import codes_of
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Pin, Rules

#: Candidates beyond those that are wanted that are drawn first, where variants of one product are among them.
SPARE: Final = 64
Draw = Callable[[int], Candidates]


def read(path: Path) -> SlateRules:
    """Read `slate` of a question from a JSON file; raises UsageError (CLI-31)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SlateRules)
    except (OSError, msgspec.DecodeError) as error:
        do = 'Correct the file, such as {"caps": [{"by": "brand", "most": 2}]}'
        expected = "Expected JSON with pins, caps, quotas, boosts or composition, as `slate` of POST /v1/recommend"
        raise UsageError(Problem("CLI-31", f"{path.name} holds no rules of a slate: {error}", expected, do)) from None


def check(rules: SlateRules, shelf: Shelf, pool: Pool) -> None:
    """Raise UsageError for a filter that cannot be read, PolicyError for an attribute that the items do not have."""
    for text in (*(quota.filter for quota in rules.quotas), *(boost.filter for boost in rules.boosts)):
        shelf.matching(filters.parse(text))
    for cap in rules.caps:
        codes_of(pool, cap.by)


def hard(rules: SlateRules, shelf: Shelf, pool: Pool) -> Rules:
    """Return the rules on candidates, whose rows are the shelf's; raises as `check` does.

    Of pins that cannot hold together, of one item or one rank, the first that has a candidate holds.
    """

    def where(text: str) -> NDArray[np.bool_]:
        return np.asarray(shelf.matching(filters.parse(text))[np.maximum(pool.item_idx, 0)] & (pool.item_idx >= 0))

    caps = [Cap(f"at most {cap.most} of a {cap.by}", codes_of(pool, cap.by), cap.most) for cap in rules.caps]
    needs = [Need(f"at least {need.least} where {need.filter}", where(need.filter), need.least)
             for need in rules.quotas]  # fmt: skip
    factor: NDArray[np.float32] | None = np.ones(pool.shape, np.float32) if rules.boosts else None
    for boost in rules.boosts:
        assert factor is not None
        factor[where(boost.filter)] *= np.float32(boost.factor)
    return Rules(caps, needs, _pins(rules, shelf, pool), factor)


def one_of_each(draw: Draw, k: int, parents: Rows) -> Candidates:
    """Return the `k` best of each user by `draw(k)`, of several variants of a product the best alone."""
    if len(np.unique(parents)) == len(parents):
        return draw(k)
    room = min(k + SPARE, len(parents))
    while True:
        drawn = draw(room)
        first = _first_of_each(drawn.item_idx, parents)
        short = (first.sum(axis=1) < k) & (drawn.item_idx >= 0).all(axis=1)
        if room == len(parents) or not short.any():
            return _kept(drawn, first, k)
        room = min(4 * room, len(parents))


def with_pins(lists: Candidates, pinned: Rows, allowed: NDArray[np.bool_]) -> Candidates:
    """Return lists with the pinned items that are `allowed[items]` at their end, where they lack them."""
    more = np.unique(pinned[pinned >= 0]).astype(np.int32)
    more = more[allowed[more]]
    missing = ~(lists.item_idx[:, :, None] == more).any(axis=1)
    rows = np.where(missing, more, np.int32(-1))
    scores = np.where(missing, np.float32(0.0), np.float32(-np.inf))
    return Candidates(np.concatenate([lists.item_idx, rows], axis=1), np.concatenate([lists.scores, scores], axis=1))


def _pins(rules: SlateRules, shelf: Shelf, pool: Pool) -> list[Pin]:
    """Return each pin once, those that can hold first; the others have no place, so that all say that they broke."""
    held: list[Pin] = []
    lost: list[Pin] = []
    taken: set[str] = set()
    for item_id, rank in dict.fromkeys((pin.item_id, pin.rank) for pin in rules.pins):
        pin = Pin(f"{item_id} at {rank}", rank - 1, _places(pool.item_idx, shelf.row(item_id)))
        if (pin.place < 0).all() or item_id in taken or any(other.slot == pin.slot for other in held):
            lost.append(replace(pin, place=np.full_like(pin.place, -1)))
        else:
            held.append(pin)
            taken.add(item_id)
    return held + lost


def _places(item_idx: Rows, item: int) -> Rows:
    """Return the place of an item among each user's candidates, -1 where it is none."""
    there = (item_idx == item) & (item_idx >= 0)
    return np.where(there.any(axis=1), there.argmax(axis=1), -1).astype(np.int32)


def _first_of_each(item_idx: Rows, parents: Rows) -> NDArray[np.bool_]:
    """Return which of each user's candidates, best first, come before all others of their product."""
    found = np.zeros(item_idx.shape, bool)
    for user, row in enumerate(item_idx):
        there = np.flatnonzero(row >= 0)
        found[user, there[np.unique(parents[row[there]], return_index=True)[1]]] = True
    return found


def _kept(drawn: Candidates, keep: NDArray[np.bool_], k: int) -> Candidates:
    """Return the first `k` candidates of each user where `keep`, closed up."""
    order = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    there = np.take_along_axis(keep, order, 1)
    rows, scores = (np.take_along_axis(column, order, 1) for column in (drawn.item_idx, drawn.scores))
    return Candidates(np.where(there, rows, np.int32(-1)), np.where(there, scores, np.float32(-np.inf)))
