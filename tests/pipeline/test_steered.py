"""`recommend --goals` and `--settings`: slates for goals to a file."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.bundle import Bundle, Draft, publish
from paretail.pipeline.live.bodies import RecommendRequest
from paretail.pipeline.live.shop import LiveShop

from ..trained import DemoShop, paretail

pytest.importorskip("torch")


def _slates(shop: DemoShop, out: Path, *more: object) -> pl.DataFrame:
    done = paretail("recommend", "--bundle", shop.bundle, "-k", 6, "--out", out, *more)
    assert done.code == 0, done.err
    return pl.read_parquet(out)


def test_a_file_of_settings_gives_slates_of_each(shop: DemoShop, tmp_path: Path) -> None:
    lines = ["diversity=0.0", "diversity=1.0", "maximise=coverage,clicks>=-10%"]
    file = tmp_path / "settings.txt"
    file.write_text("# what the spring sale may look like\n\n" + "\n".join(lines) + "\n")
    told = _slates(shop, tmp_path / "slates.parquet", "--settings", file)
    assert told["setting"].unique(maintain_order=True).to_list() == lines
    sizes = told.group_by("setting", "user_id").agg(pl.col("item_id").n_unique(), pl.col("rank").sort())
    assert (sizes["item_id"] == 6).all()
    pulled = {line: told.filter(pl.col("setting") == line)["pulled_by"] for line in lines}
    assert pulled[lines[0]].is_in(["clicks", "purchases", "revenue"]).all()
    assert (pulled[lines[1]] == "diversity").mean() > 0.4
    assert sizes["rank"].to_list() == [list(range(1, 7))] * sizes.height
    shown = told.group_by("setting", maintain_order=True).agg(pl.col("item_id").n_unique())["item_id"].to_list()
    assert shown[2] > shown[0]


def test_nothing_out_of_stock_is_in_a_slate(shop: DemoShop, tmp_path: Path) -> None:
    told = _slates(shop, tmp_path / "slates.parquet", "--goals", "clicks=1")
    items = pl.read_csv(shop.folder / "items.csv")
    gone = set(items.filter(~pl.col("in_stock"))["sku"])
    assert gone
    assert not gone & set(told["item_id"])


def test_the_forecast_of_each_setting_is_told(shop: DemoShop, tmp_path: Path) -> None:
    out = tmp_path / "slates.parquet"
    done = paretail("recommend", "--bundle", shop.bundle, "--goals", "diversity=0.5", "-k", 6, "--out", out, "--json")
    told = json.loads(done.out)["settings"][1]
    assert told["setting"] == "diversity=0.5"
    assert 0 < told["expected"]["diversity"] <= 1
    assert told["segments"]["heavy"]["shares"]["diversity"] == pytest.approx(0.5, abs=0.05)
    seen = paretail("recommend", "--bundle", shop.bundle, "--goals", "diversity=0.5", "-k", 6, "--out", out)
    front = told["segments"]["heavy"]["front"]
    assert front["beaten_by"] < front["measured"]
    assert "A point more of diversity" in front["told"]
    assert "users): " in seen.out


def _by_both(bundle: Path, question: dict[str, Any], folder: Path) -> list[list[str]]:
    """Return a user's slate as the command line and as the live shop make it."""
    (folder / "rules.json").write_text(json.dumps(question["slate"]))
    asked = (
        "--users",
        question["user_id"],
        "-k",
        question["k"],
        "--goals",
        "clicks=0.6,diversity=0.3",
        "--exclude",
        "none",
    )
    more = ("--slate", folder / "rules.json", "--filter", question["filter"], "--out", folder / "o.parquet")
    done = paretail("recommend", "--bundle", bundle, *asked, *more)
    assert done.code == 0, done.err
    goals = {"dial": {"clicks": 0.6, "diversity": 0.3}}
    live = msgspec.convert(question | {"exclude": ["none"], "goals": goals}, RecommendRequest)
    with closing(EmbeddedStore.open(folder / "store")) as store, LiveShop.open(bundle, store) as shop:
        answer = shop.recommend(live)
        assert answer.degraded == []
        assert answer.goals is not None
        assert ("cannot keep" in done.out) == bool(answer.goals.broken)
        return [pl.read_parquet(folder / "o.parquet")["item_id"].to_list(), [line.item_id for line in answer.items]]


