"""Exposure over a stream of requests: turned up, fairness brings groups to their share, coverage shows more items."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from paretail.policy.dials import Dials
from paretail.policy.exposure import Exposures
from paretail.policy.goals import parse
from paretail.policy.objectives import objective
from paretail.policy.pool import Pool
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in ("clicks", "fairness")}
#: Brands' shares of the catalogue, and how they are liked.
ITEMS, LIKED = (0.4, 0.3, 0.2, 0.1), (1.0, 0.5, 0.35, 0.6)


def planted(seed: int) -> Pool:
    """Return requests in a shop whose first brand is liked twice as much as others."""
    found = pool(users=192, cands=80, seed=seed)
    brand = np.random.default_rng(1).choice(4, 80, p=ITEMS).astype(np.int32)
    liked = np.array(LIKED, np.float32)[brand][found.item_idx]
    wares = replace(found.wares, labels={"brand": brand})
    return replace(found, wares=wares, p_click=found.p_click * liked)


def off(stream: Pool, weights: Mapping[str, float], start: Exposures | None = None) -> float:
    """Return how far brands are off their shares after the stream, request by request, summed over brands."""
    shown = start or Exposures.none(stream.wares.items)
    for user in range(stream.shape[0]):
        one = stream.rows(np.array([user])).with_exposures(shown)
        shown.add(one.items(compose(one, GOALS, weights, 8)))
    brand = stream.wares.labels["brand"]
    due = np.bincount(brand) / len(brand)
    return float(np.abs(np.bincount(brand, weights=shown.counts) / shown.counts.sum() - due).sum())


@pytest.fixture(scope="module")
def dials() -> Dials:
    return Dials(planted(1), GOALS, {"clicks": 1.0}, 8)


def test_turned_up_fairness_brings_brands_to_their_share(dials: Dials) -> None:
    stream = planted(2)
    missed = [off(stream, dials.setting(parse(f"fairness={dial}")).weights) for dial in (0.0, 0.4, 0.8, 1.0)]
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > 1
    assert missed[2] < 0.15
    assert missed[3] < 0.04


def test_a_price_that_is_enough_reaches_the_share_the_better_the_longer(dials: Dials) -> None:
    weights = dials.setting(parse("fairness=0.8")).weights
    shown = Exposures.none(80)
    missed = [off(planted(seed), weights, shown) for seed in (2, 3, 4)]
    assert missed[2] < missed[0]
    assert missed[2] < 0.08


def test_a_dial_of_fairness_is_a_share_of_its_range_on_other_requests(dials: Dials) -> None:
    other = Dials(planted(2), GOALS, {"clicks": 1.0}, 8)
    for share in (0.3, 0.6):
        weights = dials.setting(parse(f"fairness={share}")).weights
        assert other.curve("fairness").share(other.brought(weights, "fairness")) == pytest.approx(share, abs=0.06)
