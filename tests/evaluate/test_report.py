"""The report: rows, segments, JSON and names."""

import json

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import UsageError
from paretail.core.ids import Vocabulary
from paretail.data.held import Held
from paretail.data.types import Catalogue, History
from paretail.evaluate.context import Context, labels
from paretail.evaluate.metrics import Case
from paretail.evaluate.report import Report, evaluate
from paretail.evaluate.segments import PAIR_SEGMENTS, USER_SEGMENTS

DAY = 86_400_000
#: Three users: none, two and three items; item 3 first occurs on the last day; item 4 never does.
TRAIN = History(
    indptr=np.array([0, 0, 2, 5]),
    item_idx=np.array([0, 1, 0, 2, 3], dtype=np.int32),
    kind=np.zeros(5, dtype=np.uint8),
    ts_ms=np.array([0, 1, 0, 1, 40]) * DAY,
    quantity=np.ones(5, dtype=np.float32),
    kinds=("purchase",),
    time="clock",
)
HELD = Held.of(
    np.array([0, 1, 1, 2], dtype=np.int32), np.array([4, 3, 0, 1], dtype=np.int32), 3,
    np.array([False, False, True, False]),
)  # fmt: skip
LISTS = np.array([[4, 0], [1, 3], [-1, -1]], dtype=np.int32)


def report(**choice: object) -> Report:
    return evaluate(LISTS, None, HELD, Context.of(TRAIN, 5), **choice)  # type: ignore[arg-type]


def test_values_by_segment() -> None:
    found = report()
    assert found.value("recall") == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert [found.value("recall", segment=name) for name in ("cold", "light", "heavy")] == [1.0, 0.5, 0.0]
    assert [found.row("recall", segment=name).n for name in ("cold", "light", "heavy")] == [1, 1, 1]
    assert found.value("recall", segment="new_items") == 1.0  # items 3 and 4, both found
    assert found.value("recall", segment="repeat_pairs") == 0.0
    assert found.value("recall", segment="new_pairs") == pytest.approx(2 / 3)
    assert found.value("catalogue_coverage") == pytest.approx(4 / 5)
    assert found.row("user_coverage").mean == pytest.approx(2 / 3)
    assert found.row("calibration").n == 0


def test_cut_offs_and_choice_of_metrics() -> None:
    found = report(ks=(1, 2), metrics=["recall", "gini"])
    assert {row.metric for row in found.rows} == {"recall", "gini"}
    assert found.value("recall", k=1) == pytest.approx(1 / 3)
    assert found.row("recall").k == 2


def test_json_goes_there_and_back() -> None:
    found = report()
    assert Report.from_json(found.to_json()) == found
    assert {"metric", "k", "segment", "mean", "low", "high", "n"} == set(json.loads(found.to_json())["rows"][0])


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert report(seed=1).to_json() == report(seed=1).to_json()
    assert report(seed=1).to_json() != report(seed=2).to_json()


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no metric 'recal'.*did you mean 'recall'.*EVAL-03"):
        report(metrics=["recal"])
    with pytest.raises(UsageError, match=r"recall@5 all.*EVAL-03"):
        report().row("recall", k=5)


def test_segments_of_users_part_them_and_segments_of_pairs_ask_for_their_pairs() -> None:
    context = Context.of(TRAIN, 5)
    masks = {name: of(context) for name, of in USER_SEGMENTS.items()}
    assert (masks["cold"].astype(int) + masks["light"] + masks["heavy"] == masks["all"]).all()
    pairs = {name: of(HELD, context) for name, of in PAIR_SEGMENTS.items()}
    assert (pairs["repeat_pairs"] ^ pairs["new_pairs"]).all()
    case = Case(LISTS, None, HELD, context)
    part, alone = case.only(pairs["new_pairs"]), Case(LISTS, None, HELD.where(pairs["new_pairs"]), context)
    assert np.array_equal(part.hit, alone.hit)
    assert np.array_equal(part.n_held, alone.n_held)


def test_rows_pick_users_but_popularity_stays_that_of_the_shop() -> None:
    whole, part = Context.of(TRAIN, 5), Context.of(TRAIN, 5, rows=np.array([2]))
    assert part.had.shape == (1, 5)
    assert part.users_with.tolist() == whole.users_with.tolist() == [2, 1, 1, 1, 0]
    assert part.users == 3


def test_labels_of_list_and_plain_columns() -> None:
    items = Vocabulary(pl.Series(["a", "b", "c"]))
    frame = pl.DataFrame(
        {"item_id": ["b", "a", "x"], "category": [["home", "lamp"], ["home"], ["toy"]], "brand": ["B", None, "B"]}
    )
    found = labels(Catalogue(frame), items, ("category", "brand"))
    assert found is not None
    assert found.toarray().tolist() == [[1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]]
    assert labels(Catalogue(frame), items, ("colour",)) is None
