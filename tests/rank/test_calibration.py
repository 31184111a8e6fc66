"""Calibration: what each way makes right, how few examples hold it, and revenue by segment."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from paretail.data.features.pairs import ItemFacts
from paretail.rank.calibration import Calibration, Platt, Reliability, Way, calibrations
from paretail.rank.config import RankConfig
from paretail.rank.isotonic import HELD, Isotonic, logit
from paretail.rank.judging import Later, judged
from paretail.rank.segmented import ENOUGH, SHIFT, SLOPE, Curves, Lines
from paretail.rank.segments import bands, divided, item_segments
from paretail.rank.tables import expected, probabilities, probability, sigmoid

ROWS = 60_000


def drawn(bend: float = 0.0, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return predictions, what is true, what happened at a position seen half the time or always, and P(seen)."""
    rng = np.random.default_rng(seed)
    eta = rng.normal(-1.5, 1, ROWS)
    truth = sigmoid(0.7 * eta + 0.3 + bend * np.sin(2 * eta))
    seen = np.where(rng.random(ROWS) < 0.5, 0.5, 1.0)
    return sigmoid(eta), truth, (rng.random(ROWS) < truth * seen).astype(float), seen


@pytest.mark.parametrize("way", ["platt", "isotonic"])
def test_predictions_become_right(way: Way) -> None:
    p, truth, label, seen = drawn()
    told = Calibration.fit(way, p, label, np.ones(ROWS), seen)(p)
    assert np.abs(told - truth).mean() < 0.012 < np.abs(p - truth).mean()
    assert (np.diff(told[np.argsort(p)]) > 0).all() or way == "platt"
    assert (np.diff(told[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_isotonic_bends_where_two_numbers_cannot() -> None:
    p, truth, label, seen = drawn(bend=0.8)
    error = {way: np.abs(Calibration.fit(way, p, label, np.ones(ROWS), seen)(p) - truth).mean()
             for way in ("platt", "isotonic")}  # fmt: skip
    assert error["isotonic"] < 0.5 * error["platt"]


def test_few_examples_move_little() -> None:
    p, _, label, seen = (part[:40] for part in drawn())
    assert np.abs(logit(Isotonic.fit(p, label, np.ones(40), seen)(p)) - logit(p)).max() < 0.5
    none = np.zeros(0)
    np.testing.assert_allclose(Isotonic.fit(none, none, none, none)(p), p)
    one = Isotonic.fit(np.array([0.2]), np.array([1.0]), np.ones(1), np.ones(1))
    assert one(np.array([0.2]))[0] == pytest.approx((1 + HELD) / (1 + HELD / 0.2))
    assert one(np.array([0.4]))[0] > one(np.array([0.2]))[0]  # beyond the outer blocks the order stays


def test_uneven_weights_count_as_fewer_examples() -> None:
    """One example that weighs like thousands moves calibration little."""
    p, _, label, seen = drawn()
    weight = np.ones(ROWS)
    weight[0], p[0], label[0] = 1e9, 0.3, 1.0
    assert logit(Calibration.fit("platt", p, label, weight, seen)(p[:1]))[0] < logit(p[:1])[0] + 0.5


def test_what_follows_a_click_is_told_given_the_click() -> None:
    """What nobody knows of a pair lifts both click and purchase: those that were clicked buy more than all would."""
    rng = np.random.default_rng(2)
    eta, unknown = rng.normal(-1, 0.4, ROWS), rng.normal(0, 0.7, ROWS)
    clicked, bought = sigmoid(eta - 0.5 + unknown), sigmoid(eta + unknown)
    spread = np.full(ROWS, 0.7**2)
    told = probability((eta - 0.5, spread), (eta, spread), spread)
    assert told.mean() > expected(sigmoid, eta, spread).mean() + 0.05
    for part in np.array_split(np.argsort(eta), 4):
        weight = clicked[part]
        assert np.average(told[part], weights=weight) == pytest.approx(
            np.average(bought[part], weights=weight), abs=0.01
        )
    np.testing.assert_allclose(probability((eta, spread), (eta, spread), 0 * spread), expected(sigmoid, eta, spread))


def test_all_tasks_at_once_are_told_as_one_by_one() -> None:
    """Two tasks on lines, one on a curve, one as it is; of those clicked what is asked for."""
    rng = np.random.default_rng(3)
    mean, variance = rng.normal(-1, 1, (4, 50)), rng.uniform(0, 1, (4, 50))
    together = 0.5 * np.sqrt(variance * variance[0])
    kept = rng.normal(size=(4, 50)).astype(np.float32)
    curve = Isotonic((-2.0, 1.0), (-1.0, 0.0))
    ways = [Calibration(Platt(0.8, 0.1)), Calibration(Platt(1.2, -0.3)), Calibration(curve), None]
    lines = np.array([(np.nan, np.nan) if way is None else way.line for way in ways])
    given = np.array([False, True, True, False])
    of_pairs, of_clicked = probabilities((mean, variance, together), kept, lines, given)
    for task, way in enumerate(ways):
        alone = expected(sigmoid, mean[task], variance[task])
        clicked = probability((mean[0], variance[0]), (mean[task], variance[task]), together[task])
        for found, p in ((of_pairs, alone), *([(of_clicked, clicked)] if given[task] else [])):
            told = found[task] if way is None else way.rest(found[task], None, kept[task])
            np.testing.assert_allclose(told, p if way is None else way(p, None, kept[task]), rtol=1e-9)


def split(seed: int = 1) -> tuple[Any, ...]:
    """Return segments -1 to 2, what was told, and what happened: 0 and 2 have slopes and levels of their own."""
    rng = np.random.default_rng(seed)
    segment, eta = rng.integers(-1, 3, ROWS), rng.normal(-1, 0.8, ROWS)
    slope, level = np.array([1.2, 1.0, 0.8, 1.0])[segment], np.array([0.3, 0.0, -0.3, 0.0])[segment]
    return segment, sigmoid(eta), (rng.random(ROWS) < sigmoid(slope * (eta + 1) - 1 + level)) * 1.0


def test_lines_of_segments_are_the_most_probable_ones() -> None:
    segment, p, label = split()
    ones = np.ones(ROWS)
    found = Lines.fit(p, label, ones, ones, segment)
    eta, y = logit(p[segment == 0]), label[segment == 0]

    def loss(ab: Any) -> float:
        q = sigmoid(ab[0] * (eta - found.middle) + found.middle + ab[1])
        told = -(y * np.log(q) + (1 - y) * np.log1p(-q)).sum()
        return float(told + 0.5 * ((ab[0] - 1) / SLOPE) ** 2 + 0.5 * (ab[1] / SHIFT) ** 2)

    np.testing.assert_allclose((found.a[0], found.b[0]), minimize(loss, [1.0, 0.0]).x, atol=1e-4)
    np.testing.assert_allclose(found.b, [0.3, 0, -0.3], atol=0.06)
    assert found.a[2] < 0.95 < found.a[1] < 1.05 < found.a[0]
    unheard = Lines.fit(np.array([0.5]), np.array([1.0]), np.ones(1), np.ones(1), np.array([1]))
    assert unheard.b[0] == 0 < unheard.b[1] < 0.05  # one row is hardly heard


@pytest.mark.parametrize("way", ["platt", "isotonic"])
def test_segments_are_calibrated_as_they_are_asked_to_and_read_back(way: Way) -> None:
    segment, p, label = split()
    ones = np.ones(ROWS)
    fit = Calibration.fit(way, p, label, ones, ones, segment)
    told = fit(p, segment)
    for code in range(3):
        inside = segment == code
        assert Reliability.of(told[inside], label[inside]).ratio == pytest.approx(1, abs=0.03)
        assert (
            Reliability.of(told[inside], label[inside]).error < Reliability.of(p[inside], label[inside]).error + 0.002
        )
    np.testing.assert_allclose(told[segment == -1], fit(p)[segment == -1])
    np.testing.assert_allclose(fit(p, np.full(ROWS, 7)), fit(p))  # a category that nobody saw yet
    again = calibrations({"click": json.loads(json.dumps(fit.to_json()))})["click"]
    np.testing.assert_array_equal(again(p, segment), told)


def test_a_segment_of_few_positives_has_no_curve_of_its_own() -> None:
    segment, p, label = split()
    label[(segment == 1) & (np.cumsum(label * (segment == 1)) > ENOUGH - 1)] = 0.0
    fit = Calibration.fit("isotonic", p, label, np.ones(ROWS), np.ones(ROWS), segment)
    assert isinstance(fit.within, Curves)
    assert set(fit.within.of) == {0, 2}


def test_shifts_of_an_earlier_version_are_read() -> None:
    fit = calibrations({"click": {"platt": {"a": 1.0, "b": 0.0}, "shifts": [0.0, 0.5]}})["click"]
    p = np.array([0.2, 0.2])
    np.testing.assert_allclose(logit(fit(p, np.array([0, 1]))) - logit(p), [0, 0.5])


FACTS = ItemFacts.of(
    pl.DataFrame({
        "item_id": [f"i{k}" for k in range(20)], "category": [["a"]] * 12 + [["b", "c"]] * 7 + [None],
        "price_minor": [100 * (k + 1) for k in range(19)] + [None], "brand": ["x"] * 20,
    })
)  # fmt: skip
CATEGORY = {"category": pl.Series([["a"]] * 12 + [["b", "c"]] * 7 + [None], dtype=pl.List(pl.String))}
ITEMS = pl.DataFrame({**CATEGORY, "brand": ["x"] * 20})


def test_items_and_impressions_are_divided() -> None:
    assert item_segments(FACTS, "none") is None
    by_category, by_price = item_segments(FACTS, "category"), bands(FACTS.log_price)
    assert by_category is not None
    assert by_category.tolist() == [0] * 12 + [1] * 7 + [-1]
    assert by_price[-1] == -1
    assert np.bincount(by_price[:-1]).min() >= 3
    assert (bands(np.full(3, np.nan)) == -1).all()
    item = np.arange(20)
    found = {segments.by: segments for segments in divided(ITEMS, FACTS, item, item * 10, item)}
    assert list(found) == ["category", "brand", "price band (minor units)", "user", "item"]
    assert found["category"].names == ("a", "b > c", "others")
    assert found["category"].codes.tolist() == [0] * 12 + [1] * 7 + [-1]
    assert np.bincount(found["user"].codes).tolist() == [1, 9, 10]
    bare = pl.DataFrame({"item_id": [f"i{k}" for k in range(20)]})  # a shop whose events are all that it has
    told = divided(bare, ItemFacts.of(bare), item, item * 10, item)
    assert [segments.by for segments in told] == ["user", "item"]


def later(seed: int = 0) -> Later:
    """Return impressions whose predictions are twice the truth of clicks, and right but for items 0 to 11 of values."""
    rng = np.random.default_rng(seed)
    item = rng.integers(20, size=ROWS)
    p, q, value = sigmoid(rng.normal(-1.5, 0.5, ROWS)), np.full(ROWS, 0.4), 100.0 * (item + 1)
    seen = np.where(rng.random(ROWS) < 0.5, 0.5, 1.0)
    click = rng.random(ROWS) < 0.5 * p * seen
    buy = click & (rng.random(ROWS) < q)
    labels = {"click": click * 1.0, "purchase": np.where(click, buy, np.nan), "value": np.where(buy, 0.0, np.nan)}
    told = {"click": p, "purchase": q, "value": np.where(item < 12, 0.5, 1.0) * value}
    return Later(told, labels, np.where(buy, value, np.nan), seen, np.ones(ROWS), rng.integers(500, size=ROWS), item)


def test_a_later_part_is_judged_and_calibrated() -> None:
    data = later()
    assert data.segment is not None
    many = np.full(ROWS, 500)
    parts = divided(ITEMS, FACTS, data.segment, many, many)
    report = judged(replace(data, segment=None), RankConfig(), parts)
    assert report["reliability"]["click"]["ratio"] == pytest.approx(2, abs=0.1)
    assert report["calibrated"]["click"]["ratio"] == pytest.approx(1, abs=0.03)
    fit = calibrations(report["calibration"])["click"]
    assert isinstance(fit.base, Platt)
    of_clicks = [row for row in report["segments"] if row["task"] == "click"]
    assert {row["by"] for row in of_clicks} == {"category", "brand", "price band (minor units)", "user", "item"}
    assert all(row["predicted"] / row["actual"] == pytest.approx(1, abs=0.08) for row in of_clicks)
    a = next(row for row in of_clicks if row["segment"] == "a")
    assert a["before"]["ratio"] == pytest.approx(2, abs=0.1)
    assert a["after"]["ratio"] == pytest.approx(a["predicted"] / a["actual"])
    assert len(a["after"]["predicted"]) == 5
    money = report["values"]
    assert money["predicted"] / money["paid"] == pytest.approx(1, abs=0.06)
    ratio = {row["segment"]: row["predicted"] / row["paid"] for row in money["segments"] if row["by"] == "category"}
    assert ratio["a"] < 0.8 < 1.1 < ratio["b > c"]  # right in all, wrong in each
    assert sum(row["rows"] for row in money["segments"] if row["by"] == "user") == ROWS


def test_reliability_by_hand() -> None:
    told = Reliability.of(np.array([0.1, 0.4]), np.array([0.0, 1.0]))
    assert (told.error, told.ratio) == (pytest.approx(0.35), pytest.approx(0.5))


def test_what_all_examples_tell_keeps_its_size() -> None:
    rng = np.random.default_rng(5)
    price, taste = rng.normal(size=ROWS), rng.normal(size=ROWS)
    label = (rng.random(ROWS) < sigmoid(-1 - 0.8 * price + 0.5 * taste)) * 1.0  # tastes were learned twice too large
    told, ones = sigmoid(-1 - 0.8 * price + taste), np.ones(ROWS)
    fit = Calibration.fit("platt", told, label, ones, ones, kept=-0.8 * price)
    eta = logit(fit(told, kept=-0.8 * price))
    found = np.linalg.lstsq(np.column_stack([price, taste]), eta - eta.mean(), rcond=None)[0]
    np.testing.assert_allclose(found, (-0.8, 0.5), atol=0.12)


def test_heavy_rows_move_the_level_and_not_the_slope() -> None:
    rng = np.random.default_rng(6)
    eta = rng.normal(-1, 1, ROWS)
    label, heavy = (rng.random(ROWS) < sigmoid(eta)) * 1.0, np.where(rng.random(ROWS) < 0.002, 1000.0, 1.0)
    ones = np.ones(ROWS)
    even = Calibration.fit("platt", sigmoid(eta), label, ones, ones).base
    both = Calibration.fit("platt", sigmoid(eta), label, heavy, ones, even=ones).base
    assert isinstance(even, Platt)
    assert isinstance(both, Platt)
    assert both.a == even.a
    assert both.b != even.b
