"""What goals read of a bundle's items."""

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import ITEM_COLUMNS, History
from paretail.policy.pool import Floats, Wares

#: An attribute with more values than this part of the items is a name, not a label.
LABELS: Final = 0.5
#: So many purchases of the shop's mean rate of refunds are mixed into an item's own.
PRIOR: Final = 10.0
NOT_LABELS: Final = ("item_id", "parent_id", "title")


def wares_of(items: pl.DataFrame, history: History, vectors: Floats) -> Wares:
    """Return what goals read of `items`, whose rows are those of the catalogue; `vectors[items, dim]` of any length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Wares(
        labels=_labels(items), parents=_parents(items), margin=_numbers(items, "margin"),
        kept=_kept(history, items.height), seen_by=_seen_by(history, items.height), created_ts_ms=_created(items),
        vectors=np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0),
        columns={name: _numbers(items, name) for name, kind in items.schema.items()
                 if kind.is_numeric() and (name not in ITEM_COLUMNS or name == "price_minor")},
    )  # fmt: skip


def codes(values: pl.Series) -> Rows:
    """Number the distinct values of a column, of lists their last ones; null is -1."""
    last = values.list.last() if isinstance(values.dtype, pl.List) else values
    numbers = last.cast(pl.String).rank("dense").cast(pl.Int32) - 1
    return numbers.fill_null(-1).to_numpy().astype(np.int32)


def _labels(items: pl.DataFrame) -> dict[str, Rows]:
    found = {}
    for name, kind in items.schema.items():
        if name in NOT_LABELS or not (kind == pl.String or (isinstance(kind, pl.List) and kind.inner == pl.String)):
            continue
        numbers = codes(items[name])
        if name in ITEM_COLUMNS or numbers.max(initial=-1) < LABELS * len(numbers):
            found[name] = numbers
    return found


def _parents(items: pl.DataFrame) -> Rows:
    if "parent_id" not in items.columns:
        return np.arange(items.height, dtype=np.int32)
    return codes(items.select(pl.coalesce("parent_id", "item_id")).to_series())


def _numbers(items: pl.DataFrame, name: str) -> Floats:
    if name not in items.columns:
        return np.full(items.height, np.nan, np.float32)
    return items[name].cast(pl.Float32).fill_null(float("nan")).to_numpy().astype(np.float32)


def _created(items: pl.DataFrame) -> NDArray[np.int64]:
    if "created_ts_ms" not in items.columns:
        return np.zeros(items.height, np.int64)
    return items["created_ts_ms"].fill_null(0).to_numpy().astype(np.int64)


def _seen_by(history: History, items: int) -> Floats:
    """Return (users who had an item + 1) / (users + 1); to have been shown it is not to have had it."""
    had = np.array([kind not in NOT_TARGETS for kind in history.kinds] or [False])[history.kind]
    pairs: Any = np.unique(history.user_idx[had].astype(np.int64) * items + history.item_idx[had])
    counts = np.bincount(pairs % items, minlength=items) if items else np.zeros(0)
    return np.asarray((counts + 1) / (history.users + 1), np.float32)


def _kept(history: History, items: int) -> Floats:
    """Return the share of purchases that are kept, drawn to the shop's where there are few."""
    bought, back = (
        np.bincount(history.item_idx[history.kind == history.kinds.index(kind)], minlength=items)
        if kind in history.kinds else np.zeros(items)
        for kind in ("purchase", "refund")
    )  # fmt: skip
    usual = min(1.0, back.sum() / max(1, bought.sum()))
    rate = (np.minimum(back, bought) + PRIOR * usual) / (bought + PRIOR)
    return np.asarray(1 - rate, np.float32)
