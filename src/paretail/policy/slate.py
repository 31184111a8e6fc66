"""Slates: the candidates that together are worth most under weighted goals and hard rules.

    S = argmax Σ_g w_g value_g(S)

Slots are filled one after the other with the candidate of the greatest marginal gain (greedy; G. Nemhauser, L. Wolsey,
M. Fisher, "An analysis of approximations for maximizing submodular set functions", Mathematical Programming 14, 1978,
doi:10.1007/BF01588971), then each slot in turn is given to the best candidate while the others stay (coordinate
ascent), and what is looked at more goes first. Where all goals are attended and additive this is the exact optimum.
Where several caps and needs may stand in each other's way, passes go on until nothing changes and weigh broken rules
before worth, then pairs of items are exchanged (`exchange.py`): on small cases no rule is broken that can be kept.
Many users are composed at once, a row each.

Deviations: 1. The passes after the greedy one. 2. Gains of all candidates are kept up to date: they are one pass over
the candidates a slot, compiled (`compiled.py`) unless a goal is a shop's own. Those that a shop tells as a function of
a set are evaluated lazily (`objectives/sets.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy import compiled
from paretail.policy.compositions import COMPOSITIONS, GREEDY, Arranging, How
from paretail.policy.exchange import PAIRS, SURELY, SWEEPS, best_pair, cost
from paretail.policy.objectives.base import Gains, Objective, Values
from paretail.policy.pool import Floats, Pool
from paretail.policy.rules import NEVER, Ahead, Free, Rules

Goals = Mapping[str, Objective[Any]]
#: Passes of coordinate ascent after the greedy one.
PASSES: Final = 1
#: The same at most, where several rules may stand in each other's way.
RULED_PASSES: Final = 4
#: Sums of gains are exact up to this part of them.
ROUNDING: Final = 1e-5
#: What a factor of 0 makes of a loss: so many times the loss.
BURIED: Final = np.float32(1e-3)
NO_RULES: Final = Rules()


@dataclass(frozen=True, eq=False)
class Slates:
    """`places[users, slots]` in their pools, best slot first, -1 past the end; `values[goal]` are `[users]`."""

    places: Rows
    values: Mapping[str, Values]


def compose(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], k: int, rules: Rules = NO_RULES,
            passes: int = PASSES, how: How = GREEDY) -> Rows:  # fmt: skip
    """Return the places `[users, k]` of the slates that are worth most; -1 where a pool has too few candidates.

    `weights[goal]` is in one over the goal's own unit, alike for all or `[users]`; a goal without one is not weighed.
    Cost: 500 candidates, 10 slots, 5 goals: about .13 ms for one user, 20 ms for 512.
    """
    total = Total(pool, goals, weights, k, rules)
    places = np.full((pool.shape[0], k), -1, np.int32)
    if how.composition != "greedy":
        worth, free = arranged(total, pool, k, how), forward(pool, goals, weights, k, rules)
        for slot in range(k):
            _fill(places, slot, worth, free)
        return places
    if total.is_sorted:
        return _best(np.where(pool.valid, total.attended, -np.inf), places)
    if rules.may_clash:
        passes *= RULED_PASSES
    elif not total.moving and total.rest is None:
        passes = 0
    if (moving := total.forms()) is not None:
        compiled.fill(places, pool, total.attended, total.rest, moving, rules, passes)
    else:
        _slot_by_slot(places, pool, total, rules, passes)
    return _most_seen_first(places, total, rules)


def arranged(total: "Total", pool: Pool, k: int, how: How) -> "Total | Arranging":
    """Return what scores candidates slot by slot under a composition."""
    arranging = COMPOSITIONS.get(how.composition)
    return total if arranging is None else arranging(total, pool, k, how.balance)


def forward(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], k: int, rules: Rules) -> Free:
    """Return which candidates may take the next slot of slates that are filled without going back."""
    if not rules.may_clash:
        return Free(pool, rules, k)
    return Ahead(pool, rules, k, compose(pool, goals, weights, k, rules))


def _slot_by_slot(places: Rows, pool: Pool, total: "Total", rules: Rules, passes: int) -> None:
    """Fill slates by asking each goal for its gains, whatever it is."""
    k = places.shape[1]
    free = Free(pool, rules, k)
    total.lazy = all((weight >= 0).all() for weight, gains, _ in total.moving if gains.lazy)
    for slot in range(k):
        _fill(places, slot, total, free)
    for _ in range(passes):
        before = places.copy()
        for slot in range(k):
            total.drop(places[:, slot], slot)
            free.drop(places[:, slot], slot)
            _fill(places, slot, total, free, refill=True)
        if (places == before).all():
            break
    total.lazy = False
    if passes and rules.may_clash:
        _exchange(places, total, free)


def _exchange(places: Rows, total: "Total", free: Free) -> None:
    """Give each pair of slots in turn to the best pair of candidates, until nothing changes."""
    k, tried = places.shape[1], np.ones(len(places), np.bool_)
    for _ in range(SWEEPS):
        tried &= free.is_tried(k)
        before, left = places.copy(), np.full(len(places), PAIRS)
        for one, two in combinations(range(k), 2):
            now = tried & (left > 0) & free.stand_for(places, one, two)
            _exchange_two(places, one, two, total, free, now)
            left -= now
        tried &= (places != before).any(1)


def _exchange_two(places: Rows, one: int, two: int, total: "Total", free: Free, tried: NDArray[np.bool_]) -> None:
    """Give two slots of the users who are `tried` to the best pair."""
    users = np.flatnonzero(tried)
    was, too = (np.where(tried, places[:, slot], -1) for slot in (one, two))
    price = [cost(free.ruled(user)) for user in users.tolist()]
    for part in (total, free):
        part.drop(was, one)
        part.drop(too, two)
    first, second = total.at(one), total.at(two)
    new, also, better = was.copy(), too.copy(), np.zeros(len(users), np.bool_)
    for row, user in enumerate(users.tolist()):
        new[user], also[user], least = best_pair(free.ruled(user), free.barred[user] == 0, first[user], second[user])
        better[row] = least <= price[row]
        price[row] -= least
    gain = first[users, new[users]] + _beside(total, one, new, two, also)[users]
    loss = first[users, was[users]] + _beside(total, one, was, two, too)[users]
    better &= (np.array(price) > 0) | (gain > loss + SURELY * np.abs(loss))
    places[users[better], one], places[users[better], two] = new[users[better]], also[users[better]]
    for part in (total, free):
        part.add(np.where(tried, places[:, one], -1), one)
        part.add(np.where(tried, places[:, two], -1), two)


def _beside(total: "Total", one: int, new: Rows, two: int, also: Rows) -> Values:
    """Return what candidates add at slot `two` once others stand at slot `one`."""
    total.add(new, one)
    found = total.at(two)[np.arange(len(also)), also]
    total.drop(new, one)
    return np.asarray(found)


def boosted(worth: Floats, factor: Floats) -> Floats:
    """Return what candidates are worth once they are boosted or buried, also where it is a loss.

    What loses money is worth less than nothing: times 2 it would sink and times 0 rise, so that it is divided instead.
    """
    return np.where(worth < 0, worth / np.maximum(factor, BURIED), worth * factor)


def valued(pool: Pool, goals: Goals, places: Rows) -> Slates:
    """Return slates with what they are worth in each goal's own unit."""
    return Slates(places, {name: goal.value(pool, places) for name, goal in goals.items()})


