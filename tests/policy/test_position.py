"""Positions: on a front that is known, what a point more costs is its slope, and what is inside is beaten."""

import numpy as np
import pytest

from paretail.policy.dials import Dials
from paretail.policy.goals import parse
from paretail.policy.position import Parts, position
from tests.policy.test_dials import BASE, GOALS, pool

INSIDE = {"a": 9.0, "b": 9.0}


def quarter(parts: Parts, goal: str) -> float:
    """Return the share that the best weighted sum has on a quarter of a circle; INSIDE is half as good."""
    length = float(np.hypot(parts["a"], parts["b"]))
    return parts[goal] / length * (0.5 if parts == INSIDE else 1.0)


@pytest.mark.parametrize("b", [0.5, 1.0, 3.0])
def test_a_point_more_costs_what_the_front_falls(b: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.policy.position.MORE", (1.01,))
    monkeypatch.setattr("paretail.policy.position.RISE", 1e-6)
    found = position(quarter, {"a": 1.0, "b": b}, ["a"], [])
    assert found.costs == {"a": {"b": pytest.approx(-1 / b, rel=0.02)}}


def test_what_lies_inside_is_beaten_and_told_by_what() -> None:
    measured = [{"a": 1.0, "b": one} for one in (0.1, 0.9, 1.3, 8.0)]
    found = position(quarter, INSIDE, [], measured)
    assert (found.measured, found.beaten_by) == (4, 2)
    assert found.better == {goal: pytest.approx(quarter(measured[1], goal)) for goal in "ab"}
    on = position(quarter, {"a": 1.0, "b": 1.0}, [], [*measured, INSIDE, {"a": 1.0, "c": 1.0}])
    assert (on.measured, on.beaten_by, on.better) == (5, 0, {})


def test_a_goal_that_has_no_more_to_give_costs_nothing_more() -> None:
    assert position(quarter, {"a": 1.0, "b": 1e-3}, ["a", "b"], []).costs.keys() == {"b"}


def test_a_solved_setting_tells_where_it_lies() -> None:
    dials = Dials(pool(users=200, cands=60, seed=1), GOALS, BASE, 8)
    found = dials.setting(parse("novelty=0.5")).position
    assert found.beaten_by <= 0.1 * found.measured
    assert found.measured > 5
    assert found.costs["novelty"]["clicks"] < 0
    assert dials.setting(parse("novelty=1")).position.costs == {}
    assert dials.today.position.measured > 0
