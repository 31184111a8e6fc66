"""Exchanges: two items of a slate given up for two others, so that it keeps more of its rules or is worth more.

    best = argmin (rules broken, items too many or missing, -worth)   over ordered pairs of candidates for two slots

Interchange after the greedy way: M. Fisher, G. Nemhauser, L. Wolsey, "An analysis of approximations for maximizing
submodular set functions II", Mathematical Programming Study 8, 1978, doi:10.1007/BFb0121195. Deviations: 1. Rules that
contradict each other are weighed first, instead of being kept at any price. 2. Of many candidates the NEAR that cost
least are looked at, no more than two of those that all rules take for the same: rules see no difference. 3. So are
pairs of slots, of which a sweep tries PAIRS at most, and among many candidates one of each kind. What rules cannot be
kept is counted first (`_unavoidable`), so that seldom is any.
Caps and needs of one user's slate are `Ruled`; what a slate costs is BROKEN for each rule that it breaks, and 1 for
each item by which it does.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

#: Kernels that kernels alone call have no way in from Python, which takes a third of the time of compiling; called from
#: there they end the process.
INNER: Final[dict[str, Any]] = {"cache": True, "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
#: What it costs to break a rule, in items too many or missing.
BROKEN: Final = 100_000
#: So many candidates of a pair are looked at.
NEAR: Final = 32
TWINS: Final = 2
#: Rounds of exchanging and pairs of slots in each at most, the candidates among which that is always tried, and what
#: counts as more.
SWEEPS: Final = 3
PAIRS: Final = 200
FEW: Final = 64
SURELY: Final = np.float32(1e-5)
MOST: Final = np.int64(2**62)


class Ruled(NamedTuple):
    """One user's rules and what the slate holds: `caps[caps, cands]` groups, -1 none, `held[caps, groups]`;
    `needs[needs, cands]`, `lack[needs]`."""

    caps: Any
    most: Any
    held: Any
    needs: Any
    lack: Any


@njit(**INNER)
def _costs(r: Ruled, found: Any) -> None:
    """Write what slates cost that hold one candidate more, each, `found[cands]`."""
    for cand in range(len(found)):
        found[cand] = 0
    for cap in range(len(r.most)):
        over = _over(r, cap)
        for cand in range(len(found)):
            code = r.caps[cap, cand]
            found[cand] += _cost(over + (code >= 0 and r.held[cap, code] >= r.most[cap]))
    for need in range(len(r.lack)):
        for cand in range(len(found)):
            found[cand] += _cost(r.lack[need] - r.needs[need, cand])


@njit(cache=True, nogil=True)
def keep_most(r: Ruled, free: Any, price: Any, allowed: Any) -> None:
    """Write which `free[cands]` break as few rules, by as few items, as any does, and what each costs."""
    _costs(r, price)
    least = MOST
    for cand in range(len(free)):
        if free[cand]:
            least = min(least, price[cand])
    for cand in range(len(free)):
        allowed[cand] = free[cand] and price[cand] == least


@njit(cache=True, nogil=True)
def is_tried(r: Ruled, least: Any, there: Any, slots: int) -> bool:
    """Say whether pairs are exchanged: of FEW candidates always, of more where a rule is broken that need not be.

    `least[needs]` is what an empty slate of `slots` lacks, `there[cands]` what is a candidate.
    """
    if len(there) <= FEW:
        return True
    broken = cost(r) // BROKEN
    return broken > 0 and broken > _unavoidable(Ruled(r.caps, r.most, r.held, r.needs, least), there, slots)


@njit(cache=True, nogil=True)
def cost(r: Ruled) -> int:
    """Return what the slate costs as it stands."""
    found = 0
    for cap in range(len(r.most)):
        found += _cost(_over(r, cap))
    for need in range(len(r.lack)):
        found += _cost(r.lack[need])
    return found


@njit(**INNER)
def _unavoidable(r: Ruled, there: Any, slots: int) -> int:
    """Return how many rules every slate of `slots` candidates that are `there[cands]` breaks at least.

    `r` is of an empty slate. Rules are looked at one by one, and needs against each other and each cap: one more where
    any two clash.
    """
    found, clash, have = 0, False, _room(r, -1, there)
    hard = np.zeros(len(r.lack), np.bool_)
    for need in range(len(r.lack)):
        hard[need] = r.lack[need] > min(slots, _room(r, -1, there & r.needs[need]))
        found += hard[need]
        for cap in range(0 if hard[need] else len(r.most)):
            clash |= r.lack[need] > _room(r, cap, there & r.needs[need])
        for other in range(0 if hard[need] else need):
            clash |= not hard[other] and _need_more(r, need, other, there, slots)
    for cap in range(len(r.most)):
        short = _room(r, cap, there) < min(slots, have)
        found += short
        clash &= not short  # breaking it may be all that is needed
    return found + clash


@njit(**INNER)
def _need_more(r: Ruled, one: int, two: int, there: Any, slots: int) -> bool:
    """Say whether two needs together ask for more than `slots`, what serves both counted once."""
    both = r.lack[one] + r.lack[two] - slots
    return bool(both > 0 and both > _room(r, -1, there & r.needs[one] & r.needs[two]))


@njit(**INNER)
def _room(r: Ruled, cap: int, those: Any) -> int:
    """Return how many of `those[cands]` a slate of any length may hold under a cap; -1 is none."""
    room, groups = 0, np.zeros(r.held.shape[1], np.int64)
    for cand in range(len(those)):
        code = r.caps[cap, cand] if cap >= 0 else -1
        if those[cand] and code >= 0:
            groups[code] += 1
        room += those[cand] and (code < 0 or groups[code] <= r.most[cap])
    return room


@njit(cache=True, nogil=True)
def stands_for(r: Ruled, mine: Any, loose: Any, one: int, two: int) -> bool:
    """Say whether a pair of slots is tried: of FEW candidates each, of more the first of those alike to all rules.

    `mine[slots]` are the slate's, `loose[slots]` those that may be exchanged.
    """
    if r.needs.shape[1] <= FEW:
        return True
    for slot in range(two):
        earlier = loose[slot] and slot != one
        if earlier and (_are_alike(r, mine[slot], mine[two]) or (slot < one and _are_alike(r, mine[slot], mine[one]))):
            return False
    return True


@njit(cache=True, nogil=True)
def best_pair(r: Ruled, free: Any, first: Any, second: Any) -> tuple[int, int, int]:
    """Return the two `free` candidates for two empty slots, worth `first` and `second[cands]` there, and the cost."""
    near, over = _near(r, free, first, second), _overs(r)
    best, other, least, most = -1, -1, int(MOST), -np.inf
    for one in near:
        for two in near:
            if one != two:
                price, worth = _cost_of_two(r, over, one, two), first[one] + second[two]
                if price < least or (price == least and worth > most):
                    best, other, least, most = one, two, price, worth
    return best, other, least


@njit(cache=True, nogil=True)
def ahead(r: Ruled, slates: Any, is_open: Any, free: Any, allowed: Any) -> None:
    """Write which `free[users, cands]` may come next, so that no more than `slates[users, slots]` must cost.

    Those are the slates' own at slots that are open, and those to which one of these can give way. `r` is of all users:
    `caps[users, caps, cands]`, `held[users, caps, groups]`, `needs[users, needs, cands]`, `lack[users, needs]`.
    """
    for user in range(len(slates)):
        _ahead(_of(r, user), slates[user], is_open[user], free[user], allowed[user])


@njit(**INNER)
def _of(r: Ruled, user: int) -> Ruled:
    return Ruled(r.caps[user], r.most, r.held[user], r.needs[user], r.lack[user])


@njit(**INNER)
def _ahead(r: Ruled, mine: Any, is_open: Any, free: Any, allowed: Any) -> None:
    now, price = cost(r), np.empty(len(free), np.int64)
    for cand in range(len(free)):
        allowed[cand] = False
    for slot in range(len(mine)):
        if is_open[slot] and mine[slot] >= 0:
            _hold(r, mine[slot], -1)
            _costs(r, price)
            _hold(r, mine[slot], 1)
            for cand in range(len(free)):
                allowed[cand] |= free[cand] and (cand == mine[slot] or price[cand] <= now)


@njit(cache=True, nogil=True)
def place(r: Ruled, slates: Any, is_open: Any, slot: int, places: Any) -> None:
    """Put `places[users]` (-1: none) at `slot` of the slates, each in place of the open one that costs least."""
    for user in range(len(slates)):
        if places[user] >= 0:
            _place(_of(r, user), slates[user], is_open[user], slot, places[user])


@njit(**INNER)
def _place(r: Ruled, mine: Any, is_open: Any, slot: int, cand: int) -> None:
    least, way = int(MOST), slot
    for other in range(len(mine)):
        if is_open[other]:
            if mine[other] >= 0:
                _hold(r, mine[other], -1)
            _hold(r, cand, 1)
            price = -1 if mine[other] == cand else cost(r)
            _hold(r, cand, -1)
            if mine[other] >= 0:
                _hold(r, mine[other], 1)
            if price < least:
                least, way = price, other
    if mine[way] >= 0:
        _hold(r, mine[way], -1)
    _hold(r, cand, 1)
    mine[way] = mine[slot]
    mine[slot] = cand


@njit(**INNER)
def _hold(r: Ruled, cand: int, by: int) -> None:
    for cap in range(len(r.most)):
        if r.caps[cap, cand] >= 0:
            r.held[cap, r.caps[cap, cand]] += by
    for need in range(len(r.lack)):
        r.lack[need] -= by * r.needs[need, cand]


@njit(**INNER)
def _near(r: Ruled, free: Any, first: Any, second: Any) -> Any:
    """Return the candidates that are looked at, those that cost least first, then those that are worth most."""
    price, looked_at = np.empty(len(free), np.int64), np.zeros(len(free), np.bool_)
    _costs(r, price)
    near, count = np.empty(NEAR, np.int64), 0
    for _ in range(TWINS * NEAR):
        best = -1
        for cand in range(len(free)):
            if free[cand] and not looked_at[cand] and (best < 0 or price[cand] < price[best] or (
                price[cand] == price[best] and first[cand] + second[cand] > first[best] + second[best]
            )):  # fmt: skip
                best = cand
        if best < 0 or count == NEAR:
            break
        looked_at[best] = True
        if _twins(r, near[:count], best) < TWINS or len(free) <= NEAR:
            near[count] = best
            count += 1
    return near[:count]


@njit(**INNER)
def _twins(r: Ruled, near: Any, cand: int) -> int:
    """Return how many of `near` all rules take for the same as a candidate."""
    found = 0
    for one in near:
        found += _are_alike(r, one, cand)
    return found


@njit(**INNER)
def _are_alike(r: Ruled, one: int, two: int) -> bool:
    same = True
    for cap in range(len(r.most)):
        same = same and r.caps[cap, one] == r.caps[cap, two]
    for need in range(len(r.lack)):
        same = same and r.needs[need, one] == r.needs[need, two]
    return bool(same)


@njit(**INNER)
def _cost_of_two(r: Ruled, overs: Any, one: int, two: int) -> int:
    found = 0
    for cap in range(len(r.most)):
        over, a, b = overs[cap], r.caps[cap, one], r.caps[cap, two]
        if a >= 0:
            over += r.held[cap, a] >= r.most[cap]
        if b >= 0:
            over += r.held[cap, b] + (a == b) >= r.most[cap]
        found += _cost(over)
    for need in range(len(r.lack)):
        found += _cost(r.lack[need] - r.needs[need, one] - r.needs[need, two])
    return found


@njit(**INNER)
def _overs(r: Ruled) -> Any:
    found = np.zeros(len(r.most), np.int64)
    for cap in range(len(found)):
        found[cap] = _over(r, cap)
    return found


@njit(**INNER)
def _over(r: Ruled, cap: int) -> int:
    """Return how many items a slate has too many of a cap's groups."""
    over = 0
    for group in range(r.held.shape[1]):
        over += max(r.held[cap, group] - r.most[cap], 0)
    return over


@njit(**INNER)
def _cost(short: int) -> int:
    return BROKEN + short if short > 0 else 0
