"""Documents: an item as the shop told it, whole, in our units."""

import msgspec

#: What an attribute may be; None is unknown.
Attribute = str | float | bool | list[str] | None


class ItemDocument(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """All that is known of an item but its id; None is unknown. It is stored as JSON."""

    title: str | None = None
    category: list[str] | None = None  # from the widest to the narrowest
    brand: str | None = None
    price_minor: int | None = None
    margin: float | None = None  # share of the price that is profit
    in_stock: bool | None = None  # unknown counts as in stock
    created_ts_ms: int | None = None
    parent_id: str | None = None
    hidden: bool = False
    attributes: dict[str, Attribute] = {}
