"""The trade-off report of a training: its page and JSON, what is printed, and when it is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.progress import silent
from paretail.graph.targets import turned
from paretail.pipeline import train
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.sweep_page import lines, page
from paretail.pipeline.sweep_page import shown as short
from paretail.pipeline.sweeping import swept, write_sweep
from paretail.rank import RankError
from paretail.rank.config import RankConfig
from paretail.rank.tradeoff import Tradeoff, Tried

from ..rank.world import world
from ..trained import DemoShop, paretail

ABOUT = {"judged": 1500, "learned": 4500, "epochs": 12, "users": 77, "of": 60_000, "control": 0.214,
         "balance": "weighted", "balance_settings": {}}  # fmt: skip


def tried(name: str, click: float, buy: float, weight: float | None = None) -> Tried:
    kind: Any = "method" if weight is None else "weighted"
    settings = {} if weight is None else {"weights": {"click": weight, "buy": 1 - weight}}
    shares = {"click": np.array([0.4 - click]), "buy": np.array([0.8 - buy])}
    return Tried(name, kind, name if weight is None else "weighted", settings, shares, weight, 1.25)


def found() -> Tradeoff:
    points = [
        tried("weighted 0.00", -0.1, 0.04, 0.0),
        tried("weighted 0.50", 0.01, 0.02, 0.5),
        tried("weighted 1.00", 0.02, -0.3, 1.0),
    ]
    methods = [
        tried("nash", 0.02, 0.04),
        tried("m:<Own>", 0.0, 0.0),
        Tried("mgda", "method", "mgda", {}, {}, failed="loss & all"),
    ]
    single = Tried("single-task", "weighted", "weighted", {}, {"click": np.array([0.4]), "buy": np.array([0.8])})
    return Tradeoff.of(single, [*points, *methods], ("click",), ABOUT, ("the task `cart` is left out",))


def test_the_words_name_the_choice_and_its_reason() -> None:
    told = "\n".join(lines(found()))
    assert "Chosen: nash, since its Δm is" in told
    assert 'balance = "nash", balance_settings = {}' in told
    assert "1,500 newer impressions after learning from 4,500 older ones in 12 epochs, of 77 random users" in told
    assert "mgda failed: loss & all" in told
    assert "over clicks finds 21 % of the revenue" in told
    assert "the task `cart` is left out" in told
    assert [row.name for row in short(found())] == ["nash", "weighted 0.50", "m:<Own>"]


def test_a_space_that_is_chosen_is_a_setting_of_its_own() -> None:
    made = found()
    rows = tuple(replace(row, kind="space") if row.name == "nash" else row for row in made.rows)
    assert 'To train with it: [rank] space = "nash"' in lines(replace(made, rows=rows))


@pytest.mark.parametrize(
    ("balance", "settings", "as_it_is"),
    [("weighted", {}, True), ("weighted", {"weights": {"click": 1.0}}, True), ("nash", {}, False),
     ("weighted", {"weights": {"click": 0.5}}, False)],
)  # fmt: skip
def test_nothing_is_to_be_changed_where_that_is_what_the_shop_has(
    balance: str, settings: dict[str, Any], *, as_it_is: bool
) -> None:
    made = found()
    even = replace(made.row("weighted 0.50"), settings={"weights": {"click": 1.0, "buy": 1.0}})
    about = {**ABOUT, "balance": balance, "balance_settings": settings}
    told = "\n".join(lines(replace(made, rows=(even,), chosen="weighted 0.50", about=about)))
    assert ("nothing is to be changed" in told) is as_it_is
    assert ('balance = "weighted", balance_settings = {weights = {click = 1, buy = 1}}' in told) is not as_it_is


def test_a_space_is_told_with_the_balance_that_it_was_tried_with() -> None:
    made = found()
    rows = tuple(replace(row, kind="space") if row.name == "nash" else row for row in made.rows)
    told = "\n".join(lines(replace(made, rows=rows, about={**ABOUT, "balance": "upgrad"})))
    assert 'space = "nash", balance = "weighted", balance_settings = {}' in told


def test_the_page_draws_everything_and_escapes_it() -> None:
    told = page("v1", found())
    assert told.count("<circle") == 3
    assert told.count("<rect") == 2
    assert "m:&lt;Own&gt;" in told
    assert "<Own>" not in told
    assert "http" not in told.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert told.count("<td>weighted 0.50</td>") == 1 + sum(row.dominated_by == "weighted 0.50" for row in found().rows)
    assert "mgda failed: loss &amp; all" in told


def test_both_controls_have_their_numbers() -> None:
    made = found()
    row = made.row("nash")
    esmm = replace(row, name="esmm", kind="space", losses={"click": 0.4, "purchase": 0.51}, correlation=0.1234)
    rows = (*(replace(one, losses={"click": 0.4, "purchase": 0.45}, correlation=0.2) for one in made.rows), esmm)
    told = page("v1", replace(made, rows=rows))
    assert "least squares on log(1 + value) over clicks finds 21 % of the revenue" in told
    assert (
        "correlates 0.123 with what followed the newer clicks, log-loss 0.5100; of what is chosen 0.200, 0.4500" in told
    )


def test_the_covariance_of_what_was_chosen_is_on_the_page_where_it_is_learned() -> None:
    made = found()
    assert "Covariance" not in page("v1", made)
    rows = tuple(replace(row, covariance=[[0.7, 0.21], [0.21, 0.3]]) if row.name == "nash" else row
                 for row in made.rows)  # fmt: skip
    told = page("v1", replace(made, rows=rows)).split("Covariance of tasks")[1]
    assert "Learned with nash" in told
    assert [told.count(f">{number}</td>") for number in ("0.700", "0.210", "0.300")] == [1, 2, 1]


def test_a_version_has_a_page_and_json(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, "v7", found())
    assert path == tmp_path / "reports" / "v7-sweep.html"
    told = json.loads((tmp_path / "reports" / "v7-sweep.json").read_text())
    assert (told["chosen"], told["plain"], told["tuned"]) == ("nash", "weighted 0.50", "weighted 0.50")
    assert told["rows"][3]["delta_m"] == pytest.approx(0.05)


def test_what_is_no_number_is_never_written(tmp_path: Path) -> None:
    """What cannot be told is null in the JSON, and not on the page; JSON has no NaN."""
    made = found()
    esmm = replace(made.row("nash"), name="esmm", kind="space")
    rows = (*made.rows, replace(esmm, correlation=None))
    path = write_sweep(tmp_path, "v8", replace(made, rows=rows))
    assert json.loads(path.with_suffix(".json").read_text())["rows"][-1]["correlation"] is None
    assert "A control of purchases" not in path.read_text()
    path = write_sweep(tmp_path, "v9", replace(made, rows=(*made.rows, replace(esmm, cost=float("nan")))))
    assert json.loads(path.with_suffix(".json").read_text())["rows"][-1]["cost"] is None


def test_training_writes_it_and_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    asked = []
    monkeypatch.setattr("paretail.rank.learned.sweep.sweep", lambda *given: asked.append(given) or found())
    shop = world(users=40, items=20, requests=300).shop
    config = ShopConfig.parse({
        "data": {"events": "x.csv"}, "model": {"name": "popular"}, "rank": {"epochs": 1, "sweep": {"points": 5}},
    })  # fmt: skip
    done = train.train_shop(shop, config, tmp_path / "b", sweep=True, budget_seconds=1, seed=3)
    assert done.sweep is not None
    assert done.sweep.name == f"{done.version}-sweep.html"
    assert done.tradeoff is not None
    assert done.tradeoff.chosen == "nash"
    assert asked[0][2].sweep.points == 5
    assert asked[0][3] == 3


@pytest.mark.parametrize(
    ("settings", "shown", "found"),
    [({"enabled": False}, True, "enabled = false"), ({}, False, "no event of the kind 'impression'")],
)
def test_without_a_ranker_it_is_refused(settings: dict[str, Any], shown: bool, found: str) -> None:
    shop = world(users=40, items=20, requests=300).shop
    if not shown:
        shop = replace(
            shop, events=replace(shop.events, frame=shop.events.frame.filter(pl.col("kind") != "impression"))
        )
    target = turned(shop, "item")
    with pytest.raises(RankError, match=rf"{found}.*RANK-09"):
        swept(target, target.graph(), RankConfig.parse(settings), 0, silent)


def test_refused_from_the_shell_nothing_is_published(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    done = paretail("train", "--config", config, "--out", tmp_path / "b", "--sweep")
    assert done.code == 1
    assert "RANK-09" in done.err
    assert not (tmp_path / "b").exists()
