"""Features of pairs: as of their moment and not later, the same in training as in serving, and by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.data.features.pairs import GROUPS, NAMES, PairFeatures
from paretail.data.types import History

START = 1_760_000_000_000
KINDS = ("click", "impression", "purchase")
USERS, ITEMS, EVENTS = 6, 12, 400


def catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_id": [f"i{item}" for item in range(ITEMS)],
            "category": [["a"], ["a"], ["b"], ["c"]] * 3,
            "brand": ["x", "y", None] * 4,
            "price_minor": [100, 200, None, 400] * 3,
            "created_ts_ms": [START, 0, START - 20 * DAY_MS] * 4,
        }
    )


def history(seed: int = 0, events: int = EVENTS) -> History:
    rng = np.random.default_rng(seed)
    user, ts = np.sort(rng.integers(USERS, size=events)), rng.integers(30 * DAY_MS, size=events) + START
    order = np.lexsort((ts, user))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=USERS))])
    return History(
        indptr, rng.integers(ITEMS, size=events).astype(np.int32), rng.integers(3, size=events).astype(np.uint8),
        ts[order], np.ones(events, np.float32), KINDS, "clock",
    )  # fmt: skip


def asked(pairs: int = 60) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    rng = np.random.default_rng(9)
    user, item = rng.integers(USERS, size=pairs).astype(np.int32), rng.integers(ITEMS, size=pairs).astype(np.int32)
    return user, item, rng.integers(35 * DAY_MS, size=pairs) + START


def test_nothing_of_the_future_leaks() -> None:
    """Events at or after a pair's moment may be anything: its features stay as they are."""
    log, (user, item, ts) = history(), asked()
    features = PairFeatures.of(catalogue(), log)
    for moment in np.quantile(ts, [0.2, 0.5, 0.8]).astype(np.int64):
        at = np.full(len(user), moment)
        before = features.raw(log, user, item, at)
        later = log.ts_ms >= moment
        changed = replace(log, item_idx=np.where(later, (log.item_idx + 5) % ITEMS, log.item_idx).astype(np.int32),
                          kind=np.where(later, (log.kind + 1) % 3, log.kind).astype(np.uint8))  # fmt: skip
        demand = PairFeatures.of(catalogue(), changed).demand
        np.testing.assert_array_equal(replace(features, demand=demand).raw(changed, user, item, at), before)


def test_serving_sees_what_training_saw() -> None:
    """A pair of the log as of its moment, and a live user who has done no more than that yet."""
    log, (user, item, ts) = history(), asked()
    features = PairFeatures.of(catalogue(), log)
    features = features.standardised_by(features.raw(log, user, item, ts))
    trained = features.matrix(log, user, item, ts)
    for row in range(len(user)):
        mine = log.of_users(np.array([user[row]]))
        live = mine.where(mine.ts_ms < ts[row])
        served = features.matrix(live, np.zeros(1, np.int32), item[[row]], ts[[row]])
        np.testing.assert_array_equal(served[0], trained[row])


def test_by_hand() -> None:
    log = History(
        np.array([0, 4]), np.array([0, 1, 0, 2], np.int32), np.array([1, 1, 0, 2], np.uint8),
        START + np.array([0, 1, 2, 3]) * DAY_MS, np.ones(4, np.float32), KINDS, "clock",
    )  # fmt: skip
    features = PairFeatures.of(catalogue(), log)
    told = dict(
        zip(
            NAMES,
            features.raw(log, np.zeros(1, np.int32), np.zeros(1, np.int32), START + np.array([3 * DAY_MS]))[0],
            strict=True,
        )
    )
    share = (2 + 1) / (2 + 3)  # impressions of category a, each of the three categories counted once more
    assert told["shown_lift"] == pytest.approx(np.log((2 + 20 * share) / ((2 + 20) * share)), rel=1e-5)
    assert (told["had"], told["seen"]) == (pytest.approx(np.log(2)), pytest.approx(np.log(2)))
    assert told["last"] == pytest.approx(1 / 2)  # a click the day before
    assert told["price_ratio"] == pytest.approx(np.log(100 / np.sqrt(100 * 200)), rel=1e-5)
    assert told["price_level"] == 0  # the only price so far is this item's own
    assert told["new"] == pytest.approx(1 / (1 + 3 / 7))


def test_somebody_new_and_an_item_of_which_nothing_is_known() -> None:
    log = history()
    features = PairFeatures.of(
        catalogue().with_columns(category=pl.lit(None, pl.List(pl.String)), brand=pl.lit(None, pl.String)), log
    )
    nobody = log.of_users(np.array([0])).where(np.zeros(int(log.indptr[1]), bool))
    told = features.raw(
        nobody, np.zeros(ITEMS, np.int32), np.arange(ITEMS, dtype=np.int32), np.full(ITEMS, START + DAY_MS)
    )
    assert np.isfinite(told).all()
    names = [*GROUPS["exposure"], *GROUPS["interest"], *GROUPS["past with the item"], *GROUPS["recent activity"]]
    assert not told[:, [NAMES.index(name) for name in names]].any()


def test_a_catalogue_of_ids_alone() -> None:
    log, (user, item, ts) = history(), asked()
    told = PairFeatures.of(catalogue().select("item_id"), log).raw(log, user, item, ts)
    assert np.isfinite(told).all()
    assert told[:, [NAMES.index(name) for name in GROUPS["past with the item"]]].any()


def test_a_constant_feature_says_nothing() -> None:
    log, (user, item, _) = history(), asked()
    features = PairFeatures.of(catalogue(), log)
    ts = np.full(len(user), START + DAY_MS)  # one moment: hour and weekday are constant
    told = features.standardised_by(features.raw(log, user, item, ts)).matrix(log, user, item, ts)
    assert not told[:, [NAMES.index(name) for name in GROUPS["moment"]]].any()
    assert np.abs(told).max() <= 5


def test_a_bundle_keeps_it() -> None:
    log, (user, item, ts) = history(), asked()
    features = PairFeatures.of(catalogue(), log)
    features = features.standardised_by(features.raw(log, user, item, ts))
    again = PairFeatures.from_arrays(catalogue(), log, features.arrays())
    np.testing.assert_array_equal(again.matrix(log, user, item, ts), features.matrix(log, user, item, ts))
