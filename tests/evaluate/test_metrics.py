"""Every entry of METRICS against a plain reference, and its page in docs/evaluate.md."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from paretail.evaluate.catalogue import CATALOGUE_METRICS
from paretail.evaluate.context import Context
from paretail.evaluate.metrics import METRICS
from paretail.evaluate.segments import PAIR_SEGMENTS, USER_SEGMENTS

from .cases import ITEMS, USERS, WORLDS, K, World, history

NAN = math.nan
DOCS = Path(__file__).parents[2] / "docs" / "evaluate.md"


def recall(world: World, user: int) -> float:
    truth = world.truth[user]
    return len(truth.intersection(world.ranked[user])) / len(truth) if truth else NAN


def ndcg(world: World, user: int) -> float:
    truth = world.truth[user]
    gain = sum(1 / math.log2(rank + 2) for rank, item in enumerate(world.ranked[user]) if item in truth)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(K, len(truth)))) if truth else NAN


def hr(world: World, user: int) -> float:
    truth = world.truth[user]
    return float(bool(truth.intersection(world.ranked[user]))) if truth else NAN


def mrr(world: World, user: int) -> float:
    truth = world.truth[user]
    return next((1 / r for r, i in enumerate(world.ranked[user], 1) if i in truth), 0.0) if truth else NAN


def mean_ap(world: World, user: int) -> float:
    truth, ranked = world.truth[user], world.ranked[user]
    at = [rank for rank, item in enumerate(ranked, 1) if item in truth]
    return sum(hits / rank for hits, rank in enumerate(at, 1)) / min(K, len(truth)) if truth else NAN


def user_coverage(world: World, user: int) -> float:
    full = len(world.ranked[user]) == K
    return float(full and min(world.scores[user]) > 0.5)


def novelty(world: World, user: int) -> float:
    bits = [-math.log2(max(world.owners(item), 1) / USERS) for item in world.ranked[user]]
    return sum(bits) / len(bits) if bits else NAN


def popularity(world: World, user: int) -> float:
    owners = [world.owners(item) for item in world.ranked[user]]
    return sum(owners) / len(owners) if owners else NAN


def diversity(world: World, user: int) -> float:
    sets = [world.labels[item] for item in world.ranked[user] if world.labels[item]]
    same = [len(a & b) / math.sqrt(len(a) * len(b)) for a, b in itertools.combinations(sets, 2)]
    return 1 - sum(same) / len(same) if same else NAN


def diversity_vectors(world: World, user: int) -> float:
    points = [world.vectors[item] for item in world.ranked[user] if any(world.vectors[item])]
    same = [(a[0] * b[0] + a[1] * b[1]) / math.hypot(*a) / math.hypot(*b) for a, b in itertools.combinations(points, 2)]
    return 1 - sum(same) / len(same) if same else NAN


def serendipity(world: World, user: int) -> float:
    expected = sorted(range(ITEMS), key=lambda item: (-world.owners(item), item))[:K]
    good = world.truth[user].intersection(world.ranked[user]) - set(expected)
    return len(good) / K if world.truth[user] else NAN


def calibration(world: World, user: int) -> float:
    p, q = (spread(world, items) for items in (world.had[user], world.ranked[user]))
    if not p or not q:
        return NAN
    return sum(share * math.log(share / (0.99 * q[c] + 0.01 * share)) for c, share in p.items())


def spread(world: World, items: list[int] | set[int]) -> Counter[int]:
    weight: Counter[int] = Counter()
    for item in items:
        weight.update({label: 1 / len(world.labels[item]) for label in world.labels[item]})
    return Counter({label: part / sum(weight.values()) for label, part in weight.items()})


REFERENCES: dict[str, Callable[[World, int], float]] = {
    "recall": recall, "ndcg": ndcg, "hr": hr, "mrr": mrr, "map": mean_ap, "user_coverage": user_coverage,
    "novelty": novelty, "popularity": popularity, "diversity": diversity, "diversity_vectors": diversity_vectors,
    "serendipity": serendipity, "calibration": calibration,
}  # fmt: skip


@given(WORLDS)
def test_each_metric_equals_its_reference(world: World) -> None:
    case = world.case()
    for name, metric in METRICS.items():
        expected = [REFERENCES[name](world, user) for user in range(USERS)]
        assert metric(case) == pytest.approx(expected, abs=1e-6, nan_ok=True), name


@given(WORLDS)
def test_catalogue_metrics_equal_their_references(world: World) -> None:
    shown = [sum(item in ranked for ranked in world.ranked) for item in range(ITEMS)]
    coverage = len(set().union(*world.ranked)) / ITEMS
    assert CATALOGUE_METRICS["catalogue_coverage"](np.array(shown)) == pytest.approx(coverage)
    gaps = sum(abs(a - b) for a in shown for b in shown)
    gini = gaps / (2 * ITEMS * sum(shown)) if sum(shown) else NAN
    assert CATALOGUE_METRICS["gini"](np.array(shown)) == pytest.approx(gini, nan_ok=True)


@settings(max_examples=10)
@given(WORLDS)
def test_without_categories_or_vectors_there_is_no_value(world: World) -> None:
    case = world.case()
    bare = replace(case, context=Context.of(history(world.had), ITEMS))
    for name in ("diversity", "diversity_vectors", "calibration"):
        assert np.isnan(METRICS[name](bare)).all()


@pytest.mark.parametrize("name", [*METRICS, *CATALOGUE_METRICS, *USER_SEGMENTS, *PAIR_SEGMENTS])
def test_every_metric_and_segment_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCS.read_text()
