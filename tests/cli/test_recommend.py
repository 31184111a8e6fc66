"""`paretail recommend` writes the lists that the contract promises, for whomever is asked."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from ..trained import WORDS, DemoShop, paretail

COLUMNS = ["user_id", "rank", "item_id", "score"]


def lists(shop: DemoShop, out: Path, *arguments: object) -> pl.DataFrame:
    done = paretail("recommend", "--bundle", shop.bundle, "--out", out, *arguments)
    assert done.code == 0, done.err
    return pl.read_parquet(out) if out.suffix == ".parquet" else pl.read_csv(out)


@pytest.mark.parametrize("name", ["r.parquet", "r.csv"])
def test_columns_and_ranks(shop: DemoShop, tmp_path: Path, name: str) -> None:
    table = lists(shop, tmp_path / name, "-k", 7)
    assert table.columns == COLUMNS
    assert table["rank"].to_list() == list(range(1, 8)) * 300
    assert table.select("user_id", "item_id").is_duplicated().sum() == 0
    assert table["score"].is_finite().all()


def test_all_are_the_users_of_the_events_and_of_the_users_file(shop: DemoShop, tmp_path: Path) -> None:
    table = lists(shop, tmp_path / "r.parquet", "--users", "all", "-k", 1)
    assert set(table["user_id"]) == {*shop.users, *shop.events()["visitor_id"]}
    assert set(shop.users) - set(shop.events()["visitor_id"]), "the shop should have users without events"


@pytest.mark.parametrize(
    ("exclude", "kinds"),
    [
        (None, []), ("none", []), ("purchase", ["purchase"]), ("buy", ["purchase"]),
        ("purchase,cart", ["purchase", "cart"]), ("buy, addtocart", ["purchase", "cart"]), ("view", ["view"]),
        ("all", list(WORDS.values())),
    ],
)  # fmt: skip
def test_no_excluded_pair_is_recommended(shop: DemoShop, tmp_path: Path, exclude: str | None, kinds: list[str]) -> None:
    """The shop's buyers come back, so that by default nothing is left out."""
    table = lists(shop, tmp_path / "r.parquet", "-k", 20, *([] if exclude is None else ["--exclude", exclude]))
    had = shop.events().filter(pl.col("kind").is_in(kinds)).select(user_id="visitor_id", item_id="sku").unique()
    assert table.join(had, on=["user_id", "item_id"]).is_empty()
    left = had.group_by("user_id").agg(left=100 - pl.len())
    lengths = table.group_by("user_id").agg(length=pl.len(), last=pl.col("rank").max()).join(left, "user_id", "left")
    assert (lengths["length"] == lengths["last"]).all()
    longest = pl.min_horizontal(pl.lit(20), pl.col("left").fill_null(100))
    assert lengths.filter(pl.col("length") != longest).is_empty()


def test_where_repeats_are_not_wanted_the_default_leaves_the_target_out(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml", repeat="false")
    assert paretail("train", "--config", config, "--out", tmp_path / "b").code == 0
    for name, more in (("default.parquet", []), ("purchase.parquet", ["--exclude", "purchase"])):
        assert paretail("recommend", "--bundle", tmp_path / "b", "--out", tmp_path / name, *more).code == 0
    table = pl.read_parquet(tmp_path / "default.parquet")
    assert table.equals(pl.read_parquet(tmp_path / "purchase.parquet"))
    had = shop.events().filter(kind="purchase").select(user_id="visitor_id", item_id="sku")
    assert table.join(had, on=["user_id", "item_id"]).is_empty()


def test_users_from_every_kind_of_file_and_one_by_one(shop: DemoShop, tmp_path: Path) -> None:
    wanted = ["u00000004", "u00000002", "stranger"]
    pl.DataFrame({"user_id": wanted, "x": 1}).write_parquet(tmp_path / "u.parquet")
    pl.DataFrame({"user_id": wanted}).write_csv(tmp_path / "u.csv")
    pl.DataFrame({"visitor_id": wanted}).write_csv(tmp_path / "own.csv")
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress((tmp_path / "u.csv").read_bytes()))
    (tmp_path / "u.txt").write_text("\n".join(wanted))
    alone = pl.concat([lists(shop, tmp_path / "r.parquet", "--users", user, "-k", 5) for user in wanted])
    assert alone["user_id"].unique(maintain_order=True).to_list() == wanted
    for name in ("u.parquet", "u.csv", "own.csv", "u.csv.gz", "u.txt"):
        assert lists(shop, tmp_path / "r.parquet", "--users", tmp_path / name, "-k", 5).equals(alone), name


