"""A text encoder is asked once for each text; what is missing or wrong is told. The library here is one of ours."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError, DataError, MissingExtraError
from paretail.core.ids import Vocabulary
from paretail.data.types import Catalogue, Events, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.config import ModelConfig
from paretail.pipeline.train import check_model
from paretail.retrieve import encoder
from paretail.retrieve.content import content_blocks
from paretail.retrieve.models.content import Content, ContentConfig
from paretail.sim.planted import planted

#: Knows what `mug` and `cup` have in common; a folder called `broken` holds a model that returns NaN.
LIBRARY = """
import numpy as np
MEANING = {"cup": [1, 0], "mug": [1, 0], "pot": [0, 1]}
asked = []
class SentenceTransformer:
    def __init__(self, path, local_files_only=False):
        assert local_files_only
        self.broken = path.endswith("broken")
    def encode(self, texts, convert_to_numpy, show_progress_bar):
        asked.extend(texts)
        rows = [np.sum([MEANING.get(word, [0, 0]) for word in text.split()], axis=0) for text in texts]
        return np.array(rows, np.float64) * (np.nan if self.broken else 1)
"""
TITLES = ["red cup", None, "blue mug", "big pot", " ", "red cup", "old pot"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a model's folder, with the library on the path."""
    (tmp_path / "sentence_transformers.py").write_text(LIBRARY)
    (tmp_path / "model").mkdir()
    (tmp_path / "broken").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    encoder._vectors.cache_clear()
    yield tmp_path / "model"
    sys.modules.pop("sentence_transformers", None)
    encoder._vectors.cache_clear()


def test_each_text_is_asked_once_and_nothing_is_zeros(folder: Path) -> None:
    found = encoder.encoded(pl.Series(TITLES), str(folder))
    assert found.tolist() == [[1, 0], [0, 0], [1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    encoder.encoded(pl.Series(TITLES), str(folder))
    assert sys.modules["sentence_transformers"].asked == ["red cup", "blue mug", "big pot", "old pot"]
    assert encoder.encoded(pl.Series([None, ""], dtype=pl.String), str(folder)).shape == (2, 0)


def test_a_block_of_meaning_stands_beside_the_words(folder: Path) -> None:
    ids = pl.Series([f"i{row}" for row in range(len(TITLES))])
    shop = Shop(planted(5, 20, 3).shop.events, Catalogue(pl.DataFrame({"item_id": ids, "title": TITLES})))
    graph = ShopGraph.build(shop, shop.user_vocabulary(), Vocabulary(ids))
    blocks = content_blocks(graph, str(folder))
    assert set(blocks) == {"title", "title encoded"}
    assert set(content_blocks(graph)) == {"title"}
    np.testing.assert_array_equal(blocks["title encoded"][0], blocks["title encoded"][2])
    assert not blocks["title encoded"][1].any()


def test_new_items_are_ranked_by_what_their_titles_mean(folder: Path) -> None:
    """Titles say the side of an item's first taste in words that are each of one item: only their meaning recurs."""
    world = planted(400, 120, 20, 1)
    side = np.linalg.svd(world.oracle - world.oracle.mean(axis=0), full_matrices=False)[2][0] > 0
    titles = [f"{'mug' if one else 'pot'} n{row}" for row, one in enumerate(side)]
    ids = world.shop.catalogue.frame["item_id"]
    events = world.shop.events.frame.filter(~pl.col("item_id").is_in(ids.tail(20).implode()))
    shop = Shop(Events(events, "clock"), Catalogue(pl.DataFrame({"item_id": ids, "title": titles})))
    graph = ShopGraph.build(shop, world.shop.user_vocabulary(), Vocabulary(ids))
    config = ContentConfig(dim=8, alpha=1.0, text_encoder=str(folder))
    scores = Content.fit(graph, config, 0).score(graph.history)[:, -20:]
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(scores, world.oracle[:, -20:], strict=True)]
    assert np.mean(alike) > 0.25


def test_a_network_reads_meaning_beside_words(folder: Path) -> None:
    pytest.importorskip("torch")
    from paretail.retrieve.models import model
    from paretail.retrieve.net import training

    shop = planted(5, len(TITLES), 3).shop
    items = shop.catalogue.frame.head(len(TITLES)).with_columns(title=pl.Series(TITLES))
    graph = ShopGraph.build(replace(shop, catalogue=Catalogue(items)), shop.user_vocabulary(), shop.item_vocabulary())
    sage = model("sage").config_type
    for more, columns in (({}, {"title"}), ({"text_encoder": str(folder)}, {"title", "title encoded"})):
        spec: Any = sage.parse({"dim": 4, "content": True, **more})
        network = training.network_of(graph, spec, training.pairs_of(graph, spec), 0)
        assert set(network.wiring.content) == columns


def test_no_folder_is_told_before_the_data_are_read(tmp_path: Path) -> None:
    told = r"text_encoder = '.*none' is no folder\. The folder of a sentence.*Correct the path.*CONT-01"
    with pytest.raises(ConfigError, match=told):
        encoder.encoded(pl.Series(["cup"]), str(tmp_path / "none"))
    none = {"text_encoder": str(tmp_path / "none")}
    for name, settings in (
        ("content", none), ("hybrid", {"members": {"blend": {}, "content": none}}),
        ("auto", {"candidates": {"content": none}}), ("sage", {"content": True, **none}),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match="CONT-01"):
            check_model(ModelConfig(name=name, settings=settings))
    with pytest.raises(ConfigError, match="or content = true"):
        check_model(ModelConfig(name="sage", settings=none))


def test_no_library_is_told_with_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"cannot be imported.*pip install sentence-transformers.*CONT-02"):
        encoder.encoded(pl.Series(["cup"]), str(folder))


def test_vectors_that_are_none_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 1 vectors with NaN.*A finite vector.*CONT-03"):
        encoder.encoded(pl.Series(["cup"]), str(folder.parent / "broken"))
    with pytest.raises(DataError, match=r"shape \(2,\) for 1 texts.*CONT-03"):
        encoder._checked(np.zeros(2, np.float32), 1, "x")
