"""`paretail events`: in once, out whole, in again without a mapping, and a training from either."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.types import EVENT_COLUMNS

from ..trained import DemoShop, paretail, parts


@pytest.fixture(scope="module")
def store(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the events of the demo shop."""
    folder = tmp_path_factory.mktemp("events") / "store"
    done = paretail("events", "import", events(shop), "--store", folder, "--config", shop.config, "--json")
    assert (done.code, json.loads(done.out)["new"]) == (0, shop.events().height), done.err
    return folder


def events(shop: DemoShop) -> Path:
    return shop.folder / "events.csv.gz"


def exported(store: Path, file: Path, *more: object) -> pl.DataFrame:
    done = paretail("events", "export", file, "--store", store, *more)
    assert done.code == 0, done.err
    return {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}[file.suffix](file)


def test_the_same_file_twice_adds_nothing(shop: DemoShop, store: Path) -> None:
    done = paretail("events", "import", events(shop), "--store", store, "--config", shop.config)
    assert done.code == 0
    assert f"0 events new, the other {shop.events().height:,} were there already" in done.out.replace("\n", " ")


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_what_was_exported_goes_in_again_as_it_was(shop: DemoShop, store: Path, tmp_path: Path, ending: str) -> None:
    first = exported(store, tmp_path / f"events.{ending}")
    assert first.columns == list(EVENT_COLUMNS)
    assert first.height == shop.events().height
    assert paretail("events", "import", tmp_path / f"events.{ending}", "--store", tmp_path / "b").code == 0
    order = ["ts_ms", "user_id", "item_id", "kind", "event_id"]
    one, other = (exported(folder, tmp_path / "again.parquet").sort(order) for folder in (store, tmp_path / "b"))
    assert one.equals(other)
    assert not parts(tmp_path)


def test_a_training_from_a_store_or_an_export_is_that_of_the_file(shop: DemoShop, store: Path, tmp_path: Path) -> None:
    exported(store, tmp_path / "events.parquet")
    config = shop.config_with(tmp_path / "file.toml", "popular", items="[]", users="[]")
    facts = [trained(config, tmp_path / "file")]
    for place in (store, tmp_path / "events.parquet"):
        (tmp_path / "bare.toml").write_text(
            f'[data]\nevents = "{place}"\n[model]\nname = "popular"\n[rank]\nepochs = 1\n'
        )
        facts.append(trained(tmp_path / "bare.toml", tmp_path / place.stem))
    assert facts[0]["events"] == shop.events().height
    for name in ("events", "users", "items", "target", "kinds", "time", "repeat", "settings", "figure"):
        assert facts[0][name] == facts[1][name] == facts[2][name]


def test_a_store_beside_files_needs_no_mapping(shop: DemoShop, store: Path, tmp_path: Path) -> None:
    for table in ("items", "users"):
        done = paretail(table, "import", shop.folder / f"{table}.csv", "--store", store, "--config", shop.config)
        assert done.code == 0, done.err
    places = {"events": f'["{events(shop)}", "{store}"]', "items": f'"{store}"', "users": f'"{store}"'}
    config = shop.config_with(tmp_path / "both.toml", "popular", **places)
    accounts = json.loads(paretail("check", "--config", config, "--json").out)["accounts"]
    of_store = {one["table"]: one for one in accounts if one["file"] == str(store)}
    assert {table: (one["read"], one["imported"]) for table, one in of_store.items()} == {
        "events": (shop.events().height, 0), "items": (100, 100), "users": (300, 300),
    }  # fmt: skip
    assert of_store["events"]["excluded"] == {"duplicate of another source": shop.events().height}


def trained(config: Path, out: Path) -> dict[str, Any]:
    done = paretail("train", "--config", config, "--out", out, "--json")
    assert done.code == 0, done.err
    facts: dict[str, Any] = json.loads(done.out)["facts"]
    return facts


def test_a_time_and_a_kind(store: Path, tmp_path: Path) -> None:
    whole = exported(store, tmp_path / "all.parquet")
    day = whole["ts_ms"].median()
    assert day is not None
    since = pl.from_epoch(pl.Series([int(day)]), "ms").dt.strftime("%Y-%m-%d")[0]  # type: ignore[arg-type]
    bound = int(pl.Series([since]).str.to_datetime("%Y-%m-%d", time_unit="ms").dt.epoch("ms")[0])
    late = exported(store, tmp_path / "late.parquet", "--since", since)
    early = exported(store, tmp_path / "early.parquet", "--until", since)
    assert late["ts_ms"].min() >= bound > early["ts_ms"].max()  # type: ignore[operator]
    assert late.height + early.height == whole.height
    bought = exported(store, tmp_path / "bought.parquet", "--kind", "purchase", "refund")
    assert sorted(bought["kind"].unique()) == ["purchase", "refund"]
    assert bought.height == whole.filter(pl.col("kind").is_in(["purchase", "refund"])).height


def test_impressions_are_written_besides_the_kinds_asked_for(tmp_path: Path) -> None:
    with closing(EmbeddedStore.open(tmp_path / "store")) as opened:
        opened.append([StoredEvent("u", "i", kind, 1_000, kind) for kind in ("view", "cart", "purchase")])
        opened.shown([Shown("r", 2_000, "u", None, "for-you", "v1", "best", ["i", "j"])])
    kinds: list[tuple[tuple[str, ...], list[str]]] = [
        (("--kind", "cart"), ["cart"]),
        (("--impressions", "--kind", "purchase", "cart"), ["cart", "impression", "impression", "purchase"]),
        (("--impressions",), ["cart", "impression", "impression", "purchase", "view"]),
        (("--impressions", "--until", "1970-01-01T00:00:02", "--kind", "cart"), ["cart"]),
    ]
    for number, (asked, found) in enumerate(kinds):
        assert sorted(exported(tmp_path / "store", tmp_path / f"{number}.csv", *asked)["kind"]) == found


def test_each_impression_tells_its_placement_and_the_file_can_be_imported(tmp_path: Path) -> None:
    with closing(EmbeddedStore.open(tmp_path / "store")) as opened:
        opened.append([StoredEvent("u", "i", "view", 1_700_000_000_000, "r/home/1")])
        opened.shown([Shown("r", 1_700_000_002_000, "u", None, "ho/me", "v1", "best", ["i", "j"])])
    whole = exported(tmp_path / "store", tmp_path / "x.csv", "--impressions")
    assert whole.select("kind", "placement").rows() == [
        ("view", None),
        ("impression", "ho/me"),
        ("impression", "ho/me"),
    ]
    done = paretail("events", "import", tmp_path / "x.csv", "--store", tmp_path / "again", "--json")
    assert json.loads(done.out)["new"] == 3, done.out
    again = exported(tmp_path / "again", tmp_path / "y.csv", "--impressions")
    assert sorted(again["placement"].drop_nulls()) == ["ho/me", "ho/me"]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [("x.txt", 2, "CLI-23"), ("x.csv --since yesterday", 2, "CLI-24"), ("x.csv --kind buy", 2, "CLI-25"),
     ("x.csv --until 2024-13-01", 2, "CLI-24")],
)  # fmt: skip
def test_what_cannot_be_exported(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, code: int, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = paretail("events", "export", *arguments.split(), "--store", store)
    assert (done.code, done.out, problem in done.err) == (code, "", True)
    assert list(tmp_path.iterdir()) == []


def test_there_must_be_a_store(tmp_path: Path) -> None:
    done = paretail("events", "export", tmp_path / "x.csv", "--store", tmp_path / "none")
    assert (done.code, "STOR-07" in done.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
