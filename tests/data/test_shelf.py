"""The shelf is the catalogue as it is now, whatever was put and deleted, for writers and readers at once."""

import sys
import threading
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import DataError, UsageError
from paretail.core.ids import Vocabulary
from paretail.data import shelf as shelf_module
from paretail.data import shelf_lists, shelf_turns, shelf_words
from paretail.data.filters import parse
from paretail.data.shelf import ItemDocument, Shelf

from .shelves import conditions, documents, holds, shelf_of

IDS = [f"i{n}" for n in range(12)]


def known(document: ItemDocument) -> ItemDocument:
    """Return a document as it comes back: without attributes of which nothing is known."""
    told = {name: value for name, value in document.attributes.items() if value is not None}
    return msgspec.structs.replace(document, attributes=told)


def bundle(**columns: Any) -> Shelf:
    catalogue = pl.DataFrame(columns)
    return Shelf.of(catalogue, Vocabulary(catalogue["item_id"]), 100)


@given(
    st.dictionaries(st.sampled_from(IDS[:6]), documents(), min_size=1),
    st.lists(st.tuples(st.sampled_from(IDS), st.none() | documents()), max_size=15),
    conditions(),
)
@settings(max_examples=150)
def test_it_is_what_a_dictionary_would_be(
    first: dict[str, ItemDocument], changes: list[tuple[str, ItemDocument | None]], condition: Any
) -> None:
    first = {item_id: msgspec.structs.replace(document, hidden=False) for item_id, document in first.items()}
    shelf, wanted = shelf_of(first), parse(str(condition))
    now: dict[str, ItemDocument | None] = dict(first)
    rows = list(first)
    for item_id, document in changes:
        shelf.matching(wanted)
        version = shelf.version
        if document is None:
            shelf.delete(item_id)
            assert shelf.version == version + (now.get(item_id) is not None)
        else:
            shelf.put(item_id, document)
            assert shelf.version == version + 1
        if document is not None or item_id in now:
            now[item_id] = document
            rows += [item_id] if item_id not in rows else []
    assert (shelf.learned, shelf.rows, len(shelf)) == (len(first), len(rows), len(rows))
    assert shelf.ids(np.arange(shelf.rows)) == rows
    assert [shelf.row(item_id) for item_id in rows] == list(range(len(rows)))
    assert [shelf.get(item_id) for item_id in rows] == [doc and known(doc) for doc in map(now.get, rows)]
    there = [now[item_id] or ItemDocument() for item_id in rows]
    expected = [holds(wanted.condition, item_id, doc) for item_id, doc in zip(rows, there, strict=True)]
    assert shelf.matching(wanted).tolist() == expected
    listed = [now[item_id] is not None and not doc.hidden for item_id, doc in zip(rows, there, strict=True)]
    in_stock = [doc.in_stock is not False for doc in there]
    assert shelf.listable(out_of_stock=True).tolist() == listed
    assert shelf.listable().tolist() == (np.array(listed) & in_stock).tolist()
    assert _groups(shelf.parents.tolist()) == _groups([doc.parent_id or i for i, doc in zip(rows, there, strict=True)])
    assert shelf.price_minor.tolist() == [-1 if doc.price_minor is None else doc.price_minor for doc in there]
    assert shelf.created_ts_ms.tolist() == [doc.created_ts_ms or 0 for doc in there]
    assert shelf.names(range(len(rows))) == [doc.title or i for i, doc in zip(rows, there, strict=True)]
    words = shelf.category_words
    for row, doc in enumerate(there):
        assert [words[code] for code in shelf.category_codes[row] if code >= 0] == shelf.categories(row)
        assert shelf.categories(row) == (doc.category or [])
        code = int(shelf.brand_codes[row])
        assert shelf.brand(row) == doc.brand == (None if code < 0 else shelf.brand_words[code])


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads take turns a thousand times as often, so that they meet in the middle of things."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 1000)
    yield
    sys.setswitchinterval(usual)


def _groups(labels: list[Any]) -> list[int]:
    """Number groups in the order in which they occur."""
    return [labels.index(label) for label in labels]


def test_variants_of_a_product_are_a_group_with_it() -> None:
    shelf = bundle(item_id=["a", "b", "c", "d", "e"], parent_id=["p", "p", "d", None, "e"])
    assert shelf.parents.dtype == np.int32
    assert _groups(shelf.parents.tolist()) == [0, 0, 2, 2, 4]
    assert shelf.parents[[2, 3, 4]].tolist() == [3, 3, 4]
    shelf.put("p", ItemDocument())  # the product comes after its variants
    assert shelf.parents.tolist() == [5, 5, 3, 3, 4, 5]
    shelf.put("c", ItemDocument(parent_id="q"))
    shelf.put("f", ItemDocument(parent_id="q"))
    assert _groups(shelf.parents.tolist()) == [0, 0, 2, 3, 4, 0, 2]
    shelf.put("b", ItemDocument())
    assert shelf.parents[1] == 1