@pytest.mark.parametrize("exclude", ["none", "purchase", "all"])
def test_unknown_and_cold_users_get_what_many_want(shop: DemoShop, tmp_path: Path, exclude: str) -> None:
    cold = sorted(set(shop.users) - set(shop.events()["visitor_id"]))[0]
    (tmp_path / "u.txt").write_text(f"{cold}\nstranger\n")
    table = lists(shop, tmp_path / "r.parquet", "--users", tmp_path / "u.txt", "-k", 10, "--exclude", exclude)
    first, second = (table.filter(user_id=user)["item_id"].to_list() for user in (cold, "stranger"))
    assert first == second
    assert len(first) == 10
    wanted = shop.events().filter(pl.col("kind").is_in(["purchase", "cart", "click", "view"])).group_by("sku").len()
    popular = wanted.sort("len", descending=True)["sku"].head(30).to_list()
    assert len(set(first) & set(popular)) >= 8


def test_history_of_new_and_known_users(shop: DemoShop, tmp_path: Path) -> None:
    """What is told with --history counts as what was told in training does."""
    log = pl.read_csv(shop.folder / "events.csv.gz", infer_schema_length=None)
    known = log.group_by("visitor_id").len().sort("len", "visitor_id").tail(1)["visitor_id"][0]
    mine = log.filter(visitor_id=known)
    extra = mine.tail(1).with_columns(
        sku=pl.lit("i00000099"), action=pl.lit("buy"), timestamp=pl.lit("2025-10-26T00:00:00Z")
    )
    twin, known_too = pl.concat([mine, extra]).with_columns(visitor_id=pl.lit("twin")), extra
    pl.concat([twin, known_too]).write_csv(tmp_path / "new.csv")
    (tmp_path / "u.txt").write_text(f"{known}\ntwin\n")
    ask = ["--users", tmp_path / "u.txt", "-k", 20, "--exclude", "all"]
    without = lists(shop, tmp_path / "r.parquet", *ask)
    told = lists(shop, tmp_path / "r.parquet", *ask, "--history", tmp_path / "new.csv")
    assert told.filter(user_id="twin").drop("user_id").equals(told.filter(user_id=known).drop("user_id"))
    assert not told.filter(user_id=known).equals(without.filter(user_id=known))
    assert not told.filter(user_id="twin").equals(without.filter(user_id="twin"))
    assert "i00000099" not in told["item_id"].to_list()


def test_a_few_columns_of_history_are_enough(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("visitor_id,sku,action\nnew,i00000003,pv\nnew,i00000004,buy\n")
    table = lists(shop, tmp_path / "r.parquet", "--users", "new", "--history", tmp_path / "h.csv", "--exclude", "buy")
    assert table.height == 20
    assert "i00000004" not in table["item_id"].to_list()


def test_a_summary_for_people_and_for_machines(shop: DemoShop, tmp_path: Path) -> None:
    ask = ["recommend", "--bundle", shop.bundle, "--out", tmp_path / "r.csv", "--users", "stranger", "-k", 3]
    told = json.loads(paretail(*ask, "--json").out)
    assert (told["users"], told["cold"], told["rows"]) == (1, 1, 3)
    assert "1 user, 1 of them without history: 3 rows in " in paretail(*ask).out


def test_history_that_is_not_used_is_told(shop: DemoShop, tmp_path: Path) -> None:
    rows = "visitor_id,sku,action\nnew,i00000003,pv\nnew,nothing,pv\nother,i00000004,buy\n"
    (tmp_path / "h.csv").write_text(rows)
    ask = ["recommend", "--bundle", shop.bundle, "--out", tmp_path / "r.csv", "--users", "new"]
    done = paretail(*ask, "--history", tmp_path / "h.csv")
    assert "2 events of --history not used" in done.out
    assert json.loads(paretail(*ask, "--history", tmp_path / "h.csv", "--json").out)["unused_history"] == 2
    assert "not used" not in paretail(*ask).out


def test_reasons_and_paths_stand_beside_the_same_lists(shop: DemoShop, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("\n".join(["nobody", *shop.users[:20]]))
    ask = ["--users", tmp_path / "users.txt", "-k", 4]
    plain, told = (lists(shop, tmp_path / "r.parquet", *ask, *more) for more in ([], ["--reasons"]))
    assert told.columns == [*COLUMNS, "reason", "paths"]
    assert told.select(COLUMNS).equals(plain)
    assert told["reason"].str.len_chars().min() > 0  # type: ignore[operator]
    assert (
        told["paths"].str.contains(r'^(you .* ".*": [\d,]+ others? who did also bought this|same \w+ \(.*\): )').any()
    )
    brands = told.select("item_id", value=pl.col("paths").str.extract(r"same brand \((.*?)\): ")).drop_nulls()
    items = pl.read_csv(shop.folder / "items.csv").select("brand", item_id="sku")
    assert brands.height > 0
    assert brands.join(items, on="item_id").filter(pl.col("value") != pl.col("brand")).is_empty()
    assert set(told.filter(user_id="nobody")["paths"]) == {""}
