import subprocess
import sys
from zlib import crc32

import numpy as np
import polars as pl

from paretail.data.features.text import CELLS, text_vectors, tf_idf, words_of

TEXTS = pl.Series(["Red tea cup", "tea, TEA: green!", None, "", "ÉTÉ 2024", "red tea cup"])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_words_are_runs_of_letters_and_digits_in_lower_case_counted_by_hand() -> None:
    counts = words_of(TEXTS).toarray()
    words = ["red", "tea", "cup", "green", "été", "2024"]
    cells = sorted(words, key=lambda word: crc32(word.encode()) % CELLS)
    expected = np.array([[(text or "").count(word) for word in cells] for text in
                         ("red tea cup", "tea, tea: green!", None, "", "été 2024", "red tea cup")])  # fmt: skip
    assert np.array_equal(counts, expected)


def test_weights_are_those_of_the_equation() -> None:
    counts = np.array([[1, 3, 0], [0, 1, 0], [0, 0, 0], [2, 1, 1]], float)
    from scipy import sparse

    idf = 1 + np.log(5 / (1 + (counts > 0).sum(axis=0)))
    x = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    x /= np.maximum(np.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-30)
    np.testing.assert_allclose(tf_idf(sparse.csr_array(counts)).toarray(), x, rtol=1e-6)


def test_few_words_are_kept_exactly_products_of_texts_are_those_of_the_matrix() -> None:
    vectors, whole = text_vectors(TEXTS), tf_idf(words_of(TEXTS)).toarray()
    np.testing.assert_allclose(vectors @ vectors.T, whole @ whole.T, atol=1e-5)
    assert not vectors[[2, 3]].any()
    assert np.allclose(vectors[0], vectors[5], atol=1e-6)


def test_titles_about_the_same_are_nearer_than_others() -> None:
    rng = np.random.default_rng(0)
    topics = np.array([[f"{letter}{n}" for n in range(30)] for letter in "abcdef"])
    topic = rng.integers(6, size=400)
    texts = pl.Series([" ".join(rng.choice(topics[t], 5)) for t in topic])
    vectors = text_vectors(texts, 16).astype(float)
    vectors /= np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    near = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1:6]
    assert (topic[near] == topic[:, None]).mean() > 0.97


def test_two_runs_give_the_same_bytes() -> None:
    program = (
        "import polars as pl, zlib; from paretail.data.features.text import text_vectors;"
        "v = text_vectors(pl.Series(['red tea cup', 'green tea', 'blue cup']), 2);"
        "print(zlib.crc32(v.tobytes()), v.shape)"
    )
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_texts_without_words_have_no_direction() -> None:
    assert text_vectors(pl.Series([None, "", "..."], dtype=pl.String)).shape == (3, 0)
    assert text_vectors(pl.Series([], dtype=pl.String)).shape == (0, 0)
