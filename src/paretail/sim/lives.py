"""One step in the lives of many users at once: look at a slate, act, stay or go, come back or not.

The chances are those of `sim/visits.py`. All randomness comes in as `Draws`, as many numbers a step for users who left
as for others: two policies that are given the same draws differ by what they show alone (common random numbers).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.ids import Rows
from paretail.sim.truth import Values
from paretail.sim.visits import Chances, Mask, State, Visits


@dataclass(frozen=True, eq=False)
class Draws:
    """Uniform numbers: `of_slot[lanes, slots, 4]` click, purchase, cart, back; `of_user[lanes, 3]` go, churn, gap."""

    of_slot: Values
    of_user: Values


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a step; all false and zero for a user who was not there.

    `went`: the visit is over. `left`: the episode is, by churn or by the end of a single visit. `over`: a life was
    watched to its last day.
    """

    clicked: Mask
    carted: Mask
    bought: Mask
    back: Mask
    goals: Values
    boredom: Values
    went: Mask
    left: Mask
    over: Mask


def draw(shop: Visits, lanes: int, rng: np.random.Generator) -> Draws:
    """Draw the numbers of one step of `lanes` users."""
    return Draws(rng.random((lanes, shop.config.slots, 4)), rng.random((lanes, 3)))


def step(shop: Visits, state: State, slate: NDArray[np.integer], draws: Draws) -> tuple[State, Outcome]:
    """Show `slate[lanes, slots]`, return the next state and what came of it.

    Raises:
        DataError: a slate of another shape, or a row that is none of an item (SIM-01).
    """
    rows = _checked(shop, state, slate)
    chances = shop.chances(state, rows)
    acts = _act(state, chances, draws)
    then = _kept(_noted(shop, state, rows, acts, chances), state)
    went = state.here & (draws.of_user[:, 0] < chances.go)
    then, left, over = _next_visit(shop, then, went, draws)
    then = then.but(here=state.here & ~left & ~over)
    boredom = np.where(state.here, chances.boredom, 0.0)
    return then, Outcome(*acts, _goals(acts, chances, then.here), boredom, went, left, over)


def _checked(shop: Visits, state: State, slate: NDArray[np.integer]) -> Rows:
    slate, items = np.asarray(slate), shop.sizes.items
    want = (len(state), shop.config.slots)
    if slate.shape != want or slate.dtype.kind not in "iu":
        raise DataError(
            [
                Problem(
                    "SIM-01",
                    f"slates of shape {slate.shape} and type {slate.dtype}",
                    f"Expected rows of items of shape {want}",
                    "Show one slate a user",
                )
            ]
        )
    if len(slate) and (slate.min() < 0 or slate.max() >= items):
        found = f"a slate has the row {slate.min() if slate.min() < 0 else slate.max()}"
        raise DataError(
            [Problem("SIM-01", found, f"Expected rows of items, 0 to {items - 1}", "Show items of this shop")]
        )
    return slate.astype(np.int32)


def _act(state: State, chances: Chances, draws: Draws) -> tuple[Mask, Mask, Mask, Mask]:
    """Return who clicked on, put into the cart, bought and sent back what."""
    luck = draws.of_slot
    clicked = (luck[:, :, 0] < chances.click) & state.here[:, None]
    bought = clicked & (luck[:, :, 1] < chances.buy)
    carted = bought | (clicked & (luck[:, :, 2] < 0.04 + 0.4 * chances.buy))
    return clicked, carted, bought, bought & (luck[:, :, 3] < chances.back)


def _goals(acts: tuple[Mask, ...], chances: Chances, here: Mask) -> Values:
    clicked, _, bought, back = acts
    kept = bought & ~back
    money = kept * chances.worth
    return np.stack([clicked.sum(1), kept.sum(1), money.sum(1), (money * chances.margin).sum(1), here], axis=1) * 1.0


def _noted(shop: Visits, state: State, slate: Rows, acts: tuple[Mask, ...], chances: Chances) -> State:
    """Return the state after the slate, as if everybody had been there."""
    clicked, _, bought, back = acts
    kept, again = bought & ~back, state.again.copy()
    lane, slot = np.nonzero(kept)
    cycle = shop.truth.goods.cycle_days[slate[lane, slot]]
    again[lane, slate[lane, slot]] = np.where(np.isnan(cycle), np.inf, state.day[lane] + cycle)
    first = slate[np.arange(len(slate)), clicked.argmax(axis=1)]
    sums = [clicked.sum(1), kept.sum(1), back.sum(1), chances.boredom]
    told = [shop.by_category(slate, np.ones(slate.shape)), shop.by_category(slate, clicked * 1.0)]
    return shop.tire(state, slate).but(
        again=again,
        tally=state.tally + np.stack(sums, axis=1),
        told=state.told + np.stack(told, axis=1),
        slate=slate,
        clicked=clicked,
        last=np.where(clicked.any(axis=1), first, state.last).astype(np.int32),
    )


def _kept(then: State, state: State) -> State:
    """Return the state with nothing changed for users who were not there."""
    if state.here.all():
        return then
    gone = ~state.here
    columns = {}
    for name, new in vars(then).items():
        if name != "tastes":
            old = getattr(state, name)
            columns[name] = np.where(gone.reshape(-1, *[1] * (new.ndim - 1)), old, new)
    return then.but(**columns)


def _next_visit(shop: Visits, state: State, went: Mask, draws: Draws) -> tuple[State, Mask, Mask]:
    """Let those who went come back another day, if they do; return who left for good and whose time is over."""
    never = np.zeros(len(state), dtype=bool)
    if not shop.config.life:
        return state, went, never
    satisfaction = shop.satisfaction(state.tally)
    left = went & (draws.of_user[:, 1] < shop.p_churn(satisfaction))
    days = -np.log1p(-draws.of_user[:, 2]) * shop.mean_gap_days(satisfaction)
    over = went & ~left & (state.day + days > shop.config.days)
    back = went & ~left & ~over
    return _arrived(shop, state, back, np.where(back, days, 0.0)), left, over


def _arrived(shop: Visits, state: State, back: Mask, days: Values) -> State:
    """Return the state with a new visit begun for those who are `back`, rested for `days`; what the last slate was and
    what was clicked in it is still to be seen."""
    stays = ~back
    weary = state.weary * 0.5 ** (days / shop.config.rest_days)[:, None]
    return state.but(
        day=state.day + days,
        visit=state.visit + back.astype(np.int32),
        step=np.where(back, 0, state.step).astype(np.int32),
        weary=weary,
        shown=state.shown * stays[:, None].astype(np.int16),
        tally=state.tally * stays[:, None],
        told=state.told * stays[:, None, None],
        last=np.where(back, -1, state.last).astype(np.int32),
    )
