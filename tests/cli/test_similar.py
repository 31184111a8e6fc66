"""`paretail similar` writes related items with their figures."""

import json
from pathlib import Path

import polars as pl
import pytest

from ..trained import DemoShop, paretail

COLUMNS = ["item_id", "rank", "similar_item_id", "score", "support", "confidence", "lift"]
RELATIONS = ["similar", "also-bought", "together", "alternative"]


def related(shop: DemoShop, out: Path, *arguments: object) -> pl.DataFrame:
    done = paretail("similar", "--bundle", shop.bundle, "--out", out, *arguments)
    assert done.code == 0, done.err
    return pl.read_parquet(out) if out.suffix == ".parquet" else pl.read_csv(out)


@pytest.mark.parametrize("relation", RELATIONS)
def test_columns_ranks_and_figures(shop: DemoShop, tmp_path: Path, relation: str) -> None:
    table = related(shop, tmp_path / "s.parquet", "--relation", relation, "-k", 5)
    assert table.columns == COLUMNS
    assert table.height > 0
    ranks = table.group_by("item_id", maintain_order=True).agg("rank")["rank"].to_list()
    assert all(found == list(range(1, len(found) + 1)) and len(found) <= 5 for found in ranks)
    falls = table.select(pl.col("score").diff().over("item_id")).to_series().drop_nulls()
    assert (falls <= 0).all()
    assert table.select(pl.col("support", "confidence").is_between(0, 1).all()).row(0) == (True, True)
    assert (table["lift"] > 0).all()
    assert table.filter(pl.col("item_id") == pl.col("similar_item_id")).is_empty()


def test_similar_is_the_default_and_differs_from_the_others(shop: DemoShop, tmp_path: Path) -> None:
    tables = {relation: related(shop, tmp_path / "s.csv", "--relation", relation) for relation in RELATIONS}
    assert related(shop, tmp_path / "s.csv").equals(tables["similar"])
    assert len({str(table.head(50).rows()) for table in tables.values()}) == 4


def test_some_items_and_one(shop: DemoShop, tmp_path: Path) -> None:
    every = related(shop, tmp_path / "s.csv", "-k", 3)
    assert set(every["item_id"]) <= set(pl.read_csv(shop.folder / "items.csv")["sku"])
    assert related(shop, tmp_path / "s.csv", "-k", 3, "--items", "i00000005").equals(every.filter(item_id="i00000005"))
    (tmp_path / "i.txt").write_text("i00000005\ni00000001\n")
    some = related(shop, tmp_path / "s.csv", "-k", 3, "--items", tmp_path / "i.txt")
    assert some["item_id"].unique(maintain_order=True).to_list() == ["i00000005", "i00000001"]


def test_a_summary(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "i.txt").write_text("i00000005\nwhat\n")
    ask = ["similar", "--bundle", shop.bundle, "--items", tmp_path / "i.txt", "--out", tmp_path / "s.csv"]
    told = json.loads(paretail(*ask, "--json").out)
    assert (told["items"], told["unknown"], told["file"]) == (2, 1, str(tmp_path / "s.csv"))
    assert "2 items, 1 of them unknown" in paretail(*ask).out
