"""Attributes against cosines of idf vectors."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from paretail.retrieve.signals import Setting, attributes, build, check_signal, signals_of
from paretail.retrieve.signals.matrix import Sparse
from paretail.retrieve.signals.profiles import profile

from ..histories import ground_of, history_of


def alike(marks: np.ndarray | None, items: int | None = None) -> np.ndarray:
    count = len(marks) if marks is not None else items or 0
    matrix = attributes.alike(ground_of(history_of([]), count, attributes=marks))
    assert isinstance(matrix, Sparse)
    return matrix.entries.toarray()


def test_by_hand() -> None:
    """Labels of two, two and one of four items; item 3 has none of them."""
    marks = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
    two, one = log(4 / 2), log(4 / 1)
    found = alike(marks)
    first, third = np.hypot(two, two), np.hypot(two, one)
    assert found[0, 1] == found[1, 0] == pytest.approx(two * two / (first * two))
    assert found[0, 2] == found[2, 0] == pytest.approx(two * two / (first * third))
    assert np.count_nonzero(found) == 4


@pytest.mark.parametrize("seed", range(3))
def test_against_cosines(seed: int) -> None:
    marks = np.random.default_rng(seed).random((20, 12)) < 0.25
    vectors = marks * np.log(20 / np.maximum(marks.sum(axis=0), 1))
    norm = np.linalg.norm(vectors, axis=1)
    cosine = vectors @ vectors.T / np.maximum(np.outer(norm, norm), 1e-12)
    np.fill_diagonal(cosine, 0)
    assert alike(marks) == pytest.approx(cosine, abs=1e-6)


def test_a_label_that_all_items_carry_says_nothing() -> None:
    """Nor do several of them: each product would be a zero of its own."""
    marks = np.concatenate([np.ones((30, 9)), np.eye(30)[:, :2]], axis=1)
    assert not alike(np.ones((30, 9))).any()
    marks[2, 9] = 1
    assert np.argwhere(alike(marks)).tolist() == [[0, 2], [2, 0]]


def test_a_catalogue_without_attributes() -> None:
    assert alike(None, items=4).tolist() == np.zeros((4, 4)).tolist()
    assert alike(np.zeros((4, 0))).tolist() == np.zeros((4, 4)).tolist()


def test_labels_of_too_many_items_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items 0 and 1 share one label with everyone and one of their own: without the first they are the same."""
    marks = np.array([[1, 1], [1, 1], [1, 0], [0, 0]])
    assert alike(marks)[0, 2] > 0
    monkeypatch.setattr(attributes, "MOST_CARRIERS", 2)
    assert alike(marks)[0, 1] == pytest.approx(1)
    assert np.count_nonzero(alike(marks)) == 2


def test_like_is_the_cosine_of_content_and_nothing_is_like_what_has_none() -> None:
    block = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    block[4] = 0
    history = history_of([[("purchase", 0, 0), ("purchase", 2, 1)], [("purchase", 4, 0)]], kinds=("purchase",))
    ground = replace(ground_of(history, 6), content={"title": block})
    assert signals_of(Setting.of(ground, "target"))["like title"] == ("short",)
    check_signal("like title|all")
    found = build(ground, {"like title": ()})["like title"].apply(profile("all")(history, ground.scene))
    unit = block / np.maximum(np.sqrt((block**2).sum(axis=1, keepdims=True)), 1e-9)
    np.testing.assert_allclose(found, [np.maximum((unit @ unit.T)[[0, 2]].sum(axis=0), 0), np.zeros(6)], atol=1e-6)
