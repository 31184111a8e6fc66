"""Targets: a shop turned into one of its labels or of its people, by hand."""

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError, DataError
from paretail.core.ids import Vocabulary
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Links, Shop, Users
from paretail.graph.targets import labels_of, products_had, translated, turned


def events(*rows: tuple[str, str, str, int, float | None]) -> Events:
    """Build from (user, item, kind, time, quantity)."""
    names = ("user_id", "item_id", "kind", "ts_ms", "quantity")
    frame = pl.DataFrame(rows, {name: EVENT_COLUMNS[name] for name in names}, orient="row")
    rest = {name: pl.lit(None, dtype) for name, dtype in EVENT_COLUMNS.items() if name not in names}
    return Events(frame.with_columns(**rest).select(*EVENT_COLUMNS), "clock")


def shop(**changed: object) -> Shop:
    items = pl.DataFrame(
        {
            "item_id": ["boot", "sock", "hat", "belt"],
            "category": [["Wear", "Feet"], ["Wear", "Feet"], ["Wear", "Head"], None],
            "brand": ["acme", "acme", "zed", None],
            "colour": ["red", "red", "red", "red"],
            "tags": [["warm", "new"], ["warm"], [], None],
            "title": ["Boot", "Sock", "Hat", "Belt"],
        }
    )
    told: dict[str, object] = {
        "events": events(
            ("ann", "boot", "purchase", 5, 2.0), ("ann", "boot", "impression", 6, None),
            ("bob", "hat", "view", 7, None), ("bob", "belt", "view", 8, None), ("eve", "sock", "refund", 9, None),
        ),
        "catalogue": Catalogue(items),
        "users": Users(pl.DataFrame({"user_id": ["ann", "dan"], "title": ["Ms", "Mr"], "city": ["Ulm", "Ulm"]})),
        "links": Links(pl.DataFrame({"user_id": ["ann", "bob"], "friend_id": ["bob", "ann"]})),
    }  # fmt: skip
    return Shop(**told | changed)  # type: ignore[arg-type]


def rows(told: Events) -> list[tuple[str, str, str, int]]:
    return told.frame.select("user_id", "item_id", "kind", "ts_ms").rows()


def test_items_are_the_shop_itself() -> None:
    told = shop()
    target = turned(told, "item")
    assert target.shop is told
    assert target.tables() == {}


def test_an_event_is_one_on_each_label_of_its_item() -> None:
    target = turned(shop(), "category")
    assert rows(target.shop.events) == [
        ("ann", "Wear", "purchase", 5), ("ann", "Wear > Feet", "purchase", 5),
        ("bob", "Wear", "view", 7), ("bob", "Wear > Head", "view", 7),
        ("eve", "Wear", "refund", 9), ("eve", "Wear > Feet", "refund", 9),
    ]  # fmt: skip
    assert target.shop.events.frame["quantity"].to_list() == [2.0, 2.0, None, None, None, None]
    assert target.shop.events.time == "clock"


def test_a_category_lies_in_the_one_above_it() -> None:
    graph = turned(shop(), "category").graph()
    assert graph.nodes["item"].ids.to_list() == ["Wear", "Wear > Feet", "Wear > Head"]
    assert graph.edges["item", "in", "category"].matrix().toarray().ravel().tolist() == [0, 1, 1]
    assert graph.nodes["user"].ids.to_list() == ["ann", "bob", "dan", "eve"]


@pytest.mark.parametrize(("target", "ids"), [("brand", ["acme", "zed"]), ("tags", ["new", "warm"])])
def test_brands_and_attributes_are_labels_too(target: str, ids: list[str]) -> None:
    turned_shop = turned(shop(), target)
    assert turned_shop.shop.catalogue.frame["item_id"].to_list() == ids
    assert turned_shop.tables()["labels"].columns == ["item_id", "label"]


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no target 'catgory'.*did you mean 'category'\?.*TRGT-01"):
        turned(shop(), "catgory")
    with pytest.raises(ConfigError, match=r"no target 'title'.*one of brand, category, colour, item, tags, user"):
        turned(shop(), "title")


def test_one_label_is_nothing_to_choose_from() -> None:
    with pytest.raises(DataError, match=r"all items together carry 1 label\. .*TRGT-02"):
        turned(shop(), "colour")
    nothing = Catalogue(pl.DataFrame({"item_id": ["boot"], "tags": [[]]}, {"item_id": pl.String, "tags": pl.List(str)}))
    with pytest.raises(DataError, match=r"carry 0 labels"):
        turned(shop(catalogue=nothing), "tags")


def test_people_are_tied_to_their_friends_and_to_themselves_once() -> None:
    target = turned(shop(), "user")
    assert sorted(rows(target.shop.events)) == [
        ("ann", "ann", "self", 0), ("ann", "bob", "friend", 0), ("bob", "ann", "friend", 0), ("bob", "bob", "self", 0),
        ("dan", "dan", "self", 0), ("eve", "eve", "self", 0),
    ]  # fmt: skip
    graph = target.graph()
    assert graph.nodes["item"].ids.to_list() == graph.nodes["user"].ids.to_list() == ["ann", "bob", "dan", "eve"]
    assert "user" not in graph.history.about
    assert graph.nodes["city"].ids.to_list() == ["Ulm"]
    assert "title_of_user" in graph.tables["item"].columns


def test_where_lists_hold_people_the_items_say_who_is_like_whom() -> None:
    graph = turned(shop(), "user").graph()
    assert graph.nodes["product"].ids.to_list() == ["belt", "boot", "hat", "sock"]
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 0], expected[1, 2] = np.log2(3), 1, 1  # neither what was shown nor what was taken back
    np.testing.assert_allclose(graph.history.about["product"].toarray(), expected, rtol=1e-6)


def test_quantities_of_one_product_are_added_up_before_their_logarithm() -> None:
    told = events(("ann", "boot", "purchase", 1, 3.0), ("ann", "boot", "view", 2, None), ("x", "boot", "view", 3, None))
    had = products_had(told, Vocabulary(pl.Series(["ann"])), Vocabulary(pl.Series(["boot"])))
    np.testing.assert_allclose(had.matrix().toarray(), [[np.log2(5)]])


def test_a_shop_without_links_has_no_people_to_list() -> None:
    links = Links(pl.DataFrame(schema={"user_id": pl.String, "friend_id": pl.String}))
    with pytest.raises(DataError, match=r"no links.*TRGT-03"):
        turned(shop(links=links), "user")


def test_translation_leaves_out_what_has_no_label() -> None:
    labels = labels_of(shop().catalogue, "brand")
    assert rows(translated(events(("ann", "belt", "view", 1, None), ("ann", "new", "view", 1, None)), labels)) == []
