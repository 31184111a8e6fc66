"""Explanations in words and as a table."""

import numpy as np
import polars as pl
import pytest

from paretail.data.types import Explanations
from paretail.pipeline.explaining import explanations, parts_of, position_in_words, pulled_in_words, sentence
from paretail.policy.position import Position

EXPLAINED = Explanations(
    ("click", "value"), ("taste", "price", "moment"),
    np.array([[[np.log(2), -np.log(1.25), 0.01], [0.0, np.log(3), 0.0]]]),
    np.array([[0.2, 3000.0]]), np.array([0.135, 1000.0]),
)  # fmt: skip


def test_what_speaks_for_and_against() -> None:
    assert sentence("click", 0.2, 0.135, {"price": -np.log(1.25), "taste": np.log(2), "moment": 0.01}) == (
        "A click has 1.62 times the usual odds (20 % instead of 13.5 %): taste x2.00; against it price x0.80."
    )
    assert sentence("value", 30.0, 10.0, {"price": np.log(3)}) == (
        "An order is worth 3 times the usual (30.00 instead of 10.00): price x3.00."
    )
    assert sentence("cart", 0.2, 0.2, {"taste": 0.0}) == (
        "After a click, a cart has 1 times the usual odds (20 % instead of 20 %)."
    )
    assert "against it a x0.50, b x0.61, c x0.74." in sentence(
        "purchase", 0.1, 0.2, {"d": -0.2, "a": -np.log(2), "b": -0.5, "c": -0.3}
    )


def test_a_row_a_pair_and_task() -> None:
    rows = explanations(pl.DataFrame({"user_id": ["u"], "item_id": ["i"]}), EXPLAINED, 100.0)
    assert rows.columns == ["user_id", "item_id", "task", "predicted", "usual", "taste", "price", "moment", "text"]
    assert rows["task"].to_list() == ["click", "value"]
    assert rows["predicted"].to_list() == [0.2, 30.0]
    assert rows["usual"].to_list() == [0.135, 10.0]
    assert rows["price"].to_list() == pytest.approx([-np.log(1.25), np.log(3)])
    assert list(parts_of(EXPLAINED, 0, 0)) == ["taste", "price", "moment"]


def test_pulls_in_words() -> None:
    assert pulled_in_words({"revenue": 0.6, "clicks": 0.02, "diversity": -0.38}) == (
        "Here for revenue (60 %); against it diversity (38 %)."
    )
    assert pulled_in_words({"clicks": -1.0}) == "Here as the best that is left; against it clicks (100 %)."


def test_a_position_in_words() -> None:
    costs = {"revenue": {"clicks": -0.8, "purchases": 0.25, "profit": 0.001}, "profit": {"clicks": 0.0}}
    assert position_in_words(Position(7, 0, {}, costs)) == (
        "None of 7 measured settings beats it. A point more of revenue costs 0.8 of clicks and brings 0.25 of "
        "purchases. A point more of profit costs the others nothing."
    )
    assert position_in_words(Position(7, 2, {"clicks": 0.4, "profit": 0.56})) == (
        "2 of 7 measured settings beat it, most of all the one with clicks 40 %, profit 56 %."
    )
