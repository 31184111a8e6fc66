"""Attributes: items that share what the catalogue says of them, weighted by how rare it is (cosine of idf vectors).

a_i = (idf of attribute x if item i carries it), idf = log(items / carriers); W[i, j] = a_i . a_j / (|a_i| |a_j|).
Source: G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval", 1988,
doi:10.1016/0306-4573(88)90021-0. Deviations: binary term frequency; rows pruned; labels of more
than MOST_CARRIERS items left out.

`like` is the same of a title, another text or a vector column (`data/features`): W[i, j] = cos(f_i, f_j), whole, as it
has low rank; an item without it is like none.
"""

from typing import Final

import numpy as np
from scipy import sparse

from paretail.core.sparse import pruned_product, transposed
from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, powered, scaled_columns, scaled_rows, totals
from paretail.retrieve.signals.matrix import LowRank, Matrix, Sparse

#: A label that more items carry is left out: its cost is their square, and it says next to nothing of any of them.
MOST_CARRIERS: Final = 5000


def alike(ground: Ground) -> Matrix:
    """From an item to those that share its attributes."""
    marks = ground.attributes
    if marks is None:
        marks = sparse.csr_array(np.zeros((ground.items, 0), np.float32))
    marks = sparse.csr_array(marks[:, totals(marks, 0) <= MOST_CARRIERS])
    idf = np.log(max(ground.items, 1) / np.maximum(totals(marks, 0), 1))
    weighed = scaled_columns(marks, idf.astype(np.float32))
    norm = np.sqrt(totals(sparse.csr_array(weighed.multiply(weighed)), 1))
    unit = scaled_rows(weighed, powered(norm, -1.0))
    return Sparse(pruned_product(unit, transposed(unit), np.ones(ground.items, np.float32), MOST))


def like(ground: Ground, name: str) -> Matrix:
    """From an item to those with similar content of the block `name`."""
    block = ground.content[name]
    length = np.sqrt((block**2).sum(axis=1))
    unit = (block * powered(length, -1.0)[:, None]).astype(np.float32)
    return LowRank(unit, np.ascontiguousarray(unit.T))
