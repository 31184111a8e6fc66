"""Ways of a trained shop: counts as in its events, words, whom they do not tell of."""

import time
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import polars as pl
import pytest

from paretail.graph.paths import Path
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.regraph import graph_in
from paretail.pipeline.ways import MOST, Ways

from ..trained import DemoShop


@pytest.fixture(scope="module")
def loaded(shop: DemoShop) -> Recommender:
    return Recommender.load(shop.bundle)


def test_counts_are_those_of_the_events(loaded: Recommender) -> None:
    history, ways, kinds = loaded.history, Ways(loaded), set()
    done = {*zip(history.user_idx.tolist(), history.item_idx.tolist(), history.kind.tolist(), strict=True)}
    wanted = history.kinds.index("purchase")
    for user in range(0, history.users, 30):
        told = history.of_users(np.array([user]))
        rows = loaded.recommend(told, 8, ["none"]).item_idx[0]
        for item, found in zip(rows.tolist(), ways.to(rows, told, user), strict=True):
            assert len(found) <= MOST
            assert not found or (user, item, wanted) not in done
            for path in found:
                kinds.add(path.kind)
                if path.kind == "item":
                    kind = history.kinds.index(str(path.did))
                    others = {u for u in range(history.users) if u != user and (u, path.row, kind) in done}
                    assert (user, path.row, kind) in done
                    assert path.out_of == len(others)
                    assert path.count == len({u for u in others if (u, item, wanted) in done})
                    assert f": {path.count} other" in ways.in_words(path)
                if path.kind == "label":
                    assert_own(loaded, item, *ways.label(path))
    assert kinds == {"item", "label"}


def assert_own(loaded: Recommender, item: int, column: str, value: str) -> None:
    """Check that the catalogue says this of the item; of categories it is any level's path."""
    said = loaded.catalogue[column][item]
    assert value in ([said] if isinstance(said, str) else [" > ".join(said[: at + 1]) for at in range(len(said))])


def test_labels_have_their_own_names_where_an_update_kept_rows(loaded: Recommender) -> None:
    """Values known before keep their rows and new ones come behind, in no sorted order."""
    updated, rows = copy(loaded), np.arange(len(loaded.items), dtype=np.int32)
    brands = loaded.catalogue["brand"].drop_nulls().unique().sort(descending=True)
    updated.known_nodes = pl.DataFrame({"type": "brand", "id": ["Gone", *brands]})
    ways, told = Ways(updated), loaded.history.of_users(np.array([0]))
    labels = [(item, *ways.label(path)) for item, found in enumerate(ways.to(rows, told, 0)) for path in found
              if path.kind == "label"]  # fmt: skip
    assert {column for _, column, _ in labels} >= {"brand"}
    for item, column, value in labels:
        assert_own(updated, item, column, value)


def test_many_who_ask_first_build_one_index(loaded: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    built, somebody = list[int](), loaded.history.of_users(np.array([0]))

    def slow(bundle: Recommender) -> ShopGraph:
        built.append(1)
        time.sleep(0.05)
        return graph_in(bundle)

    monkeypatch.setattr("paretail.pipeline.ways.graph_in", slow)
    ways = Ways(loaded)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: ways.to(np.array([1], np.int32), somebody, 0), range(4)))
    assert (len(built), told) == (1, [told[0]] * 4)


def test_nobody_and_unknown_items_have_no_way(loaded: Recommender) -> None:
    nobody = loaded.history.of_users(np.array([0])).where(np.zeros(int(np.diff(loaded.history.indptr)[0]), bool))
    assert Ways(loaded).to(np.array([0, 1], np.int32), nobody, -1) == [[], []]
    somebody = loaded.history.of_users(np.array([0]))
    assert Ways(loaded).to(np.array([len(loaded.items) + 3], np.int32), somebody, 0) == [[]]


def test_friends_are_counted_and_not_named(loaded: Recommender) -> None:
    way = Path("friend", "user", 3, "friend", None, 2, 5, 1.0)
    assert Ways(loaded).in_words(way) == "2 of your 5 friends bought this"
