"""What is taken: the most accurate, or of those as good the best in the second goal, or what the shop picks."""

from dataclasses import replace

import numpy as np
import pytest

from paretail.core.errors import UsageError
from paretail.search.goals import gains, parsed
from paretail.search.loop import Tried
from paretail.search.picking import ahead, picked

USERS = np.linspace(0, 1, 100)


def tried(number: int, shift: float, ms: float, spread: float = 0.0) -> Tried:
    users = USERS + shift + spread * np.tile([1, -1], 50)
    found = {
        "ndcg": float(users.mean()),
        "p99_ms": ms,
        "memory_mib": 1.0,
        "told": users.tolist(),
        "apart": users.tolist(),
    }
    return Tried(number, 0, (number,), {}, None, found)


#: #2 is as good as #1 by the spread of its difference, #3 is not; #4 is beaten in both goals.
TRAINED = [tried(1, 0.10, 9.0), tried(2, 0.095, 4.0, spread=0.2), tried(3, 0.05, 1.0), tried(4, 0.04, 2.0)]


def test_of_one_goal_the_best_is_taken() -> None:
    found = picked(TRAINED, ("accuracy",))
    assert (found.chosen.number, [one.number for one in found.front]) == (1, [1])


def test_of_two_goals_the_fastest_of_those_that_are_as_good() -> None:
    found = picked(TRAINED, ("accuracy", "latency"))
    assert [one.number for one in found.front] == [1, 2, 3]
    assert found.chosen.number == 2
    assert "within 1 standard error" in found.why


@pytest.mark.parametrize(("wish", "number"), [("3", 3), ("#4", 4), ("latency", 3), ("accuracy", 1)])
def test_a_shop_may_pick_another(wish: str, number: int) -> None:
    assert picked(TRAINED, ("accuracy", "latency"), wish).chosen.number == number


def test_a_preset_on_the_front_is_picked_by_its_name() -> None:
    preset = replace(tried(0, 0.2, 20.0), called="lightgcn")
    found = picked([*TRAINED, preset], ("accuracy", "latency"), "lightgcn")
    assert (found.chosen, found.front[0], found.why) == (preset, preset, "picked by its name")


@pytest.mark.parametrize("wish", ["9", "latncy", "memory"])
def test_a_pick_that_is_not_there_names_the_nearest(wish: str) -> None:
    with pytest.raises(UsageError, match=r"accuracy, latency.*SRCH-17"):
        picked(TRAINED, ("accuracy", "latency"), wish)


def test_a_pick_that_was_not_trained_in_full_is_told_why() -> None:
    screened, failed = (replace(TRAINED[0], number=number, whole=None) for number in (15, 16))
    trained = [*TRAINED, screened, replace(failed, screened={"failed": "no luck"})]
    for wish, told in (("15", "#15 was only screened"), ("#16", "#16 failed: no luck")):
        with pytest.raises(UsageError, match=rf"{told}\. One that was trained in full: 1, 2, 3, 4\..*SRCH-17"):
            picked(trained, ("accuracy", "latency"), wish)


def test_a_third_goal_is_said_to_make_no_choice() -> None:
    assert picked(TRAINED, ("accuracy", "latency", "memory")).why.endswith("the best in latency, whatever memory")


def test_where_all_failed_it_says_why() -> None:
    with pytest.raises(UsageError, match=r"no luck.*SRCH-17"):
        picked([Tried(1, 0, (0,), {}, {"failed": "no luck"}, None)], ("accuracy",))


def test_a_goal_that_the_shop_cannot_measure_leaves_nothing_to_pick() -> None:
    with pytest.raises(UsageError, match="SRCH-17"):
        picked(TRAINED, ("accuracy", "diversity"))


def test_a_difference_is_paired_over_users() -> None:
    gain, error = ahead(TRAINED[0], TRAINED[2])
    assert (gain, error) == (pytest.approx(0.05), pytest.approx(0, abs=1e-9))


def test_goals_are_gains() -> None:
    found = gains(
        [{"ndcg": 0.2, "p99_ms": 2.0}, {"ndcg": 0.1, "p99_ms": 1.0}, {"failed": "x"}], ("accuracy", "latency")
    )
    assert found[0, 0] > found[1, 0]
    assert found[0, 1] < found[1, 1]
    assert np.isnan(found[2]).all()


def test_accuracy_leads_whatever_the_order() -> None:
    assert parsed("latency, accuracy,latency") == ("accuracy", "latency")


@pytest.mark.parametrize(
    ("text", "told"), [("accuracy,latncy", "did you mean 'latency'"), ("latency", "Accuracy among")]
)
def test_goals_that_are_not_there_are_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"{told}.*SRCH-15"):
        parsed(text)
