"""Text as vectors: hashed words weighted by how rare they are, and their leading directions (latent semantic analysis).

    x_iw = (1 + log tf_iw) (1 + log((1 + n) / (1 + df_w))),   rows of length 1,   X = U S Vᵀ,   item i is row i of U S

Sources: K. Weinberger et al., "Feature hashing for large scale multitask learning", 2009, arXiv:0902.2206;
G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval", 1988,
doi:10.1016/0306-4573(88)90021-0; S. Deerwester et al., "Indexing by latent semantic analysis", 1990,
doi:10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9.
Deviations: 1. No signs in the hash: with 2^22 cells two of 10,000 words meet in one of 400 cases. 2. The hash is
CRC-32 of the word's UTF-8, equal on every machine and in every run. 3. Words are runs of letters and digits in lower
case, in any script; nothing is stemmed or left out.
"""

from typing import Final
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.eigen import eigenpairs
from paretail.core.rng import rng_for

CELLS: Final = 1 << 22
DIM: Final = 64
ITERATIONS: Final = 3


def text_vectors(texts: pl.Series, dim: int = DIM) -> NDArray[np.float32]:
    """Return `[texts, up to dim]`, equal texts alike; null and text without a word are zeros.

    Equal texts in equal order give equal bytes. Cost: about 0.1 s for 10,000 titles.
    """
    return reduced(tf_idf(words_of(texts)), dim)


def words_of(texts: pl.Series) -> sparse.csr_array:
    """Return how often each text has each word, `[texts, cells that occur]`, cells ascending."""
    found = texts.cast(pl.String).str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+").alias("word")
    rows = pl.DataFrame({"text": np.arange(len(texts)), "word": found}).explode("word").drop_nulls("word")
    words = rows["word"].unique()
    cells = pl.DataFrame({"word": words, "cell": pl.Series([crc32(w.encode()) % CELLS for w in words], dtype=pl.Int64)})
    rows = rows.join(cells, on="word", how="left", maintain_order="left")
    taken, column = np.unique(rows["cell"].to_numpy(), return_inverse=True)
    ones = np.ones(rows.height, np.float32)
    counts = sparse.coo_array((ones, (rows["text"].to_numpy(), column)), (len(texts), len(taken)))
    return sparse.csr_array(counts)  # sums a word's occurrences


def tf_idf(counts: sparse.csr_array) -> sparse.csr_array:
    """Weigh counts `[rows, columns]` as above; rows that are not empty have length 1."""
    rows, _ = counts.shape
    carriers = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = 1 + np.log((1 + rows) / (1 + carriers))
    data = (1 + np.log(counts.data)) * idf[counts.indices]
    row = np.repeat(np.arange(rows), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(row, data**2, rows))
    return sparse.csr_array((data / length[row], counts.indices, counts.indptr), counts.shape, np.float32)


def reduced(matrix: sparse.csr_array, dim: int = DIM) -> NDArray[np.float32]:
    """Return U S of the `dim` leading directions of `[rows, columns]`; fewer where its rank is lower."""
    pairs = eigenpairs(sparse.csr_array(matrix.T.tocsr()), dim, ITERATIONS, rng_for("data/features", 0))
    return np.asarray(pairs.vectors * np.sqrt(pairs.values), np.float32)