def pulls(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], places: Rows) -> dict[str, Values]:
    """Return by goal how far it speaks for each item of a slate, `[users, slots]`: weight times gain over the usual.

    The usual is the mean candidate in that slot, the others staying; what pulled an item in is the greatest.
    """
    found = {}
    for name in (name for name in goals if name in weights):
        weight = np.asarray(weights[name]).reshape(-1, 1)
        seen = pool.attention[: places.shape[1]] if goals[name].attended else 1.0
        found[name] = np.asarray(weight * seen * _over_usual(pool, goals[name], places))
    return found


def _over_usual(pool: Pool, goal: Objective[Any], places: Rows) -> Values:
    """Return by how much each item of a slate gains more than the mean candidate, the others staying."""
    gains, valid = goal.gains(pool, places.shape[1]), pool.valid
    there = np.maximum(valid.sum(1), 1)
    if goal.additive:
        return np.asarray(pool.at(gains.now, places) - (np.where(valid, gains.now, 0).sum(1) / there)[:, None])
    beside = np.empty((*places.shape, pool.shape[1]), np.float32)
    for slot, now in enumerate(gains.without_each(places)):
        beside[:, slot] = now
    own = np.take_along_axis(beside, np.maximum(places, 0)[:, :, None], 2)[:, :, 0]
    usual = np.where(valid[:, None], beside, 0).sum(2) / there[:, None]
    return np.asarray(np.where(places >= 0, own, 0) - usual)


