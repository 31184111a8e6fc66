"""Compiled composition: `policy/slate.py`'s greedy slots and passes for goals that say what they are in numbers.

The same slates as slot by slot, one user after the other: what a slate holds is kept as counts of labels and sums of
distances, so that a slot costs one pass over the candidates. Gains without a `form` (goals of a shop's own) take the
plain way. Compiled once a machine, some seconds; later processes read it from disk.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.exchange import (
    INNER,
    PAIRS,
    SURELY,
    SWEEPS,
    Ruled,
    best_pair,
    cost,
    is_tried,
    keep_most,
    stands_for,
)
from paretail.policy.objectives.forms import Apart, Differing, First, Form, Matching
from paretail.policy.pool import Floats, Pool
from paretail.policy.rules import Rules, stacked

#: A click is never so sure that nothing is left to the others (`objectives/reach.py`).
SUREST: Final = np.float32(0.999)
#: The beginning of the SHA-256 of `exchange.py`: numba keeps kernels until their own file changes.
EXCHANGE: Final = "1032ae79f055a947"
NEVER: Final = np.float32(-np.inf)
HALF: Final = np.float32(0.5)
NO_CODES, NO_VALUES, NO_STEPS = (
    np.zeros((0, 0), np.int32),
    np.zeros((0, 0), np.float32),
    np.zeros((0, 0, 0), np.float32),
)


class Weighed(NamedTuple):
    """One moving goal: its form, its weight `[users]`, and whether attention counts."""

    form: Form
    weight: Floats
    attended: bool


class Numbers(NamedTuple):
    """All that the kernel reads; what is not weighed has length 0. Weights are `[users, slots]`, attention in them."""

    item_idx: Any
    attended: Any
    rest: Any
    attention: Any
    label: Any
    label_weight: Any
    vectors: Any
    near_weight: Any
    matched: Any
    steps: Any
    matched_weight: Any
    p: Any
    first_weight: Any
    caps: Any
    most: Any
    needs: Any
    least: Any
    pins: Any


class Held(NamedTuple):
    """One user's slate so far: `free[cands]`, counts by label, distances `far[slots, cands]` and their sum, rules."""

    free: Any
    scores: Any
    allowed: Any
    size: Any
    of_label: Any
    of_matched: Any
    next_step: Any
    by_dim: Any
    far: Any
    far_sum: Any
    unclicked: Any
    of_group: Any
    lack: Any
    costs: Any
    beside: Any


def fits(forms: Sequence[Form | None]) -> bool:
    """Whether the kernel knows all gains: each has a form, no two the same."""
    kinds = [type(form) for form in forms]
    return None not in forms and len(set(kinds)) == len(kinds)


def fill(places: Rows, pool: Pool, attended: Floats, rest: Floats | None, moving: Sequence[Weighed], rules: Rules,
         passes: int) -> None:  # fmt: skip
    """Fill `places[users, slots]` as `compose` does, before what is looked at most goes first."""
    attention = pool.attention[: places.shape[1]].astype(np.float32)
    known = {type(one.form): one for one in moving}
    label, near, matched, first = (known.get(kind) for kind in (Differing, Apart, Matching, First))
    _fill_all(places, passes, Numbers(
        _as(np.int32, pool.item_idx), _as(np.float32, attended), _as(np.float32, NO_VALUES if rest is None else rest),
        attention, _part(label, "codes", NO_CODES), _weights(label, attention), _part(near, "vectors", NO_VALUES),
        _weights(near, attention), _part(matched, "codes", NO_CODES), _part(matched, "steps", NO_STEPS),
        _weights(matched, attention), _part(first, "p", NO_VALUES), _weights(first, attention),
        stacked([cap.codes for cap in rules.caps], pool, np.int32), np.array([cap.most for cap in rules.caps], int),
        stacked([need.those for need in rules.needs], pool, np.bool_),
        np.array([need.least for need in rules.needs], int), _pins(rules, places),
    ))  # fmt: skip