def test_rules_hold_offline_as_they_do_live(shop: DemoShop, tmp_path: Path) -> None:
    items = pl.read_csv(shop.folder / "items.csv")
    brand, pinned = items["brand"].drop_nulls().mode().sort()[0], items.filter(pl.col("in_stock"))["sku"][40]
    gone = items.filter(~pl.col("in_stock"))["sku"][0]
    pins = [{"item_id": gone, "rank": 1}, {"item_id": pinned, "rank": 2}]
    slate = {"pins": pins, "caps": [{"by": "category", "most": 2}],
             "quotas": [{"filter": f"brand == '{brand}'", "least": 2}, {"filter": "price < 0", "least": 1}],
             "boosts": [{"filter": "price >= 50", "factor": 3.0}]}  # fmt: skip
    question = {"user_id": "u00000007", "k": 6, "slate": slate, "filter": "price >= 10"}
    offline, live = _by_both(shop.bundle, question, tmp_path)
    assert offline == live
    assert offline[1] == pinned
    assert gone not in offline
    held = items.filter(pl.col("sku").is_in(offline))
    assert (held["price"] >= 10).all()
    assert (held["brand"] == brand).sum() >= 2
    assert held.group_by("category").len()["len"].max() <= 2  # type: ignore[operator]


def test_variants_of_a_product_share_one_line_offline_as_they_do_live(shop: DemoShop, tmp_path: Path) -> None:
    loaded = Bundle.load(shop.bundle)
    items = loaded.tables["items"]
    parents = pl.Series([f"group {row // 4}" for row in range(items.height)])
    told, kept = loaded.manifest, {"items": items.with_columns(parent_id=parents)}
    draft = Draft(told.config, told.data_fingerprint, told.metrics, told.facts,
                  {name: dict(group) for name, group in loaded.arrays.items()}, dict(loaded.tables) | kept)  # fmt: skip
    publish(draft, tmp_path / "variants")
    question = {"user_id": "u00000007", "k": 8, "slate": {}, "filter": "price >= 0"}
    offline, live = _by_both(tmp_path / "variants", question, tmp_path)
    assert offline == live
    groups = dict(zip(items["item_id"], parents, strict=True))
    assert len({groups[item] for item in offline}) == len(offline) == 8


def test_rules_alone_serve_the_base(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text('{"caps": [{"by": "category", "most": 1}]}')
    told = _slates(shop, tmp_path / "slates.parquet", "--slate", tmp_path / "rules.json", "--users", "u00000007")
    assert told["setting"].to_list() == ["today"] * told.height
    for text in ('{"caps": [{"by": "colour of the sky", "most": 1}]}', '{"cap": []}', "["):
        (tmp_path / "rules.json").write_text(text)
        done = paretail(
            "recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.csv", "--slate", tmp_path / "rules.json"
        )
        assert done.code != 0
        assert ("POL-02" if "colour" in text else "CLI-31") in done.err


@pytest.mark.parametrize(("more", "code"), [
    (("--goals", "revenu=0.5"), "POL-01"), (("--goals", "clicks=2"), "POL-03"),
    (("--goals", "clicks=1", "--order", "value"), "CLI-26"),
])  # fmt: skip
def test_what_cannot_be_followed_writes_nothing(
    shop: DemoShop, tmp_path: Path, more: tuple[str, ...], code: str
) -> None:
    out = tmp_path / "slates.parquet"
    done = paretail("recommend", "--bundle", shop.bundle, "--out", out, *more)
    assert done.code != 0
    assert code in done.err
    assert not out.exists()


def test_all_lines_that_cannot_be_read_are_named(shop: DemoShop, tmp_path: Path) -> None:
    file = tmp_path / "settings.txt"
    file.write_text("clicks=0.5\nclicks=5\nmuch\n")
    done = paretail("recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.parquet", "--settings", file)
    assert "line 2" in done.err
    assert "line 3" in done.err
    file.write_text("clicks=0.5\nrevenu=0.5\npreset=sping\n")
    done = paretail("recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.parquet", "--settings", file)
    assert "revenu=0.5: " in done.err
    assert "preset=sping: " in done.err
    file.write_text("# nothing\n")
    done = paretail("recommend", "--bundle", shop.bundle, "--out", tmp_path / "o.parquet", "--settings", file)
    assert "POL-07" in done.err
