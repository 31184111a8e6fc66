"""Visits: chances are chances, boredom bores, who left does not act, goals add up, same seed same bytes."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import DataError
from paretail.core.rng import rng_for
from paretail.sim.lives import Draws, draw, step
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import GOALS, Reward, State, VisitConfig, Visits

SIZES = SimConfig(users=50, items=120, days=20)


@lru_cache
def shop(life: bool = False, **changes: float) -> Visits:
    return Visits(grow(SIZES, rng_for("sim/truth", 5)), VisitConfig(slots=4, life=life, **changes))


def slates(lanes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(SIZES.items, size=(lanes, 4))


def after(visits: Visits, steps: int, seed: int, lanes: int = 12) -> State:
    rng = np.random.default_rng(seed)
    state = visits.start(np.arange(lanes, dtype=np.int32))
    for at in range(steps):
        state, _ = step(visits, state, slates(lanes, seed + at), draw(visits, lanes, rng))
    return state


@given(seed=st.integers(0, 10_000), steps=st.integers(0, 8), life=st.booleans())
@settings(max_examples=25, deadline=None)
def test_probabilities_are_in_range_and_users_who_left_do_not_act(seed: int, steps: int, life: bool) -> None:
    visits = shop(life)
    state = after(visits, steps, seed)
    chances = visits.chances(state, slates(12, seed + 99).astype(np.int32))
    for chance in (chances.click, chances.buy, chances.back, chances.go):
        assert ((chance >= 0) & (chance <= 1)).all()
    assert (chances.boredom >= 0).all()
    then, outcome = step(visits, state, slates(12, seed + 99), draw(visits, 12, np.random.default_rng(seed)))
    gone = ~state.here
    assert not outcome.clicked[gone].any()
    assert not outcome.goals[gone].any()
    assert not (outcome.went | outcome.left | outcome.over)[gone].any()
    assert not then.here[gone].any()
    for name, column in vars(then).items():
        if name != "tastes":
            np.testing.assert_array_equal(column[gone], getattr(state, name)[gone])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_goals_add_up(seed: int) -> None:
    visits, slate = shop(), slates(12, seed)
    state = after(visits, 1, seed)
    then, outcome = step(visits, state, slate, draw(visits, 12, np.random.default_rng(seed)))
    kept = outcome.bought & ~outcome.back
    assert not (outcome.bought & ~outcome.carted).any()
    assert not (outcome.carted & ~outcome.clicked).any()
    worth = visits.truth.value(state.user[:, None], slate) / 100
    money = (kept * worth).sum(1), (kept * worth * visits.truth.goods.margin[slate]).sum(1)
    np.testing.assert_allclose(outcome.goals.T, [outcome.clicked.sum(1), kept.sum(1), *money, then.here])
    assert Reward(revenue=0.5).weights @ np.ones(5) == 2.5
    assert len(GOALS) == outcome.goals.shape[1]


@given(seed=st.integers(0, 10_000), times=st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_boredom_lowers_clicks_and_sends_away(seed: int, times: int) -> None:
    visits, slate = shop(), slates(12, seed).astype(np.int32)
    fresh = tired = visits.start(np.arange(12, dtype=np.int32))
    for _ in range(times):
        tired = visits.tire(tired, slate)
    now, later = visits.chances(fresh, slate), visits.chances(tired, slate)
    assert (later.click <= now.click).all()
    assert (later.click.sum(1) < now.click.sum(1)).all()
    assert (later.boredom > now.boredom).all()
    assert (later.go > now.go).all()


def test_the_settings_that_agents_are_judged_by_stay_as_they_were_frozen() -> None:
    assert VisitConfig().model_dump() == {
        "slots": 10, "longest": 30, "life": False, "days": 60.0, "slope": 0.3, "dulls": 0.4, "seen": 2.0, "keep": 0.8,
        "quit": 0.02, "haste": 1.5, "anchor": 0.5, "learns": 0.3, "fit": 0.5, "pleased": 0.15, "glad": 0.5,
        "sorry": 1.0, "tired": 0.3, "churn": -1.5, "gap_days": 7.0, "sooner": 0.3, "rest_days": 3.0, "blur": 0.3,
    }  # fmt: skip
    assert Reward().model_dump() == {"clicks": 1.0, "purchases": 1.0, "revenue": 0.0, "profit": 0.0, "staying": 0.0}


def test_a_second_look_at_a_category_bores_even_with_other_items() -> None:
    visits = shop()
    first, second = (np.flatnonzero(visits.leaf == leaf)[:3] for leaf in (0, 1))
    state = visits.start(np.zeros(2, dtype=np.int32))
    slate = np.array([[first[0], second[0], second[1], second[2]]] * 2, dtype=np.int32)
    chances = visits.chances(state, slate)
    expected = visits.glance @ np.array([0, 0, visits.glance[1], visits.glance[1] + visits.glance[2]])
    np.testing.assert_allclose(chances.boredom, expected)
    np.testing.assert_allclose(chances.go, 1 - 0.98 * np.exp(-1.5 * expected))
    assert visits.tire(state, slate).weary[0, :2] == pytest.approx([visits.glance[0], visits.glance[1:].sum()])


def test_an_item_stands_once_and_nobody_clicks_on_what_is_not_on_sale() -> None:
    visits = shop()
    off = np.flatnonzero(~visits.truth.on_sale())[0]
    on = np.flatnonzero(visits.truth.on_sale())[:2]
    click = visits.chances(visits.start(np.zeros(1, dtype=np.int32)), np.array([[on[0], on[0], off, on[1]]])).click
    assert list(click[0] > 0) == [True, False, False, True]


def test_dear_prices_sell_less_and_cheap_ones_seen_before_make_prices_dear() -> None:
    truth, slate = shop().truth, slates(12, 3).astype(np.int32)
    user = np.arange(12, dtype=np.int32)
    usual, dear = (Visits(truth, VisitConfig(slots=4), np.full(120, factor)) for factor in (1.0, 1.3))
    one, other = (visits.chances(visits.start(user), slate) for visits in (usual, dear))
    assert (other.buy < one.buy).all()
    np.testing.assert_allclose(other.worth, 1.3 * one.worth)
    np.testing.assert_allclose(other.click, one.click)
    spoilt = usual.start(user).but(expects=np.full(12, -0.5))
    assert (usual.chances(spoilt, slate).buy < one.buy).all()


def test_what_is_bought_is_not_bought_again_before_it_is_used_up() -> None:
    visits, slate = shop(), slates(12, 1)
    lucky = Draws(np.full((12, 4, 4), [0.0, 0.0, 0.0, 1.0]), np.full((12, 3), 1.0 - 1e-9))
    state, outcome = step(visits, visits.start(np.arange(12, dtype=np.int32)), slate, lucky)
    assert outcome.bought.sum() > 40
    again, at = visits.chances(state, slate.astype(np.int32)), np.isnan(visits.truth.goods.cycle_days[slate])
    assert not again.buy[outcome.bought].any()
    later = visits.chances(state.but(day=np.full(12, 300.0)), slate.astype(np.int32))
    np.testing.assert_array_equal((later.buy > 0)[outcome.bought], ~at[outcome.bought])


def test_purchases_that_fit_badly_come_back_more_often() -> None:
    back = shop().p_back(np.array([-6.0, -3.3, 0.0]))
    assert back[1] == pytest.approx(SIZES.refunds)
    assert back[0] > back[1] > back[2]


def test_satisfied_users_come_back_sooner_and_bored_ones_may_never() -> None:
    visits = shop(life=True)
    pleased, bored = visits.satisfaction(np.array([[5.0, 1.0, 0.0, 0.2], [0.0, 0.0, 1.0, 6.0]]))
    assert visits.p_churn(pleased) < visits.p_churn(bored)
    assert visits.mean_gap_days(pleased) < visits.mean_gap_days(bored)


def test_a_life_goes_on_over_visits_until_the_user_leaves_or_the_days_are_over() -> None:
    visits, rng = shop(life=True), np.random.default_rng(0)
    state = visits.start(np.arange(50, dtype=np.int32))
    left = over = np.zeros(50, dtype=bool)
    while state.here.any():
        before, luck = state, draw(visits, 50, rng)
        state, outcome = step(visits, state, slates(50, int(luck.of_user[0, 0] * 1e6)), luck)
        left, over = left | outcome.left, over | outcome.over
        back = outcome.went & state.here
        assert (state.day[back] > before.day[back]).all()
        assert not state.shown[back].any()
        assert (state.clicked[back] == outcome.clicked[back]).all()  # still to be seen
        assert (state.weary[back].sum(1) < 1 / (1 - visits.config.keep)).all()
    assert (left ^ over).all()
    assert left.any()
    assert (state.visit > 0).any()
    assert (state.day <= visits.config.days).all()


@pytest.mark.parametrize("life", [False, True])
def test_same_seed_same_bytes(life: bool) -> None:
    one, other = (after(shop(life), 5, 8) for _ in range(2))
    for name, column in vars(one).items():
        if name != "tastes":
            assert column.tobytes() == getattr(other, name).tobytes()
    assert one.tally.tobytes() != after(shop(life), 5, 9).tally.tobytes()


def test_clicks_follow_the_chances() -> None:
    visits, slate = shop(), np.tile(slates(1, 4), (4000, 1))
    state = visits.start(np.zeros(4000, dtype=np.int32))
    _, outcome = step(visits, state, slate, draw(visits, 4000, np.random.default_rng(2)))
    expected = visits.chances(visits.start(np.zeros(1, dtype=np.int32)), slate[:1].astype(np.int32)).goals()[0]
    error = outcome.goals.std(axis=0) / np.sqrt(4000)
    assert (np.abs(outcome.goals.mean(axis=0) - expected) < 4 * error + 1e-9).all()


@pytest.mark.parametrize(
    ("slate", "found"),
    [
        (np.zeros((12, 3), dtype=int), "shape"),
        (np.zeros((12, 4)), "float64"),
        (np.full((12, 4), 120), "the row 120"),
        (np.full((12, 4), -1), "the row -1"),
    ],
)
def test_slates_that_are_none_are_refused(slate: np.ndarray, found: str) -> None:
    visits = shop()
    with pytest.raises(DataError, match=rf"{found}.*SIM-01"):
        step(visits, after(visits, 0, 0), slate, draw(visits, 12, np.random.default_rng(0)))
