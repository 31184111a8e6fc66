"""Context: what metrics beyond accuracy know of the shop: who had what, what an item is, what is new."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows, Vocabulary
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import Catalogue, History

Mask = NDArray[np.bool_]
#: An item is new while its first training event is at most this old, or absent.
NEW_ITEM_DAYS: Final = 14


@dataclass(frozen=True, eq=False)
class Context:
    """The shop as the metrics see it; every row of `had` belongs to the list in the same row.

    `had[lists, items]` marks the items that the user had in training, under any kind but an impression or a refund;
    `users_with[items]` counts the users of the whole shop who had the item, out of `users`; `new_item[items]` says
    which items are new. `categories[items, labels]` (0 or 1) and `vectors[items, dim]` are None where the shop has
    none. A score must be above `floor` to count as a recommendation that means something.
    """

    had: sp.csr_array
    users_with: NDArray[np.int64]
    users: int
    new_item: Mask
    categories: sp.csr_array | None = None
    vectors: NDArray[np.float32] | None = None
    floor: float = 0.0

    @classmethod
    def of(
        cls,
        train: History,
        items: int,
        *,
        rows: NDArray[np.integer] | None = None,
        categories: sp.csr_array | None = None,
        vectors: NDArray[np.float32] | None = None,
        floor: float = 0.0,
    ) -> Self:
        """Gather from the training history; `rows` are the users with a list, in the order of the lists."""
        had = _had(train, items)
        users_with = np.asarray(had.sum(axis=0)).astype(np.int64)
        mine = had if rows is None else had[rows]
        return cls(mine, users_with, train.users, _new(train, items), categories, vectors, floor)

    @property
    def items(self) -> int:
        """How many items the shop has, with or without events."""
        return len(self.users_with)


def labels(catalogue: Catalogue, items: Vocabulary, columns: tuple[str, ...] = ("category",)) -> sp.csr_array | None:
    """Return `[items, labels]`, 1 where the item carries the label; None where the catalogue has no such column.

    A label is a value of one of `columns`; each entry of a list-valued column is a label of its own.
    """
    there = [column for column in columns if column in catalogue.frame.columns]
    if not there:
        return None
    blocks = [_one_hot(catalogue, items, column) for column in there]
    return sp.csr_array(sp.hstack(blocks, format="csr"))


def _one_hot(catalogue: Catalogue, items: Vocabulary, column: str) -> sp.csr_array:
    frame = catalogue.frame.select("item_id", label=column)
    if isinstance(frame.schema["label"], pl.List):
        frame = frame.explode("label")
    frame = frame.drop_nulls().unique(maintain_order=True)
    known = Vocabulary.of(frame["label"])
    row, label = items.rows(frame["item_id"]), known.rows(frame["label"])
    shape = (len(items), len(known))
    return _marks(row[row >= 0], label[row >= 0], shape)


def _had(train: History, items: int) -> sp.csr_array:
    passive = [row for row, kind in enumerate(train.kinds) if kind in NOT_TARGETS]
    real = ~np.isin(train.kind, passive)
    return _marks(train.user_idx[real], train.item_idx[real], (train.users, items))


def _marks(row: Rows, column: Rows, shape: tuple[int, int]) -> sp.csr_array:
    marks = sp.csr_array((np.ones(len(row), dtype=np.float32), (row, column)), shape=shape)
    marks.sum_duplicates()
    marks.data[:] = 1.0
    return marks


def _new(train: History, items: int) -> Mask:
    """Items without a training event and, where time is known, those that first occurred a short while ago."""
    first = np.full(items, np.iinfo(np.int64).max)
    np.minimum.at(first, train.item_idx, train.ts_ms)
    since = train.ts_ms.max(initial=0) - NEW_ITEM_DAYS * DAY_MS if train.time == "clock" else np.iinfo(np.int64).max - 1
    return np.asarray(first > since)
