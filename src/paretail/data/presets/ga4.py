"""GA4 e-commerce: the events of the BigQuery export, with its nested `items` as one row an item.

Source: Google Analytics, "Ecommerce events" (https://developers.google.com/analytics/devguides/collection/ga4/ecommerce)
and "BigQuery Export schema" (https://support.google.com/analytics/answer/7029846).
"""

from collections.abc import Mapping

import polars as pl

from paretail.data.config import Table

KINDS = {
    "view_item_list": "impression", "select_item": "click", "view_item": "view", "add_to_wishlist": "favourite",
    "add_to_cart": "cart", "purchase": "purchase", "refund": "refund",
}  # fmt: skip

COLUMNS: Mapping[Table, Mapping[str, tuple[str, ...]]] = {
    "events": {
        "user_id": ("user_id", "user_pseudo_id"),
        "item_id": ("item.item_id", "item_id"),
        "event": ("event_name", "event"),
        "ts": ("event_timestamp", "ts"),
        "order_id": ("ecommerce.transaction_id", "transaction_id"),
        "quantity": ("item.quantity", "quantity"),
        "price": ("item.price", "price"),
        "currency": ("currency", "ecommerce.currency"),
    },
    "items": {
        "item_id": ("item_id",),
        "title": ("item_name",),
        "category": ("item_category",),
        "brand": ("item_brand",),
        "price": ("price",),
    },
}


def one_row_an_item(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn the list `items` (or `ecommerce.items`) into one row an item; an event without items keeps one row."""
    if "items" not in frame.columns:
        nested = frame.schema.get("ecommerce")
        if not isinstance(nested, pl.Struct) or "items" not in {field.name for field in nested.fields}:
            return frame
        frame = frame.with_columns(pl.col("ecommerce").struct.field("items"))
    if not isinstance(frame.schema["items"], pl.List):
        return frame
    return frame.rename({"items": "item"}).explode("item", empty_as_null=True, keep_nulls=True)
