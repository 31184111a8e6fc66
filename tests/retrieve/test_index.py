"""The exact index against a product and a sort; faiss near it, or a clear word that it is absent."""

import builtins
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from paretail.core.errors import UsageError
from paretail.retrieve import index as module
from paretail.retrieve.index import ExactIndex, FaissIndex, index


def vectors(seed: int, rows: int, dim: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize("serial", [0, 10**9])
def test_exact(monkeypatch: pytest.MonkeyPatch, block: int, serial: int) -> None:
    monkeypatch.setattr(module, "SCORES_PER_BLOCK", block)
    monkeypatch.setattr(module, "SERIAL", serial)
    items, queries = vectors(0, 50), vectors(1, 7)
    excluded = sparse.csr_array(np.random.default_rng(2).random((7, 50)) < 0.3)
    found, scores = index(items).search(queries, 5, excluded)
    truth = np.where(excluded.toarray(), -np.inf, queries @ items.T)
    assert np.array_equal(found, np.argsort(-truth, axis=1)[:, :5])
    np.testing.assert_allclose(scores, np.take_along_axis(truth, found, axis=1), rtol=1e-5)


def test_fewer_items_than_asked() -> None:
    found, scores = ExactIndex(vectors(0, 2)).search(vectors(1, 3), 4)
    assert (found[:, 2:] == -1).all()
    assert np.isneginf(scores[:, 2:]).all()
    assert ExactIndex(vectors(0, 2)).search(vectors(1, 0), 4)[0].shape == (0, 4)


def test_faiss_finds_nearly_the_same() -> None:
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    items, queries = vectors(0, 3000), vectors(1, 40)
    excluded = sparse.csr_array(np.random.default_rng(2).random((40, 3000)) < 0.01)
    exact, best = ExactIndex(items).search(queries, 10, excluded)
    made = FaissIndex.build(items)
    found, scores = made.search(queries, 10, excluded)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)]) > 0.9
    assert not excluded[np.repeat(np.arange(40), 10), found.ravel()].any()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores.max() == pytest.approx(best.max(), rel=1e-5)
    again = FaissIndex.from_arrays(made.arrays())
    assert np.array_equal(again.search(queries, 10, excluded)[0], found)
    assert np.array_equal(FaissIndex.build(items).search(queries, 10, excluded)[0], found), "same seed, same lists"


def test_faiss_with_few_items() -> None:
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    found, _ = index(vectors(0, 3), "faiss").search(vectors(1, 2), 5)
    assert sorted(found[0].tolist()) == [-1, -1, 0, 1, 2]


def test_without_faiss_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "faiss":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r"paretail\[faiss\].*RETR-06"):
        index(vectors(0, 3), "faiss")
