"""What the user already had, by hand."""

from math import exp, sqrt

import numpy as np
import pytest

from paretail.retrieve.signals import own
from paretail.retrieve.signals.matrix import Matrix, Sparse

from ..histories import ground_of, history_of


def diagonal(matrix: Matrix) -> np.ndarray:
    assert isinstance(matrix, Sparse)
    dense = matrix.entries.toarray()
    assert np.array_equal(dense, np.diag(dense.diagonal()))
    return dense.diagonal()


def test_every_item_speaks_for_itself_alike() -> None:
    assert diagonal(own.same(ground_of(history_of([[]]), 3))).tolist() == [1, 1, 1]


def test_conversion_with_a_prior_of_five_users() -> None:
    """Item 0: viewed by 3, bought by 2 of them; item 1: viewed by 1, bought by another. The mean rate is 2 / 4."""
    history = history_of([
        [("view", 0, 0), ("view", 0, 1), ("purchase", 0, 2)],
        [("view", 0, 0), ("purchase", 0, 2), ("purchase", 1, 3)],
        [("view", 0, 0), ("view", 1, 1)],
    ])  # fmt: skip
    found = diagonal(own.converting(ground_of(history, 3), "view"))
    assert found == pytest.approx([(2 + 5 * 0.5) / (3 + 5), (0 + 5 * 0.5) / (1 + 5), 0.5])


def test_a_kind_that_never_occurs_converts_nobody() -> None:
    assert not diagonal(own.converting(ground_of(history_of([[("purchase", 0, 0)]]), 2), "view")).any()


def test_demand_is_the_root_of_recent_purchases() -> None:
    history = history_of([[("purchase", 0, 0), ("purchase", 0, 30)], [("purchase", 1, 30), ("view", 2, 30)]])
    assert diagonal(own.in_demand(ground_of(history, 3))) == pytest.approx([sqrt(1 + exp(-2)), 1, 0])