class Total:
    """The weighted sum of all goals' gains; what no slate changes is added up once."""

    def __init__(self, pool: Pool, goals: Goals, weights: Mapping[str, float | Values], k: int, rules: Rules) -> None:
        self.attention = pool.attention.astype(np.float32)
        self.attended = np.zeros(pool.shape, np.float32)
        self.alone: Floats | np.float32 = np.float32(0.0)  # what attention is worth to each candidate by itself
        self.rest: Floats | None = None
        self.lazy = False
        self.moving: list[tuple[NDArray[np.float32], Gains, bool]] = []
        self.is_sorted = not (rules.caps or rules.needs or rules.pins)
        for name, weight in weights.items():
            goal, each = goals[name], np.asarray(weight, np.float32).reshape(-1, 1)
            if not each.any():
                continue
            gains = goal.gains(pool, k)
            if not goal.additive:
                self.moving.append((each, gains, goal.attended))
                if goal.attended:
                    self.alone = self.alone + each * gains.now
            elif goal.attended:
                self.attended += each * gains.now
            else:
                self.rest = each * gains.now if self.rest is None else self.rest + each * gains.now
        if rules.factor is not None:
            self.attended = boosted(self.attended, rules.factor.astype(np.float32))
        self.alone = self.alone + self.attended
        self.is_sorted &= not self.moving and self.rest is None

    def forms(self) -> list[compiled.Weighed] | None:
        """Return the goals that move in numbers; None where one is not known by them."""
        forms = [gains.form() for _, gains, _ in self.moving]
        if not compiled.fits(forms):
            return None
        return [
            compiled.Weighed(form, np.broadcast_to(weight[:, 0], len(self.attended)), attended)
            for form, (weight, _, attended) in zip(forms, self.moving, strict=True) if form is not None
        ]  # fmt: skip

    def at(self, slot: int) -> Floats:
        """Return what each candidate would add at `slot`, `[users, cands]`."""
        total: Floats = self.attended * self.attention[slot]
        if self.rest is not None:
            total += self.rest
        for weight, gains, attended in self.moving:
            now = gains.bound if self.lazy and gains.lazy else gains.now
            total += now * (weight * self.attention[slot] if attended else weight)
        return total

    def settled(self, slot: int, barred: Floats) -> Floats:
        """Return the same less what is barred; lazy goals are exact where it is greatest, and bounds elsewhere."""
        scores: Floats = self.at(slot) + barred
        lazy = [(weight[:, 0], gains, attended) for weight, gains, attended in self.moving if self.lazy and gains.lazy]
        if not lazy:
            return scores
        for user, row in enumerate(scores):
            parts = [(float(weight[user % len(weight)]) * (float(self.attention[slot]) if attended else 1.0), gains)
                     for weight, gains, attended in lazy]  # fmt: skip
            _settle(user, row, parts)
        return np.asarray(self.at(slot) + barred)

    def add(self, places: Rows, slot: int) -> None:
        """Put each user's candidate `places[users]` at `slot`."""
        for _, gains, _ in self.moving:
            gains.add(places, slot)

    def drop(self, places: Rows, slot: int) -> None:
        """Take it away again."""
        for _, gains, _ in self.moving:
            gains.drop(places, slot)


def _settle(user: int, bounds: Floats, parts: Sequence[tuple[float, Gains]]) -> None:
    """Make the gains of one user's candidates exact, the greatest bound first, until no other can be as great."""
    order, best = np.argsort(-bounds, kind="stable"), -np.inf
    for place, bound in zip(order.tolist(), bounds[order].tolist(), strict=True):
        if bound == NEVER or bound < best - ROUNDING * abs(best):
            break
        best = max(best, bound - sum(weight * gains.settle(user, place) for weight, gains in parts))


def _fill(places: Rows, slot: int, total: Total | Arranging, free: Free, refill: bool = False) -> None:
    barred = free.at(slot, refill)
    scores = total.settled(slot, barred) if isinstance(total, Total) else total.at(slot) + barred
    best = scores.argmax(1).astype(np.int32)
    if (low := scores[free.users, best] == NEVER).any():
        best[low] = -1
    places[:, slot] = np.where(free.pinned[slot] >= 0, free.pinned[slot], best)
    total.add(places[:, slot], slot)
    free.add(places[:, slot], slot)


def _best(scores: Floats, places: Rows) -> Rows:
    """Return the places of the greatest scores, best first; equal ones in the pool's order."""
    k = min(places.shape[1], scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    there = np.isfinite(np.take_along_axis(scores, order, 1))
    places[:, :k] = np.where(there, order, -1)
    return places


def _most_seen_first(places: Rows, total: Total, rules: Rules) -> Rows:
    """Order what is not pinned by what attention is worth to it, empty slots last."""
    fixed = {pin.slot for pin in rules.pins}
    loose: Sequence[int] = [slot for slot in range(places.shape[1]) if slot not in fixed]
    mine = places[:, loose]
    worth = np.where(mine >= 0, np.take_along_axis(total.alone, np.maximum(mine, 0), 1), -np.inf)
    order = np.argsort(-worth, axis=1, kind="stable")
    places[:, loose] = np.take_along_axis(mine, order, 1)
    return places
