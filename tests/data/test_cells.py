"""Cells become ids, numbers, flags and lists; what cannot be read is null."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.cells import as_flag, as_id, as_number, as_path, as_text, first_unreadable, is_given


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([17850.0, None, float("nan"), 3.0], ["17850", None, None, "3"]),
        ([1.5, 2.0], ["1.5", "2.0"]),
        ([7, None], ["7", None]),
        (["17850.0", None, "13047.0"], ["17850", None, "13047"]),
        (["17850.0", "A7"], ["17850.0", "A7"]),
        (["007", " 8 ", "", "null", "NaN"], ["007", "8", None, None, None]),
        ([None, None], [None, None]),
    ],
)
def test_ids_become_the_text_that_people_know(cells: list[object], expected: list[str | None]) -> None:
    assert as_id(pl.Series(cells)).to_list() == expected


def test_ids_of_other_types_become_text() -> None:
    assert as_id(pl.Series(["a", "b"], dtype=pl.Categorical)).to_list() == ["a", "b"]
    assert as_id(pl.Series([date(2024, 1, 2)])).to_list() == ["2024-01-02"]


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1))
def test_whole_numbers_keep_their_digits_however_they_arrive(numbers: list[int]) -> None:
    digits = [str(number) for number in numbers]
    assert as_id(pl.Series(numbers)).to_list() == digits
    assert as_id(pl.Series([float(number) for number in numbers])).to_list() == digits


def test_numbers_in_text() -> None:
    assert as_number(pl.Series(["1.5", " 2 ", "x", "", "NaN"])).to_list() == [1.5, 2.0, None, None, None]
    assert as_number(pl.Series(["1.234,50", "3", "7,5"]), ",").to_list() == [1234.5, 3.0, 7.5]
    assert as_number(pl.Series([1, 2])).to_list() == [1.0, 2.0]
    assert as_number(pl.Series([float("nan"), 1.0])).to_list() == [None, 1.0]


def test_flags_in_many_words() -> None:
    words = ["true", "No", "1", "0", "in stock", "out_of_stock", "https://schema.org/InStock", "12", "?", None]
    assert as_flag(pl.Series(words)).to_list() == [True, False, True, False, True, False, True, True, None, None]
    assert as_flag(pl.Series([3, 0])).to_list() == [True, False]
    assert as_flag(pl.Series([True, None])).to_list() == [True, None]


def test_categories_from_text_and_lists() -> None:
    text = pl.Series(["Home > Kitchen>Knives", "Home|Garden", "Home", "", None, " > "])
    assert as_path(text).to_list() == [["Home", "Kitchen", "Knives"], ["Home", "Garden"], ["Home"], None, None, None]
    assert as_path(pl.Series([["a", "b"], None])).to_list() == [["a", "b"], None]


def test_text_is_trimmed_and_lists_are_joined() -> None:
    assert as_text(pl.Series([["a", "b"]])).to_list() == ["a > b"]
    assert as_text(pl.Series([" a ", "\\N"])).to_list() == ["a", None]


def test_the_first_unreadable_cell_of_a_row_is_named() -> None:
    raw = {"quantity": pl.Series(["1", "x", "", "y"]), "price": pl.Series(["z", "2", "3", "w"])}
    read = {name: as_number(column) for name, column in raw.items()}
    assert first_unreadable(raw, read, 4).to_list() == ["price", "quantity", None, "quantity"]


def test_given_means_neither_null_nor_empty() -> None:
    assert is_given(pl.Series(["a", " ", None])).to_list() == [True, False, False]
    assert is_given(pl.Series([1.0, float("nan"), None])).to_list() == [True, False, False]
    assert is_given(pl.Series([1, None])).to_list() == [True, False]
