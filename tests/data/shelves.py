"""Random catalogues and filters for tests, and what a filter means in a few lines of Python."""

from typing import Any

import polars as pl
from hypothesis import strategies as st

from paretail.core.ids import Vocabulary
from paretail.data.conditions import AllOf, Among, AnyOf, Field, Known, Node, Not, Value, Within
from paretail.data.shelf import ItemDocument, Shelf

WORDS = ("shoes", "coats", "Men", "x", "", "grün", 'say "hi"', "it's", "a\\b", "两")
#: Fields of the catalogues below -> strategy of a value as documents hold it.
NUMBER = st.sampled_from([-1.5, 0.0, 0.1, 1.0, 2.5, 1e300])
OWN: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from(WORDS),
    "category": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    "brand": st.sampled_from(WORDS),
    "price_minor": st.integers(0, 300),
    "margin": NUMBER.filter(lambda number: number <= 1),
    "in_stock": st.booleans(),
    "created_ts_ms": st.integers(1, 4000),
    "parent_id": st.sampled_from(["i0", "i3", "p", "q"]),
}
ATTRIBUTES: dict[str, st.SearchStrategy[Any]] = {
    "colour": st.sampled_from(WORDS),
    "my weight": NUMBER,
    "vegan": st.booleans(),
    "tags": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    "price": st.sampled_from(WORDS),  # named like a field of the item
}


def documents() -> st.SearchStrategy[ItemDocument]:
    attributes = st.fixed_dictionaries({}, optional=ATTRIBUTES)
    own = st.fixed_dictionaries({}, optional={**OWN, "hidden": st.booleans(), "attributes": attributes})
    return own.map(lambda told: ItemDocument(**told))


TYPES = {
    "item_id": pl.String, "parent_id": pl.String, "title": pl.String, "category": pl.List(pl.String),
    "brand": pl.String, "price_minor": pl.Int64, "margin": pl.Float64, "in_stock": pl.Boolean,
    "created_ts_ms": pl.Int64, "colour": pl.String, "my weight": pl.Float64, "vegan": pl.Boolean,
    "tags": pl.List(pl.String), "price": pl.String,
}  # fmt: skip


def shelf_of(told: dict[str, ItemDocument]) -> Shelf:
    """Return a shelf whose bundle knows these items; none of them hidden."""
    rows = [
        {"item_id": item_id, **{name: getattr(document, name) for name in OWN}, **document.attributes}
        for item_id, document in told.items()
    ]
    catalogue = pl.DataFrame([{name: row.get(name) for name in TYPES} for row in rows], schema=TYPES)
    return Shelf.of(catalogue, Vocabulary(catalogue["item_id"]), 100)


FIELDS = {
    **{name: Field(name) for name in ("item_id", "title", "category", "brand", "in_stock", "parent_id", "margin")},
    "price": Field("price"), "created": Field("created"),
    **{f"attributes {name}": Field(name, own=True) for name in ATTRIBUTES},
}  # fmt: skip
_TEXTS = st.sampled_from([*WORDS, "i0", "shoes > Men", "coats>x", "Men > nothing"]).map(
    lambda text: Value("text", text)
)
_NUMBERS = st.sampled_from([-1.5, 0.0, 0.1, 0.29, 1.0, 1.005, 2.5, 1e300]).map(lambda number: Value("number", number))
_FLAGS = st.booleans().map(lambda flag: Value("flag", flag))
_ASKED = {
    "price": _NUMBERS, "margin": _NUMBERS, "attributes my weight": _NUMBERS, "created": _NUMBERS,
    "in_stock": _FLAGS, "attributes vegan": _FLAGS,
}  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> Node:
    """Draw a condition on the fields above."""
    shape = draw(st.sampled_from(["leaf", "not", "and", "or"])) if depth else "leaf"
    if shape == "not":
        return Not(draw(conditions(depth - 1)))
    if shape != "leaf":
        parts = tuple(draw(st.lists(conditions(depth - 1), min_size=2, max_size=3)))
        return AllOf(parts) if shape == "and" else AnyOf(parts)
    name = draw(st.sampled_from(sorted(FIELDS)))
    asked, values = FIELDS[name], _ASKED.get(name, _TEXTS)
    kind = draw(st.sampled_from(["among", "known", "within"] if values is _NUMBERS else ["among", "known"]))
    if kind == "known":
        return Known(asked)
    if kind == "among":
        return Among(asked, tuple(draw(st.lists(values, max_size=6))))
    low, high = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    both = low and high
    return Within(
        asked, draw(values) if low else None, draw(values) if high else None,
        low and not both and draw(st.booleans()), high and not both and draw(st.booleans()),
    )  # fmt: skip


def holds(node: Node, item_id: str, document: ItemDocument) -> bool:
    """Return whether a condition is true for an item, by the letter of docs/filters.md."""
    match node:
        case Not(part):
            return not holds(part, item_id, document)
        case AllOf(parts):
            return all(holds(part, item_id, document) for part in parts)
        case AnyOf(parts):
            return any(holds(part, item_id, document) for part in parts)
    value = _value(node.field, item_id, document)
    if value is None or isinstance(node, Known):
        return value is not None
    if isinstance(node, Among):
        values = value if isinstance(value, list) else [value]
        path = node.field.name == "category" and not node.field.own
        return any(asked.value in values or (path and _begins(values, asked.value)) for asked in node.values)
    above = node.low is None or (value > node.low.value if node.open_low else value >= node.low.value)
    return above and (node.high is None or (value < node.high.value if node.open_high else value <= node.high.value))


def _value(asked: Field, item_id: str, document: ItemDocument) -> Any:
    if asked.own:
        return document.attributes.get(asked.name)
    if asked.name == "item_id":
        return item_id
    if asked.name == "price":
        return None if document.price_minor is None else document.price_minor / 100
    if asked.name == "created":
        return None if document.created_ts_ms is None else document.created_ts_ms / 1000
    return getattr(document, asked.name)


def _begins(path: list[str], asked: str) -> bool:
    levels = [level.strip() for level in asked.split(">")]
    return len(levels) > 1 and path[: len(levels)] == levels
