"""Signals among people, against products of dense matrices."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from paretail.data.types import History
from paretail.retrieve.signals import friends, social
from paretail.retrieve.signals.ground import Ground

from ..histories import dense_of, ground_of, history_of, random_history

PEOPLE, PRODUCTS = 9, 6
RNG = np.random.default_rng(4)
LINKS = np.triu(RNG.random((PEOPLE, PEOPLE)) < 0.35, 1)
LINKS = (LINKS | LINKS.T).astype(float)
HAD = RNG.integers(1, 4, (PEOPLE, PRODUCTS)) * (RNG.random((PEOPLE, PRODUCTS)) < 0.4).astype(float)
DEGREE, TAKERS = LINKS.sum(axis=1), (HAD > 0).sum(axis=0)


def people() -> Ground:
    """Each person's links, and themselves, which counts nothing."""
    did = [[("self", person, 0.0), *(("friend", int(other), 0.0) for other in np.flatnonzero(LINKS[person]))]
           for person in range(PEOPLE)]  # fmt: skip
    history = history_of(did, "none", kinds=("friend", "self"))
    history = replace(history, about={"product": sparse.csr_array(HAD.astype(np.float32))})
    return ground_of(history, PEOPLE, "friend", {"friend": 1.0})


def over(numbers: np.ndarray, power: float = 1.0) -> np.ndarray:
    return np.array([float(n) ** -power if n > 0 else 0.0 for n in numbers])


def per_log(numbers: np.ndarray) -> np.ndarray:
    return np.array([1 / np.log(max(n, 2)) if n else 0.0 for n in numbers])


def walked() -> np.ndarray:
    step = (1 - social.RESTART) * over(DEGREE)[:, None] * LINKS
    return sum((np.linalg.matrix_power(step, k) for k in range(1, social.STEPS + 1)), np.zeros_like(step))


def like() -> np.ndarray:
    found = HAD * over(TAKERS) @ HAD.T
    np.fill_diagonal(found, 0)
    return found


EXPECTED = {
    "mutual": lambda: per_log(DEGREE)[:, None] * LINKS,
    "allocation": lambda: over(DEGREE)[:, None] * LINKS,
    "walk": walked,
    "taste": lambda: per_log(TAKERS)[:, None] * HAD.T,
    "taste_rare": lambda: over(TAKERS)[:, None] * HAD.T,
    "taste_of_friends": lambda: over(DEGREE)[:, None] * like(),
    "friends_of_taste": lambda: (over(TAKERS)[:, None] * HAD.T) @ LINKS * over(DEGREE, 0.5),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_signals_among_people(name: str) -> None:
    expected = EXPECTED[name]()
    rows = sparse.csr_array(np.eye(len(expected), dtype=np.float32))
    np.testing.assert_allclose(getattr(social, name)(people()).apply(rows), expected, rtol=1e-5, atol=1e-7)


def test_what_friends_had() -> None:
    history = random_history(np.random.default_rng(2), PEOPLE, 7, 6)
    expected = dense_of(history, 7)
    expected = over(expected.sum(axis=1), 0.5)[:, None] * expected * over(expected.sum(axis=0), 0.3)
    of_friends = sparse.csr_array(LINKS.astype(np.float32))
    found = friends.had(ground_of(history, 7)).apply(of_friends)
    np.testing.assert_allclose(found, LINKS @ expected, rtol=1e-5, atol=1e-7)


def test_large_graphs_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(social, "MOST", 2)
    found = social.walk(people()).apply(sparse.csr_array(np.eye(PEOPLE, dtype=np.float32)))
    assert ((found > 0).sum(axis=1) <= 2).all()


def test_who_is_unknown_to_the_graph_has_their_friends_friends() -> None:
    stranger: History = history_of([[("friend", 3, 0.0)]], "none", kinds=("friend", "self"))
    row = np.zeros((1, PEOPLE), np.float32)
    row[0, stranger.item_idx] = 1
    scores = social.allocation(people()).apply(sparse.csr_array(row))[0]
    assert set(np.flatnonzero(scores)) == set(np.flatnonzero(LINKS[3]))
