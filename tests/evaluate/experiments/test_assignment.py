"""Assignment: sticky, in the shares that were asked for, independent between experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import UsageError
from paretail.evaluate.experiments.assignment import arm_of
from paretail.evaluate.experiments.ratio import chi_square

USERS = [f"user {n}" for n in range(20_000)]


def test_a_user_stays_in_the_arm_on_every_machine() -> None:
    arms = {"incumbent": 0.5, "candidate": 0.5}
    assert [arm_of(user, "dials", arms) for user in ("anna", "ben", "chris", "dora", "émile")] == PINNED
    assert arm_of("anna", "dials", dict(reversed(arms.items()))) == PINNED[0]


PINNED = ["incumbent", "incumbent", "candidate", "incumbent", "incumbent"]


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.9, 0.1), (1.0, 2.0, 5.0), (0.0, 1.0, 1.0)])
def test_arms_get_their_shares(weights: tuple[float, ...]) -> None:
    arms = {f"arm {n}": weight for n, weight in enumerate(weights)}
    found = [arm_of(user, "shares", arms) for user in USERS]
    counts = [found.count(arm) for arm in arms]
    assert chi_square(counts, weights) > 0.001
    assert not [arm for arm, weight, n in zip(arms, weights, counts, strict=True) if weight == 0 and n]


def test_raising_a_weight_moves_users_into_that_arm_only() -> None:
    before = [arm_of(user, "ramp", {"a": 0.6, "b": 0.3, "c": 0.1}) for user in USERS]
    after = [arm_of(user, "ramp", {"a": 0.6, "b": 0.3, "c": 0.3}) for user in USERS]
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {"c"}


def test_experiments_divide_users_independently() -> None:
    arms = {"a": 1.0, "b": 1.0}
    first, second = (np.array([arm_of(user, name, arms) == "a" for user in USERS]) for name in ("one", "two"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / len(USERS) ** 0.5


@given(st.text(), st.text(), st.dictionaries(st.text(), st.floats(0.01, 10), min_size=1))
def test_any_id_has_an_arm(user: str, experiment: str, weights: dict[str, float]) -> None:
    assert arm_of(user, experiment, weights) in weights


@pytest.mark.parametrize("weights", [{}, {"a": 0.0}, {"a": -1.0, "b": 1.0}, {"a": float("nan")}])
def test_weights_that_give_no_arm_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="EXPT-01"):
        arm_of("anna", "dials", weights)
