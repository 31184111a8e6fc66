"""The page of a training says what the bundle says: choice, weights, curves; ids and words are escaped."""

import re
from pathlib import Path
from typing import Any

import pytest

from paretail.pipeline.training_page import LEGEND, page, write_page

from ..trained import DemoShop, paretail

FACTS: dict[str, Any] = {
    "model": "hybrid", "target": "purchase", "repeat": False, "lists": "item", "events": 1234, "users": 5, "items": 6,
    "figure": "NDCG@20 0.1", "remarks": ["Chosen: <hybrid>"], "run": None,
    "settings": {"dim": 8, "modes": {"all": {
        "segments": [{"blend": 0.5, "none": 0.0}, {"blend": 1.0}, {"blend": 2.0}, {"lightgcn": 1.5}],
    }}},
}  # fmt: skip


def test_the_weights_of_each_segment_stand_in_their_columns() -> None:
    told = page("v1", FACTS)
    rows = dict(re.findall(r"<tr><td>(\w+)</td>((?:<td style.*?</td><td>[\d.]+</td>)+)</tr>", told))
    assert {name: re.findall(r"<td>([\d.]+)</td>", row) for name, row in rows.items()} == {
        "blend": ["0.50", "1.00", "2.00", "0.00"], "lightgcn": ["0.00", "0.00", "0.00", "1.50"],
    }  # fmt: skip
    assert re.findall(r'<div style="width:(\d+)%">', rows["blend"]) == ["25", "50", "100", "0"]
    assert "Chosen: &lt;hybrid&gt;" in told
    assert "dim = 8" in told


def test_signals_are_told_how_to_be_read() -> None:
    """Where there are any: a hybrid's members have names of their own."""
    blend = FACTS | {"lists": "category", "settings": {"modes": {"all": {"theta": {"co all|kind view": 1.8}}}}}
    assert LEGEND in page("v1", blend)
    assert "<td>Lists are of</td><td>6 categories</td>" in page("v1", blend)
    assert "6 values of colour" in page("v1", blend | {"lists": "colour"})
    assert LEGEND not in page("v1", FACTS)


def test_an_update_names_its_parents(tmp_path: Path) -> None:
    path = write_page(tmp_path, "v2", FACTS | {"parent": "v1", "trained": "v0"})
    assert path == tmp_path / "reports" / "v2.html"
    assert "<tr><td>Parent</td><td>v1</td></tr><tr><td>Trained</td><td>v0</td></tr>" in path.read_text()


def test_curves_are_drawn_for_each_that_was_trained() -> None:
    pytest.importorskip("torch")
    from paretail.learn.curves import Epoch, Run

    run = Run((Epoch(1, 10, 2.0, 0.1, 1.0, 0.3), Epoch(2, 10, 1.0, 0.1, 1.0, 0.4)), 2, 0.4, "epochs", 20, 2.0).to_json()
    assert page("v", FACTS | {"run": run}).count("<svg") == 1
    both = page("v", FACTS | {"run": {"lightgcn": run, "sequence": run}})
    assert (both.count("<svg"), "Training on all events (sequence)" in both) == (2, True)


def test_training_says_where_it_is(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml", "blend")
    done = paretail("train", "--config", config, "--out", tmp_path / "b", "--budget", "1s")
    (path,) = (tmp_path / "b" / "reports").iterdir()
    assert f"Why, with weights and curves: {path}" in done.out
    assert "Weights where lists leave out" in path.read_text()
