"""The Gaussian process interpolates, knows what it does not know, and counts what was chosen as trained."""

import numpy as np
import pytest

from paretail.search.surrogate import GaussianProcess, normal_scores


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def fitted(rng: np.random.Generator, count: int = 60) -> tuple[GaussianProcess, np.ndarray, np.ndarray]:
    rows = rng.normal(size=(count, 3))
    values = np.sin(rows[:, 0]) + 0.5 * rows[:, 1]
    return GaussianProcess().fit(rows, values), rows, values


def test_what_was_trained_is_known_and_what_is_far_is_not(rng: np.random.Generator) -> None:
    process, rows, values = fitted(rng)
    belief = process.believe(rows)
    assert np.corrcoef(belief.mean, values)[0, 1] > 0.99
    far = process.believe(np.full((1, 3), 50.0))
    assert np.isclose(far.mean, values.mean())
    assert np.isclose(far.variance, values.var())
    assert belief.variance.max() < 0.2 * far.variance[0]


def test_mean_and_variance_are_those_of_the_closed_form(rng: np.random.Generator) -> None:
    process, rows, values = fitted(rng, 20)
    asked = rng.normal(size=(5, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return values.var() * np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * process.length**2))

    inverse = np.linalg.inv(kernel(rows, rows) + process.noise * values.var() * np.eye(20))
    belief = process.believe(asked)
    assert np.allclose(belief.mean, values.mean() + kernel(asked, rows) @ inverse @ (values - values.mean()))
    assert np.allclose(
        belief.variance, values.var() - np.diag(kernel(asked, rows) @ inverse @ kernel(rows, asked)), atol=1e-6
    )


def test_a_choice_leaves_the_variance_that_training_it_would(rng: np.random.Generator) -> None:
    process, rows, _ = fitted(rng, 20)
    asked = rng.normal(size=(6, 3))
    belief = process.believe(asked)
    for row in (2, 4):
        belief.choose(row)
    more = np.vstack([rows, asked[[2, 4]]])
    kernel = process._kernel(more, more) + process.noise * process._scale * np.eye(22)
    beside = process._kernel(asked, more)
    expected = process._scale - np.einsum("ij,ij->i", beside, np.linalg.solve(kernel, beside.T).T)
    assert np.allclose(belief.variance, expected, atol=1e-6)


def test_normal_scores_keep_the_order_and_failures_are_last() -> None:
    scores = normal_scores(np.array([[3.0], [np.nan], [100.0], [3.0]]))[:, 0]
    assert scores[1] < scores[0] == scores[3] < scores[2]
    assert np.isfinite(scores).all()
    assert normal_scores(np.zeros((0, 2))).shape == (0, 2)


def test_one_row_and_equal_rows_are_borne() -> None:
    for rows in (np.zeros((1, 2)), np.zeros((4, 2))):
        belief = GaussianProcess().fit(rows, np.zeros(len(rows))).believe(np.ones((2, 2)))
        assert np.isfinite(belief.upper(1.0)).all()
