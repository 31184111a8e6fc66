"""schema.org/Product: an item as shops publish it, flattened to one row a product or variant.

Source: https://schema.org/Product, https://schema.org/ProductGroup (hasVariant, productGroupID), https://schema.org/Offer.
"""

from typing import Any

Record = dict[str, Any]
IN_STOCK = {"instock", "limitedavailability", "onlineonly", "instoreonly", "presale", "preorder", "backorder"}


def products(record: Record) -> list[Record]:
    """Return one flat row for a Product, or one for each variant of a ProductGroup."""
    variants = _listed(record.get("hasVariant"))
    if not variants:
        return [_flat(record)]
    shared: Record = {key: record[key] for key in ("name", "brand", "category", "offers") if key in record}
    group = record.get("productGroupID") or record.get("sku") or record.get("@id")
    return [_flat({"inProductGroupWithID": group, **shared, **variant}) for variant in variants]


def _flat(product: Record) -> Record:
    first = next(iter(_listed(product.get("offers"))), None)
    offer: Record = first if isinstance(first, dict) else {}
    rest = {key: value for key, value in product.items() if key not in _TAKEN and _is_plain(value)}
    return {
        "item_id": _text(product.get("sku") or product.get("productID") or product.get("@id")),
        "parent_id": _text(product.get("inProductGroupWithID") or _named(product.get("isVariantOf"), "productGroupID")),
        "title": _text(product.get("name")),
        "category": _text(_named(product.get("category"))),
        "brand": _text(_named(product.get("brand"))),
        "price": _text(offer.get("price", offer.get("lowPrice"))),
        "currency": _text(offer.get("priceCurrency")),
        "in_stock": _in_stock(offer.get("availability")),
        "created": _text(product.get("releaseDate")),
        **{key: _text(value) for key, value in rest.items()},
    }


_TAKEN = {
    "@context", "@id", "@type", "sku", "productID", "inProductGroupWithID", "isVariantOf", "name", "category", "brand",
    "offers", "releaseDate", "hasVariant", "item_id", "parent_id", "title", "price", "currency", "in_stock", "created",
}  # fmt: skip


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _named(value: Any, key: str = "name") -> Any:
    return value.get(key) if isinstance(value, dict) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return " > ".join(str(_named(part)) for part in value)
    return None if value is None else str(value)


def _in_stock(availability: Any) -> bool | None:
    """Read `https://schema.org/InStock` and its like; None where nothing is said."""
    return None if availability is None else str(availability).rpartition("/")[2].lower() in IN_STOCK
