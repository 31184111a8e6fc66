"""The forms of a history that matrices are fitted on."""

import numpy as np
import pytest
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.core.rng import rng_for
from paretail.data.types import Time
from paretail.retrieve.signals.ground import capped, powered, scaled_columns, scaled_rows, totals

from ..histories import KINDS, START_MS, WEIGHTS, dense_of, ground_of, history_of, random_history


def test_forms_of_a_history() -> None:
    history = random_history(np.random.default_rng(0), 20, 6, 12)
    ground = ground_of(history, 6)
    assert ground.kinds == ("purchase", "cart", "view")
    assert ground.union.toarray() == pytest.approx(dense_of(history, 6))
    assert np.array_equal(ground.targets.toarray(), dense_of(history, 6, {"purchase": 1.0}))
    assert np.array_equal(ground.of_kind("view").toarray(), dense_of(history, 6, {"view": 1.0}))
    assert not ground.of_kind("unknown").nnz
    assert (ground.timed, ground.ordered) == (True, True)


@pytest.mark.parametrize(("time", "timed", "ordered"), [("order", False, True), ("none", False, False)])
def test_what_time_means(time: Time, timed: bool, ordered: bool) -> None:
    ground = ground_of(history_of([[("view", 0, 1), ("view", 1, 2)]], time), 3)
    assert (ground.timed, ground.ordered) == (timed, ordered)
    assert (ground.scene.first_day, ground.scene.days) == (0, 1)


def test_the_days_of_a_log_begin_with_its_first_event() -> None:
    scene = ground_of(history_of([[("view", 0, 3)], [("purchase", 0, 4.5), ("view", 0, 9)], []]), 2).scene
    assert (scene.first_day, scene.days) == (START_MS // DAY_MS + 3, 7)
    assert scene.now_ms == START_MS + 9 * DAY_MS
    assert scene.weights == WEIGHTS


@pytest.mark.parametrize("did", [[], [[], []]])
def test_a_log_without_events(did: list[list[tuple[str, int, float]]]) -> None:
    ground = ground_of(history_of(did), 4)
    assert ground.scene.days == 1
    assert ground.union.shape == (len(did), 4)
    assert not ground.union.nnz


def test_a_kind_without_weight_is_no_wish() -> None:
    ground = ground_of(history_of([[("impression", 0, 0), ("purchase", 1, 1)]]), 2)
    assert "impression" in KINDS
    assert "impression" not in ground.kinds
    assert ground.union.toarray().tolist() == [[0, 1]]


def test_arithmetic_of_rows_and_columns() -> None:
    matrix = sparse.csr_array(np.array([[1, 0, 2], [0, 0, 4]], np.float32))
    assert totals(matrix, 0).tolist() == [1, 0, 6]
    assert totals(matrix, 1).tolist() == [3, 4]
    assert powered(np.array([4.0, 0.0, 9.0]), -0.5).tolist() == pytest.approx([0.5, 0, 1 / 3])
    assert scaled_rows(matrix, np.array([2, 3], np.float32)).toarray().tolist() == [[2, 0, 4], [0, 0, 12]]
    assert scaled_columns(matrix, np.array([2, 3, 5], np.float32)).toarray().tolist() == [[2, 0, 10], [0, 0, 20]]
    assert matrix.toarray().tolist() == [[1, 0, 2], [0, 0, 4]]


def test_of_a_user_with_many_items_the_strongest_stay() -> None:
    """Equal ones are drawn: the 3s stay, one of the four 2s stays, the 1 leaves; other rows stay whole."""
    matrix = sparse.csr_array(np.array([[2, 3, 2, 3, 2, 2, 1], [0, 1, 0, 0, 0, 0, 1]], np.float32))
    found = [capped(matrix, rng_for("test", seed), most=3).toarray() for seed in range(20)]
    for one in found:
        assert one[0, [1, 3, 6]].tolist() == [3, 3, 0]
        assert sorted(one[0, [0, 2, 4, 5]]) == [0, 0, 0, 2]
        assert one[1].tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert len({one.tobytes() for one in found}) > 1
    assert np.array_equal(found[0], capped(matrix, rng_for("test", 0), most=3).toarray())
    assert capped(matrix, rng_for("test", 0), most=7) is matrix
