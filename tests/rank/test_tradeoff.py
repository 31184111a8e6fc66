"""The trade-off report: figures by hand, dominance, the choice and its reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretail.rank import RankError
from paretail.rank.tradeoff import Tradeoff, Tried, on_front

SINGLE = Tried("single-task", "weighted", "weighted", {}, {"click": np.array([0.2, 0.2]), "buy": np.array([1.0, 1.0])})


def tried(name: str, click: float, buy: float, kind: Any = "weighted", weight: float | None = None) -> Tried:
    """Make one whose losses are those of the single-task models but for these gains, alike for both users."""
    shares = {"click": (1 - click) * np.array([0.2, 0.2]), "buy": (1 - buy) * np.array([1.0, 1.0])}
    return Tried(name, kind, "weighted" if kind == "weighted" else name, {}, shares, weight, 1.0)


SWEEP = [tried("w0", -0.5, 0.1, weight=0.0), tried("w5", 0.05, 0.05, weight=0.5), tried("w10", 0.1, -0.3, weight=1.0)]


def report(*methods: Tried, sweep: list[Tried] = SWEEP) -> Tradeoff:
    return Tradeoff.of(SINGLE, [*sweep, *methods], ("click",), {})


def test_gains_are_relative_to_the_single_task_models_and_delta_is_their_mean() -> None:
    row = report().row("w10")
    assert row.gain == pytest.approx({"click": 0.1, "buy": -0.3})
    assert row.losses == pytest.approx({"click": 0.36, "buy": 2.6})
    assert row.delta_m == pytest.approx(-0.1)
    assert row.goals == pytest.approx((0.1, -0.3))
    assert report().single == {"click": 0.4, "buy": 2.0}


def test_volume_is_that_above_the_worst_of_the_sweep() -> None:
    found = report(tried("better", 0.07, 0.06, "method"), tried("outside", -0.9, 0.5, "method"))
    by_hand = 0.55 * (0.05 + 0.3) + 0.0  # w0 and w10 have the worst of an axis each
    assert found.hypervolume == pytest.approx(by_hand)
    assert found.row("better").hypervolume == pytest.approx(0.57 * 0.36)
    assert found.row("outside").hypervolume == pytest.approx(by_hand)
    assert found.row("w5").hypervolume == pytest.approx(by_hand)


def test_ends_that_leave_tasks_out_do_not_set_the_scale_of_volumes() -> None:
    inner = [tried("w2", -0.1, 0.08, weight=0.2), tried("w8", 0.08, -0.1, weight=0.8)]
    found = report(sweep=[*SWEEP, *inner])
    assert found.hypervolume == pytest.approx(0.15 * 0.15)


def test_what_is_dominated_says_by_whom() -> None:
    found = report(tried("worse", 0.04, 0.05, "method"), tried("other", 0.06, 0.0, "method"))
    assert found.row("worse").dominated_by == "w5"
    assert found.row("other").dominated_by is None
    assert [row.name for row in on_front(found.rows)] == ["w0", "w5", "other", "w10"]


def test_a_way_whose_loss_is_no_number_has_failed_and_is_not_chosen() -> None:
    lost = replace(tried("lost", 0.5, 0.5, "method"), shares={"click": np.array([0.1]), "buy": np.array([np.nan])})
    found = report(lost)
    assert found.failed == {"lost": "the loss of buy is no number"}
    assert found.chosen == report().chosen
    assert found.rows == report().rows
    wrong = [replace(one, shares=lost.shares) for one in SWEEP]
    with pytest.raises(RankError, match="no weighted sum has losses that are numbers"):
        report(sweep=wrong)
    with pytest.raises(RankError, match="of the single-task models, the loss of buy is no number"):
        Tradeoff.of(replace(SINGLE, shares=lost.shares), SWEEP, ("click",), {})


def uneven(name: str, gains: tuple[float, float]) -> Tried:
    """Make a method that is worse for the first user and better for the second, in the mean as `gains` say."""
    one, tilt = tried(name, *gains, "method"), np.array([0.005, -0.005])
    return replace(one, shares={task: share + tilt for task, share in one.shares.items()})


@pytest.mark.parametrize(
    ("methods", "sweep", "chosen", "reason"),
    [
        ([], SWEEP, "w5", "even weights have the greatest Δm of all"),
        ([uneven("noisy", (0.06, 0.06))], SWEEP, "w5", "even weights are the simplest, and noisy is better by no more"),
        ([tried("sure", 0.06, 0.06, "method")], SWEEP, "sure", "its Δm is 1.00 ± 0.00 % above"),
        ([], [*SWEEP, tried("w7", 0.08, 0.06, weight=0.7)], "w7", "the tuned weighted sum has the greatest Δm"),
        ([uneven("noisy", (0.09, 0.09))], [*SWEEP, tried("w7", 0.08, 0.08, weight=0.7)], "w7", "a weighted sum is"),
    ],
)  # fmt: skip
def test_the_simplest_of_those_that_are_as_good_is_chosen(
    methods: list[Tried], sweep: list[Tried], chosen: str, reason: str
) -> None:
    found = report(*methods, sweep=sweep)
    assert found.chosen == chosen
    assert reason in found.reason


def test_a_method_that_failed_is_told_and_has_no_row() -> None:
    found = report(Tried("broken", "method", "broken", {}, {}, failed="the loss is nan"))
    assert found.failed == {"broken": "the loss is nan"}
    assert "broken" not in [row.name for row in found.rows]
    assert found.to_json()["plain"] == "w5"
