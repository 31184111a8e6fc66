"""`paretail predict` over a shop whose log tells what was shown: from its files to a file of predictions."""

from pathlib import Path

import polars as pl
import pytest

from ..rank.world import World, world
from ..trained import paretail, written

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def planted() -> World:
    return world(users=60, items=30, requests=1500)


@pytest.fixture(scope="module")
def folder(planted: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the shop's tables, shop.toml, a bundle and one without a ranker."""
    where = tmp_path_factory.mktemp("ranked")
    text = written(planted.shop, where, '[model]\nname = "popular"\n').read_text()
    (where / "shop.toml").write_text(f"{text}\n[rank]\nepochs = 2\n")
    (where / "plain.toml").write_text(f"{text}\n[rank]\nenabled = false\n")
    done = paretail("train", "--config", where / "shop.toml", "--out", where / "bundle")
    assert done.code == 0, done.err
    assert "Ranker: predicts click, cart, purchase, value from 7,500 impressions" in done.out.replace("\n", " ")
    assert paretail("train", "--config", where / "plain.toml", "--out", where / "plain").code == 0
    return where


def test_pairs_keep_their_order(folder: Path, tmp_path: Path) -> None:
    pairs = pl.DataFrame(
        {"item_id": ["i003", "i001", "i003"], "note": [1, 2, 3], "user_id": ["u007", "u001", "nobody"]}
    )
    pairs.write_csv(tmp_path / "pairs.csv")
    done = paretail(
        "predict", "--bundle", folder / "bundle", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "told.parquet"
    )
    assert done.code == 0, done.err
    assert "3 pairs (1 user not in the bundle)" in done.out
    told = pl.read_parquet(tmp_path / "told.parquet")
    assert told.columns == ["user_id", "item_id", "p_click", "p_purchase", "expected_value"]
    assert told.select("user_id", "item_id").rows() == [("u007", "i003"), ("u001", "i001"), ("nobody", "i003")]
    assert told.select(pl.col("p_click", "p_purchase").is_between(0, 1).all()).row(0) == (True, True)
    price = pl.read_parquet(folder / "items.parquet").filter(pl.col("item_id") == "i003")["price"][0]
    most = told["p_click"][0] * told["p_purchase"][0] * price
    assert told["expected_value"][0] == pytest.approx(most, rel=0.5)  # in the shop's own currency


def test_further_tasks_are_columns(folder: Path, tmp_path: Path) -> None:
    """Those of which the log had no example are empty."""
    pl.DataFrame({"user_id": ["u007"], "item_id": ["i003"]}).write_csv(tmp_path / "pairs.csv")
    asked = ["--bundle", folder / "bundle", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "told.parquet"]
    assert paretail("predict", *asked, "--tasks", "favourite, cart").code == 0
    told = pl.read_parquet(tmp_path / "told.parquet")
    assert told.columns[-2:] == ["p_favourite", "p_cart"]
    assert told["p_favourite"][0] is None
    assert 0 < told["p_cart"][0] < 1
    assert "RANK-18" in paretail("predict", *asked, "--tasks", "like").err


def test_what_predictions_come_from(folder: Path, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["u007", "nobody"], "item_id": ["i003", "i001"]}).write_csv(tmp_path / "pairs.csv")
    asked = ["--bundle", folder / "bundle", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "told.parquet"]
    done = paretail("predict", *asked, "--explain", tmp_path / "why.parquet")
    assert done.code == 0, done.err
    told, why = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("told", "why"))
    assert why["task"].to_list() == ["click", "cart", "purchase", "value"] * 2
    assert why["user_id"].to_list() == ["u007"] * 4 + ["nobody"] * 4
    for task, column in (("click", "p_click"), ("purchase", "p_purchase")):
        assert why.filter(task=task)["predicted"].to_list() == pytest.approx(told[column].to_list(), rel=1e-4)
    assert paretail("predict", *asked, "--explain", tmp_path / "why.xlsx").code == 2


def test_quantiles_of_an_order(folder: Path, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["u007", "nobody"], "item_id": ["i003", "i001"]}).write_csv(tmp_path / "pairs.csv")
    asked = ["--bundle", folder / "bundle", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "told.csv"]
    done = paretail("predict", *asked, "--quantiles", "0.1, 0.5,0.925")
    assert done.code == 0, done.err
    told = pl.read_csv(tmp_path / "told.csv")
    assert told.columns[-4:] == ["order_value", "order_value_p10", "order_value_p50", "order_value_p92.5"]
    for row in told.iter_rows(named=True):
        assert row["order_value_p10"] < row["order_value_p50"] < row["order_value"] < row["order_value_p92.5"]
        least = row["p_click"] * row["p_purchase"] * row["order_value"]
        assert least < row["expected_value"] < 1.5 * least  # those who click are likelier to buy
    for wrong in ("10,90", "0", "a"):
        done = paretail("predict", *asked, "--quantiles", wrong)
        assert (done.code, "(RANK-14)" in done.err) == (2, True), done.err