def test_columns_of_every_type_become_fields() -> None:
    shelf = bundle(
        item_id=["a", "b"], epoch=[date(1970, 1, 1), None],
        colour=pl.Series(["red", None], dtype=pl.Categorical), size=[7, None], vegan=[True, None],
        tags=[["x", "y"], None], day=[date(2024, 6, 1), None], nothing=[None, None],
        vector=pl.Series([[0.5, 1.0], None], dtype=pl.Array(pl.Float32, 2)),
    )  # fmt: skip
    told = {
        "epoch": "1970-01-01T00:00:00+00:00",
        "colour": "red",
        "size": 7.0,
        "vegan": True,
        "tags": ["x", "y"],
        "day": "2024-06-01T00:00:00+00:00",
    }
    assert shelf.get("a") == ItemDocument(attributes=told)
    assert shelf.get("b") == ItemDocument()
    for text in (
        'colour = "red"',
        "size >= 7",
        "vegan = true",
        'tags = "y"',
        'day = "2024-06-01"',
        "vector is not null",
    ):
        assert shelf.matching(parse(text)).tolist() == [True, False], text
    shelf.put("b", ItemDocument(attributes={**told, "day": "2024-06-02"}))
    assert shelf.matching(parse('day > "2024-06-01"')).tolist() == [False, True]
    assert shelf.matching(parse("vector is not null")).tolist() == [True, False]
    for text in ("vector in []", "vector = 1", "vector < 1"):
        with pytest.raises(UsageError, match="vector is neither text, number nor flag"):
            shelf.matching(parse(text))
    refused = shelf.refused([("b", ItemDocument(attributes={"vector": 3.0, "day": "soon"}))])
    assert [problem.found for problem in refused[0]] == [
        "item 'b': attribute 'vector' is a number, and neither text, number nor flag in the catalogue",
        "item 'b': attribute 'day' is a text, and a moment in the catalogue",
    ]


def test_an_attribute_of_another_type_is_refused_and_nothing_changes() -> None:
    shelf = bundle(item_id=["a", "b"], price_minor=[5, 6], size=[7.0, 8.0])
    with pytest.raises(DataError) as caught:
        shelf.put("a", ItemDocument(price_minor=9, attributes={"size": "large", "new": 1.0}))
    (problem,) = caught.value.problems
    assert problem.code == "LIVE-21"
    assert problem.found == "item 'a': attribute 'size' is a text, and a number in the catalogue"
    assert shelf.get("a") == ItemDocument(price_minor=5, attributes={"size": 7.0})
    assert (shelf.version, "new" in shelf._table.attributes) == (0, False)
    told = shelf.put_all([("a", ItemDocument(price_minor=9, attributes={"size": "large"})), ("b", None)])
    assert [problem.code for problem in told] == ["LIVE-21"]
    assert shelf.get("a") == ItemDocument(price_minor=9)
    assert shelf.get("b") is None


def test_an_attribute_that_nobody_else_has_may_change_its_type() -> None:
    shelf = bundle(item_id=["a", "b"])
    text, number = ItemDocument(attributes={"size": "7"}), ItemDocument(attributes={"size": 7.0})
    shelf.put("a", text)
    shelf.put("b", text)
    with pytest.raises(DataError):
        shelf.check("a", number)
    shelf.put("b", ItemDocument(attributes={"size": None}))
    shelf.put("a", number)
    assert shelf.matching(parse("size < 8")).tolist() == [True, False]
    shelf.delete("a")
    shelf.put("c", text)
    assert shelf.matching(parse("size = '7'")).tolist() == [False, False, True]


def test_a_batch_is_judged_one_after_the_other() -> None:
    shelf = bundle(item_id=["a"])
    batch = [(item_id, ItemDocument(attributes={"size": value})) for item_id, value in [("a", "7"), ("b", 7.0)]]
    refused = shelf.refused(batch)
    assert list(refused) == [1]
    assert refused[1][0].code == "LIVE-21"
    assert shelf.version == 0


def test_attributes_are_bounded() -> None:
    shelf = bundle(item_id=["a"], first=["x"])
    shelf.put("a", ItemDocument(attributes={f"a{n}": 1.0 for n in range(199)}))
    with pytest.raises(DataError) as caught:
        shelf.put("b", ItemDocument(attributes={"a0": 2.0, "one": 1.0, "two": 1.0}))
    assert [problem.code for problem in caught.value.problems] == ["LIVE-22", "LIVE-22"]


