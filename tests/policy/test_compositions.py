"""MMR and DPP: what their papers say on small cases, rules kept, odds exact."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from paretail.policy import PolicyError
from paretail.policy.compositions import How
from paretail.policy.compositions.dpp import LEAST
from paretail.policy.explore import draw, likelihood
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Pin, Rules
from paretail.policy.slate import Total, arranged, compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}
MMR, DPP = How("mmr", 0.6), How("dpp", 0.6)
CLICKS = {"clicks": 1.0}


def _shares(found: Pool) -> np.ndarray:
    p = found.p_click.astype(float)
    return (p - p.min(1, keepdims=True)) / (p.max(1, keepdims=True) - p.min(1, keepdims=True))


def _alike(found: Pool, user: int) -> np.ndarray:
    vectors = found.wares.vectors[found.item_idx[user]].astype(float)
    alike = 0.5 + 0.5 * vectors @ vectors.T
    np.fill_diagonal(alike, 1.0)
    return alike


def test_mmr_by_hand() -> None:
    found = pool(users=1, cands=3)
    found.item_idx[:] = [[0, 1, 2]]
    found.p_click[:] = [[0.9, 0.8, 0.1]]
    found.wares.vectors[:3] = np.eye(5)[[0, 0, 1]]
    # shares 1, .875, 0; after the first: the second is the same (.6 * .875 - .4 * 1 = .125), the third half alike
    # (0 - .4 * .5 = -.2)
    assert compose(found, GOALS, CLICKS, 3, how=MMR).tolist() == [[0, 1, 2]]
    # at .3: .3 * .875 - .7 = -.4375 against -.35
    assert compose(found, GOALS, CLICKS, 3, how=How("mmr", 0.3)).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_dpp_gains_are_those_of_determinants(seed: int) -> None:
    found = pool(users=1, cands=9, seed=seed)
    alike, share, theta = _alike(found, 0), _shares(found)[0], DPP.balance
    alpha = theta / (2 * (1 - theta))
    kernel = np.exp(alpha * share)[:, None] * alike * np.exp(alpha * share)[None, :]
    places = compose(found, GOALS, CLICKS, 5, how=DPP)[0].tolist()
    for slot, place in enumerate(places):
        held = places[:slot]
        worth = {c: np.linalg.det(kernel[np.ix_([*held, c], [*held, c])]) for c in range(9) if c not in held}
        assert max(worth, key=worth.__getitem__) == place


def test_dpp_is_the_most_likely_set_or_near_it() -> None:
    lost = []
    for seed in range(6):
        found = pool(users=1, cands=8, seed=seed)
        share = _shares(found)[0]
        kernel = _alike(found, 0) * np.exp(0.75 * (share[:, None] + share[None, :]))
        odds = {frozenset(s): np.linalg.slogdet(kernel[np.ix_(s, s)])[1] for s in permutations(range(8), 3)}
        mine = odds[frozenset(compose(found, GOALS, CLICKS, 3, how=DPP)[0].tolist())]
        lost.append(max(odds.values()) - mine)
    assert min(lost) < 1e-9
    assert max(lost) < 0.2


def test_when_nothing_spans_more_the_rest_goes_by_worth() -> None:
    found = pool(users=1, cands=8)
    found.wares.vectors[:] = np.eye(5)[0]
    places = compose(found, GOALS, CLICKS, 8, how=DPP)[0]
    assert sorted(places) == list(range(8))
    assert (np.diff(found.p_click[0, places]) <= 0).all()
    state = arranged(Total(found, GOALS, CLICKS, 8, Rules()), found, 8, DPP)
    state.add(places[:1], 0)
    assert (state.d2[0, places[1:]] < LEAST).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("how", [MMR, DPP])
def test_rules_hold(how: How) -> None:
    found = pool(users=4, cands=30)
    found.item_idx[0, 20:] = -1
    codes = np.where(found.valid, found.of(found.wares.labels["brand"]), -1)
    rules = Rules([Cap("cap", codes, 3)], pins=[Pin("pin", 2, np.full(4, 7, np.int32))])
    places = compose(found, GOALS, {"clicks": 1.0, "diversity": 0.2}, 6, rules, how=how)
    assert (places[:, 2] == 7).all()
    assert rules.broken(places) == [[]] * 4
    assert all(len(set(row)) == 6 for row in places.tolist())
    assert (places[0] < 20).all()


@pytest.mark.parametrize("how", [MMR, DPP])
def test_less_balance_is_more_difference(how: How) -> None:
    found, distance = pool(users=20, cands=40), GOALS["distance"]
    apart = [distance.value(found, compose(found, GOALS, CLICKS, 5, how=how._replace(balance=b))).mean()
             for b in (0.99, 0.5, 0.05)]  # fmt: skip
    assert apart == sorted(apart)


@pytest.mark.parametrize("how", [MMR, DPP])
def test_odds_of_drawn_slates_are_exact(how: How) -> None:
    found = pool(users=3, cands=10)
    drawn = draw(found, GOALS, CLICKS, 4, 0.2, np.random.default_rng(0), how=how)
    np.testing.assert_allclose(likelihood(found, GOALS, CLICKS, 0.2, drawn.places, how=how), drawn.propensity)


def test_without_vectors_it_is_said() -> None:
    found = pool()
    blind = replace(found, wares=replace(found.wares, vectors=np.zeros_like(found.wares.vectors)))
    with pytest.raises(PolicyError, match="vectors"):
        compose(blind, GOALS, CLICKS, 3, how=MMR)