def test_an_update_learns_to_rank_anew(folder: Path, tmp_path: Path) -> None:
    """From all events on, where the bundle ranked before: a user and events that are new to it count."""
    text = (folder / "shop.toml").read_text().replace('"events.parquet"', f'"{tmp_path / "events.parquet"}"')
    for name in ("items", "users"):
        text = text.replace(f'"{name}.parquet"', f'"{folder / name}.parquet"')
    (tmp_path / "shop.toml").write_text(text)
    events = pl.read_parquet(folder / "events.parquet").sort("ts_ms")
    told = []
    for verb, part in (("train", events.head(6000)), ("update", events)):
        part.write_parquet(tmp_path / "events.parquet")
        done = paretail(
            verb, "--config", tmp_path / "shop.toml", *(["--out"] if verb == "train" else ["--bundle"]), tmp_path / "b"
        )
        assert done.code == 0, done.err
        pl.DataFrame({"user_id": ["u007"], "item_id": ["i003"]}).write_csv(tmp_path / "pairs.csv")
        out = tmp_path / f"{verb}.parquet"
        done = paretail("predict", "--bundle", tmp_path / "b", "--pairs", tmp_path / "pairs.csv", "--out", out)
        assert done.code == 0, done.err
        told.append(pl.read_parquet(out)["p_click"][0])
    assert told[0] != told[1]


@pytest.mark.parametrize(("columns", "code"), [
    ({"user_id": ["u001"], "product": ["i001"]}, "RANK-06"),
    ({"user_id": ["u001", None], "item_id": ["i001", "i002"]}, "RANK-06"),
    ({"user_id": ["u001"], "item_id": ["gone"]}, "RANK-07"),
])  # fmt: skip
def test_pairs_that_cannot_be_predicted(
    folder: Path, tmp_path: Path, columns: dict[str, list[str | None]], code: str
) -> None:
    pl.DataFrame(columns).write_parquet(tmp_path / "pairs.parquet")
    out = tmp_path / "told.csv"
    done = paretail("predict", "--bundle", folder / "bundle", "--pairs", tmp_path / "pairs.parquet", "--out", out)
    assert (done.code, f"({code})" in done.err, out.exists()) == (1, True, False), done.err


def test_a_bundle_without_a_ranker_says_so(folder: Path, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["u001"], "item_id": ["i001"]}).write_parquet(tmp_path / "pairs.parquet")
    done = paretail(
        "predict", "--bundle", folder / "plain", "--pairs", tmp_path / "pairs.parquet", "--out", tmp_path / "told.csv"
    )
    assert (done.code, "(RANK-05)" in done.err) == (1, True), done.err


def test_without_torch_training_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretail.pipeline.ranking.find_spec", lambda name: None)
    done = paretail("train", "--config", folder / "shop.toml", "--out", tmp_path / "b")
    assert done.code == 0, done.err
    assert "pip install 'paretail[learn]'" in done.out


def test_what_is_left_out_and_refused_is_said(folder: Path, tmp_path: Path) -> None:
    """Events after today are in quarantine, constant features and tasks are named, and a leak leaves no ranker.

    No event is a favourite, carts follow from nothing that was shown, and purchases have no price.
    """
    events = pl.read_parquet(folder / "events.parquet")
    bought = events.filter(pl.col("event") == "purchase", pl.col("user_id") < "u030")
    events = pl.concat([events.filter(pl.col("event") != "purchase"), bought])
    lost = pl.col("event") == "cart"
    events = events.with_columns(user_id=pl.when(lost).then(pl.lit("stranger")).otherwise("user_id"),
                                 request_id=pl.when(~lost).then("request_id"))  # fmt: skip
    late = events.head(1).with_columns(ts_ms=pl.lit(4_000_000_000_000))
    pl.concat([events.with_columns(price=pl.lit(None, pl.Float64)), late]).write_parquet(tmp_path / "events.parquet")
    users = pl.read_parquet(folder / "users.parquet")
    text = (folder / "shop.toml").read_text().replace('"users.parquet"', f'"{tmp_path / "users.parquet"}"')
    text = text.replace('"events.parquet"', f'"{tmp_path / "events.parquet"}"')
    (tmp_path / "shop.toml").write_text(text.replace('"items.parquet"', f'"{folder / "items.parquet"}"'))
    leak = pl.col("user_id").is_in(bought["user_id"].implode())
    for name, table in (("honest", users), ("leaky", users.with_columns(ever=leak.cast(pl.String)))):
        table.write_parquet(tmp_path / "users.parquet")
        done = paretail("train", "--config", tmp_path / "shop.toml", "--out", tmp_path / name)
        assert done.code == 0, done.err
        said = " ".join(done.out.split())
        assert "1 in quarantine" in said
        if name == "honest":
            assert "Ranker: the task `value` is left out: 0 of" in said
            none = "is left out: 0 positive examples, 20 are needed"
            assert f"Ranker: the task `favourite` {none}; no event of that kind" in said
            assert f"Ranker: the task `cart` {none}; {events.filter(lost).height:,} events of that kind follow" in said
            assert "Ranker: the same for every impression, and so without a say: brand_lift, new" in said
        else:
            assert "No ranker: the users' ever" in said
            assert '[rank] leaks = "ignore". (RANK-15)' in said


def test_a_ranker_starts_from_another_bundle(folder: Path, tmp_path: Path) -> None:
    asked = ["train", "--config", folder / "shop.toml", "--out", tmp_path / "next"]
    done = paretail(*asked, "--from-bundle", folder / "bundle", "--same-items")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "Ranker: starts from another bundle: " in said
    assert "30 of 30 items, the network of features" in said
    done = paretail(*asked, "--from-bundle", folder / "plain")
    assert (done.code, "(RANK-05)" in done.err) == (1, True), done.err
    text = (folder / "shop.toml").read_text() + 'start_from = "nowhere"\n'
    (folder / "from.toml").write_text(text)  # relative to the file
    done = paretail("train", "--config", folder / "from.toml", "--out", tmp_path / "none")
    assert (done.code, "nowhere" in done.err) == (1, True), done.err