def test_arrays_of_a_reader_stay_valid_when_items_come() -> None:
    shelf = bundle(item_id=["a", "b"], price_minor=[5, 6], brand=["x", "y"])
    price, brand, mask = shelf.price_minor, shelf.brand_codes, shelf.matching(parse("price > 0.05"))
    for number in range(3000):
        shelf.put(f"new{number}", ItemDocument(price_minor=number, brand=f"brand {number % 7}"))
    assert (price.tolist(), brand.tolist(), mask.tolist()) == ([5, 6], [0, 1], [False, True])
    assert (shelf.rows, len(shelf.price_minor), len(shelf.parents)) == (3002, 3002, 3002)
    assert shelf.matching(parse("brand = 'brand 3'")).sum() == 429
    assert shelf.row("new2999") == 3001
    assert shelf.ids([3001, 0]) == ["new2999", "a"]
    for array in (mask, price, shelf.category_codes, shelf.parents):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_words_of_no_use_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "TIDY_EVERY", 1)
    for module in (shelf_words, shelf_lists):
        monkeypatch.setattr(module, "MOST_ADDED", 5)
        monkeypatch.setattr(module, "MOST_IN_DICT", 0)  # the way of large catalogues
    first = {item_id: ItemDocument(title=item_id, category=["all", item_id]) for item_id in IDS}
    shelf = shelf_of(first)
    for turn in range(40):
        for item_id in IDS[:3]:
            told = {"colour": f"c{turn}", "tags": [f"t{turn}", "t"]}
            shelf.put(item_id, ItemDocument(title=f"{item_id} {turn}", category=["all", f"c{turn}"], attributes=told))
    assert [shelf.get(item_id) for item_id in IDS[3:]] == [first[item_id] for item_id in IDS[3:]]
    assert shelf.get("i1") == ItemDocument(
        title="i1 39", category=["all", "c39"], attributes={"colour": "c39", "tags": ["t39", "t"]}
    )
    assert shelf.matching(parse('category = "all > c39" and colour = "c39" and tags = "t"')).sum() == 3
    assert shelf.matching(parse('title = "i7" or title = "i2 39" or title = "i2 38"')).sum() == 2
    table = shelf._table
    assert len(shelf.category_words) < 40
    assert table.own.category.end.count < 40
    assert len(table.own.title.words) < 40


def test_masks_are_kept_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_turns, "MOST_MASKS", 10)
    shelf = bundle(item_id=["a", "b"], price_minor=[5, 600])
    mask = shelf.matching(parse("price < 1"))
    assert shelf.matching(parse("price<1.0")) is mask
    for number in range(2, 20):
        shelf.matching(parse(f"price < {number}"))
        assert shelf.matching(parse("price < 1")) is mask  # in use, so it stays
    assert len(shelf._masks._kept) == 10
    shelf.put("b", ItemDocument(price_minor=7))
    assert shelf.matching(parse("price < 1")).tolist() == [True, True]
    assert mask.tolist() == [True, False]


def test_readers_beside_a_writer_see_whole_moments(often: None) -> None:
    """Every item has a price and a weight that are equal; a mask of a moment between changes never tells them apart."""
    shelf = bundle(
        item_id=[f"i{n}" for n in range(500)], price_minor=[100] * 500, weight=[1.0] * 500, brand=["b1"] * 500
    )
    equal = " or ".join(f"(price = {n} and weight = {n} and brand = 'b{n}')" for n in range(1, 10))
    wanted, faults, reads = parse(equal), list[Any](), [0]
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                rows = shelf.rows
                mask, listed, parents = shelf.matching(wanted), shelf.listable(), shelf.parents
                if len(mask) < rows or len(listed) < rows or len(parents) < rows or not mask.all():
                    faults.append((rows, len(mask), len(listed), np.flatnonzero(~mask)))
                document = shelf.get(f"i{reads[0] % 500}")
                if document is None or document.price_minor != 100 * document.attributes["weight"]:
                    faults.append(document)
                if not 0 < len(shelf.category_codes) <= shelf.rows:
                    faults.append("category_codes")
                reads[0] += 1
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    rng = np.random.default_rng(1)
    for turn in range(3000):
        number = int(rng.integers(1, 10))
        item_id = f"new{turn}" if turn % 3 == 0 else f"i{rng.integers(500)}"
        shelf.put(item_id, ItemDocument(price_minor=100 * number, brand=f"b{number}", category=[f"c{turn % 50}"],
                                        attributes={"weight": float(number)}))  # fmt: skip
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
    assert reads[0] > 10


def test_the_version_moves_once_the_change_is_there() -> None:
    shelf = bundle(item_id=["a"])
    with shelf._turns.writing, shelf._turns.change(lambda: 1):
        assert shelf.version == 0
    assert shelf.version == 1


def test_a_catalogue_must_fit_its_vocabulary() -> None:
    with pytest.raises(ValueError, match="one row for each item"):
        Shelf.of(pl.DataFrame({"item_id": ["a"]}), Vocabulary(pl.Series(["a", "b"])), 100)


def test_documents_are_stored_as_json() -> None:
    document = ItemDocument(title="x", price_minor=5, attributes={"a": 1, "b": ["x"], "c": True, "d": None})
    kept = msgspec.json.encode(document)
    assert kept == b'{"title":"x","price_minor":5,"attributes":{"a":1,"b":["x"],"c":true,"d":null}}'
    assert msgspec.json.decode(kept, type=ItemDocument) == document