def _as(kind: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Return values as the kernel was compiled for them."""
    return np.ascontiguousarray(values, kind)


def _part(one: Weighed | None, name: str, none: NDArray[Any]) -> NDArray[Any]:
    return _as(none.dtype, none if one is None else getattr(one.form, name))


def _weights(one: Weighed | None, attention: Floats) -> Floats:
    if one is None:
        return NO_VALUES
    weight = one.weight * np.float32(getattr(one.form, "per_pair", 1.0))
    return np.asarray(np.multiply.outer(weight, attention if one.attended else np.ones_like(attention)), np.float32)


def _pins(rules: Rules, places: Rows) -> Rows:
    """Return the candidate pinned to each slot, `[users, slots]`, -1 for none; those beyond the slate wait for ever."""
    slots = {pin.slot for pin in rules.pins}
    pinned = np.full((len(places), max(*slots, places.shape[1] - 1) + 1 if slots else 0), -1, np.int32)
    for slot in slots:
        pinned[:, slot] = rules.pinned(slot, len(places))
    return pinned


@njit(cache=True, nogil=True)
def _fill_all(places: Any, passes: int, n: Numbers) -> None:
    k, rules = places.shape[1], len(n.most) + len(n.least)
    for user in range(len(places)):
        held, mine = _empty(n, user, k), places[user]
        for turn in range(1 + passes):
            changed = False
            for slot in range(k):
                changed |= _fill(n, held, user, mine, slot, turn > 0)
            if not changed:
                break
        for _ in range(SWEEPS if rules > 1 and passes > 0 else 0):
            tried = is_tried(_ruled(n, held, user), n.least, n.item_idx[user] >= 0, k)
            if not tried or not _exchange(n, held, user, mine):
                break


@njit(**INNER)
def _fill(n: Numbers, held: Held, user: int, mine: Any, slot: int, refill: bool) -> bool:
    """Give a slot to what is best there, `refill`: while all the others stay; say whether that is another."""
    before = np.int64(mine[slot])  # one kind of number: `_count` is compiled once
    if refill and before >= 0:
        _count(n, held, user, slot, before, -1)
    best = n.pins[user, slot] if n.pins.size else -1
    if best < 0:
        _score(n, held, user, slot)
        if refill and len(held.costs):
            keep_most(_ruled(n, held, user), held.free, held.costs, held.allowed)
        elif len(held.costs):
            _allow(n, held, user, _open(n, user, slot, len(mine)))
        best = _best(held.scores, held.allowed if len(held.costs) else held.free)
    mine[slot] = best
    if best >= 0:
        _count(n, held, user, slot, best, 1)
    return bool(best != before)


@njit(**INNER)
def _ruled(n: Numbers, held: Held, user: int) -> Ruled:
    return Ruled(n.caps[user], n.most, held.of_group, n.needs[user], held.lack)


@njit(**INNER)
def _exchange(n: Numbers, held: Held, user: int, mine: Any) -> bool:
    """Give each pair of slots to the best pair of candidates in turn; say whether another sweep may find more."""
    r, loose, changed, tried = _ruled(n, held, user), np.empty(len(mine), np.bool_), False, 0
    for slot in range(len(mine)):
        loose[slot] = mine[slot] >= 0 and (not n.pins.size or n.pins[user, slot] < 0)
    for one in range(len(mine)):
        for two in range(one + 1, len(mine)):
            if tried < PAIRS and loose[one] and loose[two] and stands_for(r, mine, loose, one, two):
                changed |= _exchange_two(n, held, user, mine, one, two)
                tried += 1
    return changed


@njit(**INNER)
def _exchange_two(n: Numbers, held: Held, user: int, mine: Any, one: int, two: int) -> bool:
    was, too, price = np.int64(mine[one]), np.int64(mine[two]), cost(_ruled(n, held, user))
    _count(n, held, user, one, was, -1)
    _count(n, held, user, two, too, -1)
    _score(n, held, user, one)
    _write(held.beside, held.scores, np.float32(1.0))
    _score(n, held, user, two)
    new, also, least = best_pair(_ruled(n, held, user), held.free, held.beside, held.scores)
    gain = held.beside[new] + _beside(n, held, user, one, new, two, also)
    loss = held.beside[was] + _beside(n, held, user, one, was, two, too)
    better = least < price or (least == price and gain > loss + SURELY * abs(loss))
    if better:
        mine[one], mine[two] = new, also
    _count(n, held, user, one, np.int64(mine[one]), 1)
    _count(n, held, user, two, np.int64(mine[two]), 1)
    return bool(better)


@njit(**INNER)
def _beside(n: Numbers, held: Held, user: int, one: int, new: int, two: int, also: int) -> float:
    """Return what a candidate adds at slot `two` once another stands at slot `one`."""
    _count(n, held, user, one, new, 1)
    _score(n, held, user, two)
    _count(n, held, user, one, new, -1)
    return float(held.scores[also])


@njit(**INNER)
def _empty(n: Numbers, user: int, slots: int) -> Held:
    """Return what a user's slate holds before its first slot."""
    cands, dims = n.item_idx.shape[1], n.vectors.shape[1] if n.near_weight.size else 0
    rules = len(n.most) + len(n.least)
    free = n.item_idx[user] >= 0
    for slot in range(n.pins.shape[1]):
        if n.pins[user, slot] >= 0:
            free[n.pins[user, slot]] = False  # it waits for its slot
    next_step = n.steps[user, :, 0].copy() if n.steps.size else np.zeros(0, np.float32)
    by_dim = np.empty((dims, cands if dims else 0), np.float32)
    for cand in range(by_dim.shape[1]):
        for axis in range(dims):
            by_dim[axis, cand] = n.vectors[n.item_idx[user, cand], axis]
    held = Held(
        free, np.empty(cands, np.float32), np.empty(cands, np.bool_), np.zeros(1, np.int64),
        np.zeros(n.label.max() + 1 if n.label.size else 0, np.int32), np.zeros(len(next_step), np.int32), next_step,
        by_dim, np.zeros((slots, by_dim.shape[1]), np.float32), np.zeros(by_dim.shape[1], np.float32),
        np.ones(1, np.float32), np.zeros((len(n.most), n.caps.max() + 1 if n.caps.size else 0), np.int32),
        n.least.copy(), np.zeros(cands if rules else 0, np.int64), np.empty(cands if rules else 0, np.float32),
    )  # fmt: skip
    for slot in range(min(slots, n.pins.shape[1])):
        if n.pins[user, slot] >= 0:
            _keep(n, held, user, np.int64(n.pins[user, slot]), 1)  # it counts from the start
    return held


@njit(**INNER)
def _open(n: Numbers, user: int, slot: int, slots: int) -> int:
    """Return how many slots from `slot` on nothing is pinned to."""
    pinned = 0
    for later in range(slot, min(slots, n.pins.shape[1])):
        pinned += n.pins[user, later] >= 0
    return slots - slot - pinned


@njit(**INNER)
def _count(n: Numbers, held: Held, user: int, slot: int, place: int, by: int) -> None:
    """Put a candidate at `slot` (`by` 1), or take it away (-1)."""
    held.free[place] = by < 0
    held.size[0] += by
    if n.label_weight.size and n.label[user, place] >= 0:
        held.of_label[n.label[user, place]] += by
    if n.near_weight.size:
        if by > 0:
            _distances(held.far[slot], held.by_dim, place)
        _add(held.far_sum, held.far[slot], np.float32(by))
    if n.matched_weight.size and n.matched[user, place] >= 0:
        label = n.matched[user, place]
        held.of_matched[label] += by
        held.next_step[label] = n.steps[user, label, held.of_matched[label]]
    if n.first_weight.size:
        left = 1 - min(n.attention[slot] * n.p[user, place], SUREST)
        held.unclicked[0] = held.unclicked[0] * left if by > 0 else held.unclicked[0] / left
    if not n.pins.size or n.pins[user, slot] < 0:
        _keep(n, held, user, place, by)


@njit(**INNER)
def _keep(n: Numbers, held: Held, user: int, place: int, by: int) -> None:
    """Count a candidate for caps and needs, or no more (`by` -1)."""
    for cap in range(len(n.most)):
        if n.caps[user, cap, place] >= 0:
            held.of_group[cap, n.caps[user, cap, place]] += by
    for need in range(len(n.least)):
        held.lack[need] -= by * n.needs[user, need, place]


@njit(**INNER)
def _score(n: Numbers, held: Held, user: int, slot: int) -> None:
    """Write what each candidate would add at `slot`."""
    scores, seen = held.scores, n.attention[slot]  # what stands before a loop lets it be one of vectors
    _write(scores, n.attended[user], seen)
    if n.rest.size:
        _add(scores, n.rest[user], np.float32(1.0))
    if n.near_weight.size:
        _add(scores, held.far_sum, n.near_weight[user, slot])
    if n.first_weight.size:
        _add(scores, n.p[user], n.first_weight[user, slot] * held.unclicked[0])
    if n.label_weight.size:
        _add_differing(scores, n.label[user], held.of_label, np.float32(held.size[0]), n.label_weight[user, slot])
    if n.matched_weight.size:
        _add_by_label(scores, n.matched[user], held.next_step, n.matched_weight[user, slot])


@njit(**INNER)
def _write(scores: Any, values: Any, weight: Any) -> None:
    for cand in range(len(scores)):
        scores[cand] = values[cand] * weight


@njit(**INNER)
def _add(scores: Any, values: Any, weight: Any) -> None:
    for cand in range(len(scores)):
        scores[cand] += values[cand] * weight


@njit(**INNER)
def _add_differing(scores: Any, labels: Any, held: Any, size: Any, weight: Any) -> None:
    for cand in range(len(scores)):
        label = labels[cand]
        scores[cand] += weight * (size - np.float32(held[label]) if label >= 0 else size)


@njit(**INNER)
def _add_by_label(scores: Any, labels: Any, values: Any, weight: Any) -> None:
    for cand in range(len(scores)):
        if labels[cand] >= 0:
            scores[cand] += weight * values[labels[cand]]


@njit(**INNER)
def _best(scores: Any, allowed: Any) -> int:
    """Return the first of the best that are allowed, -1 for none."""
    best, most = -1, NEVER
    for cand in range(len(scores)):
        if scores[cand] > most and allowed[cand]:
            best, most = cand, scores[cand]
    return best


@njit(**INNER)
def _distances(far: Any, by_dim: Any, place: int) -> None:
    """Write half the cosine distance of each candidate to the one at `place`."""
    for cand in range(len(far)):
        far[cand] = HALF
    for axis in range(len(by_dim)):
        half = -HALF * by_dim[axis, place]
        for cand in range(len(far)):
            far[cand] += half * by_dim[axis, cand]


@njit(**INNER)
def _allow(n: Numbers, held: Held, user: int, left: int) -> None:
    """Write which candidates keep the rules: needs give way first, then caps, as in `rules.Free.at`."""
    allowed, some = held.allowed, False
    for cand in range(len(allowed)):
        allowed[cand] = held.free[cand] and not _full(n, held, user, cand)
        some = some or allowed[cand]
    if not some:
        for cand in range(len(allowed)):
            allowed[cand] = held.free[cand]
    missing = 0
    for need in range(len(held.lack)):
        missing += max(held.lack[need], 0)
    if missing == 0 or missing < left:
        return
    some = False
    for cand in range(len(allowed)):
        some = some or (allowed[cand] and _wanted(n, held, user, cand))
    for cand in range(len(allowed) if some else 0):
        allowed[cand] = allowed[cand] and _wanted(n, held, user, cand)


@njit(**INNER)
def _full(n: Numbers, held: Held, user: int, cand: int) -> bool:
    for cap in range(len(n.most)):
        code = n.caps[user, cap, cand]
        if code >= 0 and held.of_group[cap, code] >= n.most[cap]:
            return True
    return False


@njit(**INNER)
def _wanted(n: Numbers, held: Held, user: int, cand: int) -> bool:
    wanted = False
    for need in range(len(n.least)):
        wanted = wanted or (held.lack[need] > 0 and n.needs[user, need, cand])
    return wanted
