"""A vocabulary is a bridge with two ends that fit."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.ids import Vocabulary, distinct

IDS = st.lists(st.text(max_size=5), unique=True)


@given(IDS, st.randoms())
def test_there_and_back(ids: list[str], chance: object) -> None:
    words = Vocabulary(pl.Series(ids, dtype=pl.String))
    rows = np.arange(len(ids), dtype=np.int32)
    assert words.names(rows).to_list() == ids
    assert words.rows(ids).tolist() == rows.tolist()
    assert [words.row(one) for one in ids] == rows.tolist()
    assert len(words) == len(ids)


@given(IDS)
def test_the_order_of_the_input_does_not_matter(ids: list[str]) -> None:
    once = Vocabulary.of(pl.Series(ids, dtype=pl.String))
    again = Vocabulary.of(pl.Series([*reversed(ids), *ids], dtype=pl.String), pl.Series([None], dtype=pl.String))
    assert once.ids.to_list() == again.ids.to_list() == sorted(ids, key=lambda text: text.encode())


def test_unknown_ids_have_no_row() -> None:
    words = Vocabulary(pl.Series(["a", "b"]))
    assert words.rows(["b", "c", "b"]).tolist() == [1, -1, 1]
    assert words.row("c") == -1
    assert "b" in words
    assert "c" not in words
    assert words.rows([]).dtype == np.int32


def test_numbers_become_text() -> None:
    words = Vocabulary.of(pl.Series([10, 9]))
    assert words.ids.to_list() == ["10", "9"]
    assert words.rows(pl.Series([9])).tolist() == [1]


@pytest.mark.parametrize("ids", [["a", "a"], ["a", None]])
def test_ids_are_unique_and_not_null(ids: list[str | None]) -> None:
    with pytest.raises(ValueError, match="unique"):
        Vocabulary(pl.Series(ids))


def test_distinct_is_unique() -> None:
    keys = np.random.default_rng(0).integers(0, 50, (40, 5))
    assert np.array_equal(distinct(keys), np.unique(keys))
    assert distinct(np.empty(0, np.int64)).size == 0
