"""Every objective: marginal gains add up to its value, whatever the order of choices; values follow their formulas."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from paretail.core.errors import ConfigError
from paretail.policy import PolicyError
from paretail.policy.exposure import KEPT, Exposures
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.pool import Pool
from tests.policy.pools import pool

ALL = (*OBJECTIVES, "column.rating")
PLACES = np.array([[3, 1, 7, 2], [0, 5, 4, 9], [11, 2, 6, 8]], np.int32)


def _items(found: Pool, user: int) -> list[int]:
    return found.item_idx[user, PLACES[user]].tolist()


@pytest.mark.parametrize("name", ALL)
def test_gains_are_what_the_value_grows_by(name: str) -> None:
    found, goal = pool(), objective(name)
    gains = goal.gains(found, 4)
    for slot in range(4):
        before = np.full_like(PLACES, -1)
        before[:, :slot] = PLACES[:, :slot]
        after = before.copy()
        after[:, slot] = PLACES[:, slot]
        told = gains.now[np.arange(3), PLACES[:, slot]] * (found.attention[slot] if goal.attended else 1)
        np.testing.assert_allclose(told, goal.value(found, after) - goal.value(found, before), atol=2e-3, rtol=1e-4)
        gains.add(PLACES[:, slot], slot)


@pytest.mark.parametrize("name", ALL)
def test_a_docstring_tells_formula_unit_and_source(name: str) -> None:
    told = " ".join((inspect.getdoc(sys.modules[type(objective(name)).__module__]) or "").split())
    assert " value = " in told
    assert f"Unit: {objective(name).unit}; higher is better." in told
    assert re.search(r" Source: .+ (doi:10\.|arXiv:)\S+.* Deviations: ", told) or " No source: a plain mean of " in told


def test_clicks_that_nothing_tells_from_purchases_are_no_goal_beside_them() -> None:
    objective("clicks").check(pool())
    bought = np.ones((3, 12), np.float32)
    with pytest.raises(PolicyError, match=r"nothing tells clicks from purchases.*POL-02"):
        objective("clicks").check(pool(p_purchase=bought))
    objective("purchases").check(pool(p_purchase=bought))
    objective("clicks").check(pool(p_purchase=np.full((3, 12), np.nan, np.float32)))  # a shop of likes


@pytest.mark.parametrize("name", ALL)
def test_what_is_dropped_leaves_no_trace(name: str) -> None:
    found, goal = pool(), objective(name)
    gains = goal.gains(found, 4)
    gains.add(PLACES[:, 0], 0)
    before = gains.now.copy()
    gains.add(PLACES[:, 1], 1)
    gains.drop(PLACES[:, 1], 1)
    np.testing.assert_allclose(gains.now, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_users_do_not_see_each_other(name: str) -> None:
    found, goal = pool(), objective(name)
    alone = [goal.value(found.rows(np.array([u])), PLACES[u : u + 1])[0] for u in range(3)]
    np.testing.assert_allclose(goal.value(found, PLACES), alone, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_slate_of_nothing_has_a_value(name: str) -> None:
    assert np.isfinite(objective(name).value(pool(), np.full((3, 4), -1, np.int32))).all()


def _sum(found: Pool, user: int, worth: np.ndarray) -> float:
    return float(sum(found.attention[slot] * worth[user, place] for slot, place in enumerate(PLACES[user])))


def _pairs(found: Pool, user: int, far: Callable[[int, int], float]) -> float:
    items = _items(found, user)
    pairs = [(a, b) for n, a in enumerate(items) for b in items[:n]]
    return sum(far(a, b) for a, b in pairs) / len(pairs)


def _differs(found: Pool, a: int, b: int) -> float:
    codes = found.wares.labels["category"]
    return float(codes[a] != codes[b] or codes[a] < 0)


def _kl(found: Pool, user: int) -> float:
    codes = found.wares.labels["category"]
    had = [codes[item] for item in found.past.item_idx[found.past.indptr[user] : found.past.indptr[user + 1]]]
    had = [code for code in had if code >= 0]
    shown = [codes[item] for item in _items(found, user)]
    total = 0.0
    for code in set(had):
        p = had.count(code) / len(had)
        q = 0.99 * shown.count(code) / 4 + 0.01 * p
        total += p * np.log(p / q)
    return -total


FORMULAS: dict[str, Callable[[Pool, int], float]] = {
    "clicks": lambda f, u: _sum(f, u, f.p_click),
    "purchases": lambda f, u: _sum(f, u, f.p_click * f.p_purchase),
    "revenue": lambda f, u: _sum(f, u, f.p_click * f.p_purchase * f.order_value),
    "profit": lambda f, u: _sum(f, u, f.p_click * f.p_purchase * f.order_value * f.wares.margin[f.item_idx]),
    "satisfaction": lambda f, u: _sum(f, u, f.p_click * f.p_purchase * (2 * f.wares.kept[f.item_idx] - 1)),
    "diversity": lambda f, u: _pairs(f, u, lambda a, b: _differs(f, a, b)),
    "distance": lambda f, u: _pairs(f, u, lambda a, b: (1 - float(f.wares.vectors[a] @ f.wares.vectors[b])) / 2),
    "novelty": lambda f, u: float(np.mean([-np.log2(f.wares.seen_by[i]) for i in _items(f, u)])),
    "freshness": lambda f, u: float(np.mean([
        0.5 ** ((100 - c / 86_400_000) / 30) if (c := f.wares.created_ts_ms[i]) > 0 else 0 for i in _items(f, u)])),
    "reach": lambda f, u: 1 - float(np.prod([1 - f.attention[s] * f.p_click[u, p] for s, p in enumerate(PLACES[u])])),
    "calibration": _kl,
    "coverage": lambda f, u: float(np.mean([
        (mean := 1 + f.exposures.counts.mean()) / (mean + f.exposures.counts[i]) for i in _items(f, u)])),
    "column.rating": lambda f, u: float(np.mean([f.wares.columns["rating"][i] for i in _items(f, u)])),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula(name: str) -> None:
    found = pool()
    told = objective(name).value(found, PLACES)
    np.testing.assert_allclose(told, [FORMULAS[name](found, user) for user in range(3)], rtol=1e-4, atol=1e-5)


def test_serendipity_counts_what_is_far_from_the_past() -> None:
    found = pool()
    vectors, past = found.wares.vectors, found.past
    worth = found.p_click.copy()
    for user in range(2):
        had = vectors[past.item_idx[past.indptr[user] : past.indptr[user + 1]]]
        worth[user] *= 1 - np.clip((vectors[found.item_idx[user]] @ had.T).max(1), 0, 1)
    told = objective("serendipity").value(found, PLACES)
    np.testing.assert_allclose(told, [_sum(found, user, worth) for user in range(3)], rtol=1e-4)


def test_prices_of_exposure_are_the_derivative_of_the_utility() -> None:
    shown = Exposures(np.array([0, 3, 12, 1]))
    usual = 1 + 16 / 4

    def utility(counts: np.ndarray) -> float:
        return float(usual * np.log1p(counts / usual).sum())

    for item in range(4):
        step = np.eye(4)[item] * 1e-6
        slope = (utility(shown.counts + step) - utility(shown.counts - step)) / 2e-6
        assert shown.prices(np.array([item]))[0] == pytest.approx(slope, rel=1e-5)


def test_a_group_that_is_owed_exposure_has_a_price() -> None:
    group = np.array([0, 0, 1, -1], np.int32)
    every = np.arange(4, dtype=np.int32)
    price = Exposures(np.array([66, 0, 27, 500])).prices_of_groups(group, every)
    assert price[:2] == pytest.approx((2 / 3 * 93 - 66) / (5 * np.sqrt(2 / 3 * 94)))
    assert price[2] == pytest.approx((1 / 3 * 93 - 27) / (5 * np.sqrt(1 / 3 * 94)))
    assert price[3] == 0
    assert Exposures(np.array([900, 0, 0, 0])).prices_of_groups(group, every).tolist() == [-1, -1, 1, 0]
    assert Exposures.none(3).prices_of_groups(np.full(3, -1, np.int32), every[:3]).tolist() == [0, 0, 0]


def test_prices_follow_what_is_shown_as_if_counted_anew() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.integers(-1, 4, 50).astype(np.int32) for _ in range(KEPT + 2)]
    shown, some = Exposures(rng.integers(0, 9, 50)), rng.integers(-1, 50, (3, 12)).astype(np.int32)
    for _ in range(5):
        shown.add(rng.integers(-1, 50, 20).astype(np.int32))
        anew = Exposures(shown.counts.copy())
        assert shown.prices(some).tolist() == anew.prices(some).tolist()
        for group in groups:
            assert shown.prices_of_groups(group, some).tolist() == anew.prices_of_groups(group, some).tolist()


@pytest.mark.parametrize(("name", "without"), [
    ("profit", {"margin": np.full(12, np.nan, np.float32)}), ("diversity", {"labels": {}}),
    ("distance", {"vectors": np.zeros((12, 5), np.float32)}), ("freshness", {"created_ts_ms": np.zeros(12, np.int64)}),
    ("column.stars", {}),
])  # fmt: skip
def test_a_goal_that_lacks_its_facts_says_which(name: str, without: dict[str, object]) -> None:
    found = pool()
    with pytest.raises(PolicyError, match="POL-02"):
        objective(name).check(replace(found, wares=replace(found.wares, **without)))  # type: ignore[arg-type]


def test_a_task_that_was_not_learned_is_no_goal() -> None:
    with pytest.raises(PolicyError, match="order values"):
        objective("revenue").gains(pool(order_value=np.full((3, 12), np.nan, np.float32)), 4)


@pytest.mark.parametrize(("name", "fact"), [("profit", "margin"), ("freshness", "created_ts_ms")])
def test_a_few_candidates_of_which_nothing_is_told_are_worth_nothing(name: str, fact: str) -> None:
    found = pool()
    known = getattr(found.wares, fact).copy()
    known[1:] = np.nan if fact == "margin" else 0
    found = replace(found, wares=replace(found.wares, **{fact: known}))
    goal = objective(name)
    goal.check(found)
    few = found.narrowed(np.argsort(found.item_idx == 0, axis=1)[:, :6].astype(np.int32))
    assert goal.value(few, np.array([[0, 1, 2]] * 3, np.int32)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ALL)
def test_nobody_having_candidates_is_no_error(name: str) -> None:
    unknown = np.full((2, 5), np.nan, np.float32)
    nobody = replace(pool().rows(np.arange(2)), item_idx=np.full((2, 5), -1, np.int32), p_click=unknown,
                     p_purchase=unknown, order_value=unknown)  # fmt: skip
    assert np.isfinite(objective(name).value(nobody, np.full((2, 4), -1, np.int32))).all()


def test_unknown_goals_and_settings_name_the_nearest() -> None:
    with pytest.raises(PolicyError, match=r"'revenues'.*revenue"):
        objective("revenues")
    with pytest.raises(ConfigError, match="half_life_days"):
        objective("freshness", {"half_life": 3.0})


class _Counted(np.ndarray):
    """An array that counts how often all of it is looked at."""

    looked = 0

    def any(self, *args: object, **named: object) -> object:
        _Counted.looked += self.ndim > 0
        return super().any(*args, **named)  # type: ignore[call-overload]


@pytest.mark.parametrize(("name", "fact"), [("distance", "vectors"), ("freshness", "created_ts_ms")])
def test_an_answer_does_not_look_at_the_whole_catalogue(name: str, fact: str) -> None:
    found = pool()
    counted = replace(found.wares, **{fact: getattr(found.wares, fact).view(_Counted)})
    found, _Counted.looked = replace(found, wares=counted), 0
    objective(name).check(found)
    for _ in range(3):
        objective(name).value(found.rows(np.arange(2)), np.array([[0, 1, 2], [3, 4, 5]], np.int32))
    assert _Counted.looked == 1
