"""Pools beside each other: the rows of both as they were, of unlike widths, with the wares of the first."""

import numpy as np
from numpy.testing import assert_array_equal

from tests.policy.pools import pool


def test_pools_of_unlike_widths_keep_their_rows_beside_each_other() -> None:
    wide, narrow = pool(users=3, cands=12, seed=1), pool(users=2, cands=7, seed=2)
    for first, second in ((wide, narrow), (narrow, wide)):
        both, users = first.beside(second), first.shape[0]
        assert both.shape == (5, 12)
        assert both.wares is first.wares
        for part, rows in ((first, np.arange(users)), (second, np.arange(users, 5))):
            found, width = both.rows(rows), part.shape[1]
            assert_array_equal(found.item_idx[:, :width], part.item_idx)
            assert not found.valid[:, width:].any()
            for name in ("p_click", "p_purchase", "order_value"):
                assert_array_equal(getattr(found, name)[:, :width], getattr(part, name))
            assert_array_equal(found.past.indptr, part.past.indptr)
            assert_array_equal(found.past.item_idx, part.past.item_idx)
            assert_array_equal(found.past.ts_ms, part.past.ts_ms)
