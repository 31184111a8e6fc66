"""ALS: the fold-in equals the closed form, in both of the spaces that it may be solved in."""

import warnings

import numpy as np
import pytest

from paretail.retrieve.models.als import Als, AlsConfig

from ..shops import Event, graph, shop


def closed_form(Y: np.ndarray, r: np.ndarray, alpha: float, ridge: float) -> np.ndarray:
    C = np.diag(1 + alpha * r)
    A = Y.T @ C @ Y + ridge * np.eye(Y.shape[1])
    return np.linalg.solve(A, Y.T @ C @ (r > 0))


@pytest.mark.parametrize("dim", [3, 20])
def test_the_fold_in_is_equation_4(dim: int) -> None:
    rng = np.random.default_rng(dim)
    events: list[Event] = [
        ("u", item, kind, 0) for item, kind in zip("abcdefgh", ["purchase", "view"] * 4, strict=True)
    ]
    made = graph(shop(events), "abcdefghijkl")
    Y = rng.standard_normal((12, dim)).astype(np.float32)
    config = AlsConfig(dim=dim, alpha=7.0, weight_decay=0.5)
    r = np.array([1, 0.3] * 4 + [0] * 4)
    expected = closed_form(Y.astype(float), r, 7.0, 0.5)
    assert Als(Y, config).vectors(made.history)[0] == pytest.approx(expected, rel=1e-4)
    assert Als(Y, config).score(made.history)[0] == pytest.approx(Y @ expected, rel=1e-3, abs=1e-4)


def test_items_without_events_score_zero_and_nothing_warns() -> None:
    events: list[Event] = [(f"u{n}", item, "purchase", 0) for n in range(20) for item in ("ab" if n % 2 else "cd")]
    made = graph(shop(events), "abcdz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Als.fit(made, AlsConfig(dim=2, alpha=5.0, weight_decay=0.1), 0)
    scores = model.score(made.history)
    assert (scores[:, 4] == 0).all()
    odd = made.nodes["user"].row("u1")
    assert scores[odd, :2].min() > 0.8
    assert abs(scores[odd, 2:4]).max() < 0.2


def test_no_warning_of_threads_is_left_to_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    made = graph(shop([("u", "a", "purchase", 0), ("v", "b", "purchase", 0)]))
    Als.fit(made, AlsConfig(dim=2), 0)
    assert capfd.readouterr() == ("", "")
