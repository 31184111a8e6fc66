"""Caps, needs and pins together: against all slates of small cases, and that large ones keep what can be kept."""

from hashlib import sha256
from itertools import permutations
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from numpy.typing import NDArray

from paretail.policy import compiled, exchange
from paretail.policy.compositions import How
from paretail.policy.explore import draw, likelihood
from paretail.policy.objectives import OBJECTIVES, objective
from paretail.policy.pool import Pool
from paretail.policy.rules import Cap, Need, Pin, Rules
from paretail.policy.slate import compose
from tests.policy.pools import pool

GOALS = {name: objective(name) for name in OBJECTIVES}
CANDS, K, USERS, GROUPS = 8, 4, 3, 4
EVERY = np.array(list(permutations(range(CANDS), K)), np.int32)
MIXES = {"clicks": {"clicks": 1.0}, "variety": {"clicks": 1.0, "diversity": 0.3},
         "reach": {"purchases": 1.0, "reach": 0.5, "novelty": 0.05}}  # fmt: skip


def _rules(rng: np.random.Generator) -> Rules:
    """Return up to two caps, three needs and a pin, that often contradict each other."""
    shape = (USERS, CANDS)
    caps = [Cap(f"cap {number}", rng.integers(-1, GROUPS, shape).astype(np.int32), int(rng.integers(1, 3)))
            for number in range(int(rng.integers(0, 3)))]  # fmt: skip
    needs = [Need(f"need {number}", rng.random(shape) < rng.choice([0.2, 0.35, 0.5]), int(rng.integers(1, 4)))
             for number in range(int(rng.integers(0, 4)))]  # fmt: skip
    pin = Pin("pin", int(rng.integers(0, K)), rng.integers(0, CANDS, USERS).astype(np.int32))
    return Rules(caps, needs, [pin] if rng.random() < 0.3 else [])


