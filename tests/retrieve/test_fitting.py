"""A warm start: what an earlier model knows of each node, and what it cannot have learned."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.ids import Vocabulary
from paretail.data.types import EVENT_COLUMNS, Events, History
from paretail.retrieve.fitting import WarmStart
from paretail.retrieve.models.popular import Popular

IDS = Vocabulary(pl.Series(["bought", "viewed", "self", "gone", "cold", "first"]))
ROWS = np.array([2, 0, 1, -1, 3, 4], np.int32)


def log() -> History:
    events = pl.DataFrame({"item_id": IDS.ids[:4], "kind": ["purchase", "view", "self", "purchase"]})
    told = events.with_columns(user_id=pl.lit("u"), ts_ms=pl.lit(0, pl.Int64))
    blank = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in told.columns}
    return History.of(Events(told.with_columns(**blank).select(*EVENT_COLUMNS)), Vocabulary(pl.Series(["u"])), IDS)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, [2, 0, -1, -1, 3, -1]),
        ({"purchase": 1.0}, [2, -1, -1, -1, 3, -1]),
        ({"self": 1.0}, [-1, -1, 1, -1, 3, -1]),
    ],
)
def test_an_item_whose_first_events_a_model_reads_now_starts_anew(weights: Any, expected: list[int]) -> None:
    known = np.array([True, True, True, False, True])  # the cold one, now in row 3, is cold still
    model = object.__new__(Popular)
    rows = {"item": ROWS, "user": np.zeros(1, np.int32)}
    learned = WarmStart(model, rows, log()).learned(weights, known)
    assert learned["item"].tolist() == expected
    assert learned["user"] is rows["user"]
    assert WarmStart(model, rows).learned(weights, known) is rows
