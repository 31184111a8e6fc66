"""What goals read of items: facts of the catalogue and of the log, by hand."""

import numpy as np
import polars as pl

from paretail.data.types import History
from paretail.pipeline.wares import wares_of

KINDS = ("impression", "purchase", "refund", "view")


def test_who_was_only_shown_an_item_has_not_had_it() -> None:
    # of three users one viewed item 0, two bought item 1 (one twice, one gave it back), all were shown item 2
    kind = [0, 3, 1, 1, 0, 1, 2, 0]
    item = [2, 0, 1, 1, 2, 1, 1, 2]
    log = History(np.array([0, 4, 7, 8]), np.array(item, np.int32), np.array(kind, np.uint8), np.arange(8),
                  np.ones(8, np.float32), KINDS, "clock")  # fmt: skip
    found = wares_of(pl.DataFrame({"item_id": ["a", "b", "c"]}), log, np.zeros((3, 2), np.float32))
    np.testing.assert_allclose(found.seen_by, [2 / 4, 3 / 4, 1 / 4])
