"""Content of items: each free text and each vector column of the catalogue as a standardised matrix.

What is missing is a row of zeros, which is also the mean of what is there: an item without a picture is an average
item to whoever looks at pictures, and a model that is linear in the content loses nothing by it.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.attributes import is_categorical
from paretail.data.features.text import DIM, text_vectors
from paretail.data.types import ITEM_COLUMNS

Content = dict[str, NDArray[np.float32]]
Mask = NDArray[np.bool_]


def content_of(items: pl.DataFrame, dim: int = DIM) -> Content:
    """Return column -> `[items, its dim]` of a catalogue (see `Catalogue`): title and other free text, vectors.

    Rows of one column have a mean square length of 1 over the items that have it. A column that tells no two items
    apart is left out. Vectors that are not finite or of another length were emptied on import (CHECK-20).
    """
    found: Content = {}
    for name in items.columns:
        if is_text(name, items[name]):
            found[name] = standardised(text_vectors(items[name], dim))
        elif is_vector(items.schema[name]):
            found[name] = standardised(cells(items[name]), each=True)
    return {name: matrix for name, matrix in found.items() if matrix.any()}


def is_text(name: str, column: pl.Series) -> bool:
    """Say whether a column of the catalogue is read word by word: the title, or text of the shop's own."""
    own = name not in ITEM_COLUMNS and not name.endswith("_id") and not is_categorical(column)
    return name == "title" or (own and column.dtype == pl.String and _has_words(column))


def is_vector(dtype: pl.DataType) -> bool:
    """Say whether a column holds vectors."""
    return isinstance(dtype, pl.Array) and dtype.inner == pl.Float32()


def known(matrix: NDArray[np.float32]) -> Mask:
    """Return which items have the content."""
    there: Mask = np.asarray(matrix.any(axis=1), np.bool_)
    return there


def standardised(matrix: NDArray[np.float32], each: bool = False) -> NDArray[np.float32]:
    """Take the mean off rows that are not zero, and divide: each column by its deviation first with `each`.

    In the end the mean square length of those rows is 1; a column that is constant becomes 0.
    """
    there = known(matrix)
    rows = matrix[there].astype(np.float64)
    if not len(rows):
        return np.zeros((len(matrix), 0), np.float32)
    rows -= rows.mean(axis=0)
    deviation = rows.std(axis=0)
    rows[:, deviation < 1e-6 * max(float(deviation.max()), 1e-30)] = 0.0
    if each:
        rows /= np.maximum(deviation, 1e-30)
    out = np.zeros(matrix.shape, np.float32)
    out[there] = rows / np.sqrt(max(float((rows**2).sum(axis=1).mean()), 1e-30))
    return out


def cells(column: pl.Series) -> NDArray[np.float32]:
    """Return vectors as rows, zeros where there is none."""
    size = int(getattr(column.dtype, "size", 0))
    out = np.zeros((len(column), size), np.float32)
    there = column.is_not_null()
    out[there.to_numpy()] = column.filter(there).to_numpy()
    return np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0)


def _has_words(column: pl.Series) -> bool:
    """Say whether most cells have several words: a column of codes is no text."""
    several = column.drop_nulls().str.strip_chars().str.contains(r"\s")
    return bool(2 * several.sum() > len(several))
