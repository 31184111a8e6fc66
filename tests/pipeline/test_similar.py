"""Related items are written for all items, some, or one."""

from pathlib import Path

import polars as pl
import pytest

from paretail.core.errors import DataError, UsageError
from paretail.pipeline.similar import similar_to_file

from ..trained import DemoShop

COLUMNS = ["item_id", "rank", "similar_item_id", "score", "support", "confidence", "lift"]


def test_some_items_and_how_many_are_unknown(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("sku\ni00000007\nwhat\ni00000003\n")
    out = tmp_path / "a.parquet"
    told = similar_to_file(shop.bundle, str(tmp_path / "items.csv"), out, "similar", 4)
    table = pl.read_parquet(out)
    assert table.columns == COLUMNS
    assert table["item_id"].to_list() == ["i00000007"] * 4 + ["i00000003"] * 4
    assert table["rank"].to_list() == [1, 2, 3, 4] * 2
    assert (told["items"], told["unknown"], told["rows"]) == (3, 1, 8)


def test_only_unknown_items(shop: DemoShop, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 1 items is known.*CLI-15"):
        similar_to_file(shop.bundle, "what", tmp_path / "a.csv", "similar")
    assert not list(tmp_path.iterdir())


def test_an_unknown_relation(shop: DemoShop, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'alsobought' is no relation.*also-bought.*RETR-04"):
        similar_to_file(shop.bundle, "all", tmp_path / "a.csv", "alsobought")
