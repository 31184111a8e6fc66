"""What was shown to users, as columns: as of each example's window, the same in training as in serving."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from paretail.data.features.pairs import ItemFacts, says
from paretail.data.features.past import SHOWN
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.examples import Examples
from paretail.rank.sides import UserSides
from paretail.rank.standings import EDGES, Standings, cuts_of

from .world import world

LATER = 0.1


@cache
def graph() -> ShopGraph:
    shop = world(users=40, items=30, requests=1_500).shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


@cache
def examples() -> Examples:
    shop = world(users=40, items=30, requests=1_500).shop
    return Examples.of(shop.events, graph().nodes["user"], graph().nodes["item"])


@cache
def sides() -> UserSides:
    return UserSides.of(graph().history, ItemFacts.of(graph().tables["item"]))


def cuts() -> NDArray[np.int64]:
    return cuts_of(examples().ts_ms, examples().apart(LATER)["click"])


def columns(history: History) -> NDArray[np.float32]:
    """Return the columns that each example is learned with."""
    found = Standings.of(sides(), history, examples().user_idx, examples().ts_ms, cuts())
    np.testing.assert_array_equal(found.user[found.of_example], examples().user_idx)
    return found.columns[found.of_example]


def test_what_happens_at_a_cut_or_later_changes_nothing_before_the_next() -> None:
    """Other items are shown, events follow that were not there, and what there is comes in another order."""
    log, before, rng = graph().history, columns(graph().history), np.random.default_rng(0)
    assert len(cuts()) == len(EDGES) + 1
    for cut, end in zip(cuts(), [*cuts()[1:], examples().ts_ms[-1] + 1], strict=True):
        told, later = examples().ts_ms < end, log.ts_ms >= cut
        shown = replace(log, item_idx=np.where(later, (log.item_idx + 7) % graph().items, log.item_idx))
        gone = log.where(~later)
        mixed = np.where(later, rng.permutation(log.item_idx), log.item_idx).astype(np.int32)
        for changed in (shown, gone, replace(log, item_idx=mixed)):
            np.testing.assert_array_equal(columns(changed)[told], before[told])
    assert (columns(log.where(log.ts_ms < cuts()[-2]))[-1] != before[-1]).any()


def test_what_is_kept_apart_is_told_by_what_lies_before_it() -> None:
    """The ranker is calibrated on the newest examples; nothing at or after the first of them counts."""
    first = round((1 - LATER) * len(examples()))
    assert cuts()[-1] == examples().ts_ms[first]
    served = sides().matrix(graph().history.where(graph().history.ts_ms < examples().ts_ms[first]))
    np.testing.assert_array_equal(columns(graph().history)[first:], served[examples().user_idx[first:]])


def test_serving_sees_what_training_saw() -> None:
    """A bundle that is asked at a cut, of users who have done no more than that yet: row by row what training read."""
    trained = columns(graph().history)
    window = np.searchsorted(cuts(), examples().ts_ms, side="right")
    for place in range(1, len(cuts()) + 1):
        rows = np.flatnonzero(window == place)[::17]
        for row in rows:
            mine = graph().history.of_users(examples().user_idx[[row]])
            live = mine.where(mine.ts_ms < cuts()[place - 1])
            np.testing.assert_array_equal(sides().matrix(live)[0], trained[row])


def test_of_the_first_window_nothing_is_known_but_traits() -> None:
    nobody = sides().matrix(graph().history.where(np.zeros(len(graph().history.ts_ms), bool)))
    early = examples().ts_ms < cuts()[0]
    np.testing.assert_array_equal(columns(graph().history)[early], nobody[examples().user_idx[early]])
    np.testing.assert_allclose(nobody[:, -len(sides().shares) :], 0, atol=1e-6)


def test_columns_count_what_was_shown_alone() -> None:
    """A click, cart or purchase changes no column, whenever it happens."""
    log = graph().history
    others = np.where(says(log) == SHOWN, log.item_idx, (log.item_idx + 3) % graph().items).astype(np.int32)
    np.testing.assert_array_equal(columns(replace(log, item_idx=others)), columns(log))


def test_few_examples_have_few_windows() -> None:
    assert len(cuts_of(np.zeros(0, np.int64), 0)) == 0
    assert len(cuts_of(np.full(50, 7), 45)) == 1
    assert cuts_of(np.arange(3), 3).tolist() == [1]