def _told(rules: Rules, user: int, places: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many rules each slate breaks, pins aside, and by how many items, `[slates, 2]`."""
    short = []
    for cap in rules.caps:
        codes = cap.codes[user][places]
        held = np.stack([(codes == group).sum(1) for group in range(GROUPS)], 1)
        short.append(np.maximum(held - cap.most, 0).sum(1))
    short += [np.maximum(need.least - need.those[user][places].sum(1), 0) for need in rules.needs]
    whole = np.array(short).reshape(len(short), len(places))
    return np.stack([(whole > 0).sum(0), whole.sum(0)], 1)


def _worth(found: Pool, weights: dict[str, float], user: int, places: NDArray[np.int32]) -> NDArray[np.float64]:
    rows = found.rows(np.full(len(places), user))
    return np.sum([weight * GOALS[name].value(rows, places) for name, weight in weights.items()], axis=0)


@pytest.mark.parametrize("mix", MIXES)
def test_small_slates_are_the_best_of_those_that_keep_the_most(mix: str) -> None:
    """No rule is broken that can be kept, no item is missing that can be had; what is left is worth what it can be."""
    gaps = []
    for seed in range(45):
        found, rules = pool(users=USERS, cands=CANDS, seed=seed), _rules(np.random.default_rng(seed))
        places = compose(found, GOALS, MIXES[mix], K, rules)
        for user in range(USERS):
            held = np.all([EVERY[:, pin.slot] == pin.place[user] for pin in rules.pins], axis=0)
            every = EVERY[np.broadcast_to(held, len(EVERY))]
            told, worth = _told(rules, user, every), _worth(found, MIXES[mix], user, every)
            best = np.lexsort((-worth, told[:, 1], told[:, 0]))[0]
            mine = places[user : user + 1]
            assert _told(rules, user, mine)[0].tolist() == told[best].tolist(), (seed, user)
            gaps.append(1 - _worth(found, MIXES[mix], user, mine)[0] / worth[best])
    assert max(gaps) < (1e-5 if mix == "clicks" else 0.05)
    assert np.mean(gaps) < 1e-3


@pytest.mark.parametrize("way", ["drawn", "mmr", "dpp"])
def test_slates_that_are_filled_without_going_back_break_no_more(way: str) -> None:
    """What is drawn has the odds that the likelihood says, under rules that clash too."""
    for seed in range(45):
        found, rules = pool(users=USERS, cands=CANDS, seed=seed), _rules(np.random.default_rng(seed))
        best, rng = compose(found, GOALS, MIXES["clicks"], K, rules), np.random.default_rng(seed)
        if way == "drawn":
            drawn = draw(found, GOALS, MIXES["clicks"], K, 0.2, rng, rules)
            places = drawn.places
            odds = likelihood(found, GOALS, MIXES["clicks"], 0.2, places, rules)
            np.testing.assert_allclose(drawn.propensity, odds)
        else:
            places = compose(found, GOALS, MIXES["clicks"], K, rules, how=How(way, 0.5))  # type: ignore[arg-type]
        for user in range(USERS):
            mine, least = (_told(rules, user, each[user : user + 1])[0].tolist() for each in (places, best))
            assert mine <= least, (seed, user)


def test_rules_that_clash_are_told_by_name_and_the_others_hold() -> None:
    """A cap of two of a brand against four of its six items: one of them is broken, by name; the rest is kept."""
    found = pool(users=2, cands=200, seed=1)
    brand = np.full(found.shape, -1, np.int32)
    brand[:, 10:16] = 0
    category = found.of(np.arange(200, dtype=np.int32) % 5)
    last = np.broadcast_to(np.arange(200) >= 190, found.shape)
    caps = [Cap("brand", brand, 2), Cap("category", category, 3)]
    rules = Rules(caps, [Need("four of it", brand == 0, 4), Need("two of the last", last, 2)])
    for names in (("clicks",), ("clicks", "diversity", "distance")):
        broken = rules.broken(compose(found, GOALS, dict.fromkeys(names, 1.0), 10, rules))
        assert all(set(one) in ({"brand"}, {"four of it"}) for one in broken)


def test_what_only_a_pair_of_items_keeps_is_kept_among_many() -> None:
    """Needs of two each of `a` and `b`, which but three items serve: c, worth nothing, serves both, with d and e."""
    found = pool(users=1, cands=150, seed=2)
    a, b = np.zeros(found.shape, bool), np.zeros(found.shape, bool)
    brand = np.full(found.shape, -1, np.int32)
    a[0, [3, 4, 5]], b[0, [3, 6, 7]] = True, True
    brand[0, [4, 6]] = 0
    brand[0, [5, 7]] = 1
    rules = Rules([Cap("brand", brand, 1)], [Need("a", a, 2), Need("b", b, 2)])
    assert rules.broken(compose(found, GOALS, {"clicks": 1.0, "diversity": 0.1}, 4, rules)) == [[]]


@pytest.mark.parametrize("quotas", [2, 3])
def test_quotas_that_cannot_all_hold_cost_little(quotas: int) -> None:
    """Quotas of 60 % each: one took 1 ms, and two 1.5 s, where each pair of 50 slots was exchanged."""
    found = pool(users=1, cands=500, seed=1)
    needs = [Need(f"{number}", np.arange(500)[None] % 5 == number, 30) for number in range(quotas)]
    rules, took = Rules([], needs), []
    for _ in range(3):
        start = process_time()
        places = compose(found, GOALS, {"clicks": 1.0, "diversity": 0.3}, 50, rules)
        took.append(process_time() - start)
    assert len(rules.broken(places)[0]) >= quotas - 1
    assert min(took) < 0.1


def test_kernels_that_are_kept_know_what_they_were_made_of() -> None:
    """What numba keeps of `compiled.py` is made anew when that file changes, but not when `exchange.py` does."""
    source = Path(str(exchange.__file__)).read_bytes()
    assert sha256(source).hexdigest()[:16] == compiled.EXCHANGE, "set EXCHANGE in policy/compiled.py to it"
