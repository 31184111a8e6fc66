"""Documents of items and users: what a table tells, and what a table of them tells again."""

import math
from datetime import date

import msgspec
import polars as pl

from paretail.data.attributes import vectors
from paretail.data.documents import ItemDocument
from paretail.data.stored import item_documents, item_table, kept_columns, user_documents, user_table
from paretail.data.types import ITEM_COLUMNS

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b"], "title": ["Shoe", None], "category": [["x", "y"], None], "brand": ["acme", None],
        "price_minor": [1250, None], "in_stock": [False, None], "hidden": ["no", "yes"], "colour": ["red", None],
        "weight": [1.5, math.nan], "size": [43, None], "tags": [["new", "red"], []], "since": [date(2024, 1, 2), None],
        "vector": [[0.5, 1.0], [1.0, 0.0]], "fair": [True, None],
    },
    schema_overrides={"vector": pl.List(pl.Float32)},
)  # fmt: skip


def test_an_item_is_kept_whole_in_our_units() -> None:
    documents = item_documents(vectors(ITEMS))
    assert list(documents) == ["a", "b"]
    first, second = (msgspec.json.decode(body, type=ItemDocument) for body in documents.values())
    assert first == ItemDocument(
        title="Shoe", category=["x", "y"], brand="acme", price_minor=1250, in_stock=False,
        attributes={"colour": "red", "weight": 1.5, "size": 43.0, "tags": ["new", "red"], "since": "2024-01-02",
                    "fair": True},
    )  # fmt: skip
    assert second == ItemDocument(hidden=True, attributes={"tags": []})
    assert set(vectors(ITEMS).columns) - set(kept_columns(vectors(ITEMS), [*ITEM_COLUMNS, "hidden"])) == {
        "item_id", "title", "category", "brand", "price_minor", "in_stock", "hidden", "vector",
    }  # fmt: skip


def test_a_table_of_documents_is_the_table_again() -> None:
    given = ITEMS.drop("hidden", "vector").with_columns(pl.col("weight").fill_nan(None))
    again = item_table([*item_documents(given).items(), ("gone", None)])
    assert again.columns[: len(ITEM_COLUMNS)] == list(ITEM_COLUMNS)
    assert again.select(given.columns).rows() == given.with_columns(pl.col("since").cast(pl.String)).rows()


def test_an_attribute_of_several_types_becomes_text() -> None:
    told = [{"size": 3}, {"size": "XL"}, {"size": ["a", "b"]}, {}]
    documents = [(f"i{n}", msgspec.json.encode(ItemDocument(attributes=a))) for n, a in enumerate(told)]
    assert item_table(documents)["size"].to_list() == ["3.0", "XL", "a > b", None]
    assert item_table([]).schema == pl.Schema(ITEM_COLUMNS)


def test_users_are_documents_too() -> None:
    users = pl.DataFrame({"user_id": ["u1", "u2"], "country": ["DE", None], "age": [31, 40]})
    documents = user_documents(users)
    assert msgspec.json.decode(documents["u2"]) == {"user_id": "u2", "attributes": {"age": 40.0}}
    assert user_table([*documents.items(), ("u3", None)]).rows() == [("u1", "DE", 31.0), ("u2", None, 40.0)]
    assert user_table([]).schema == {"user_id": pl.String}
