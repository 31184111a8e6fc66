"""`paretail train` adds versions, fails without a trace, and can be interrupted."""

import json
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from paretail.pipeline.bundle import Bundle, current, versions
from paretail.sim.planted import planted

from ..trained import DemoShop, paretail, parts, start


def test_what_was_done_is_told(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml", "knn")
    done = paretail("train", "--config", config, "--out", tmp_path / "b", "--seed", 3, "--budget", "1s", "--json")
    told = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert told["version"] == current(tmp_path / "b")
    assert (told["facts"]["model"], told["facts"]["seed"], told["facts"]["users"]) == ("knn", 3, 300)
    assert told["facts"]["events"] == shop.events().height
    done = paretail("train", "--config", config, "--out", tmp_path / "b")
    assert "300 users with 100 items" in done.out.replace("\n", " ")
    assert "Target: purchase" in done.out
    assert current(tmp_path / "b") in done.out


@pytest.mark.parametrize("name", ["lightgcn", "hetero"])
def test_a_shop_is_trained_and_asked_from_the_shell(name: str, shop: DemoShop, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = shop.config_with(tmp_path / "shop.toml", name)
    out = tmp_path / "b"
    done = paretail("train", "--config", config, "--out", out, "--budget", "1s")
    assert done.code == 0, done.err
    done = paretail("recommend", "--bundle", out, "--out", tmp_path / "lists.csv", "--k", 5)
    assert done.code == 0, done.err
    lists = pl.read_csv(tmp_path / "lists.csv")
    assert lists["user_id"].n_unique() == 300
    assert lists.height == 1500


def test_auto_tells_what_it_chose_and_keeps_why_in_the_bundle(tmp_path: Path) -> None:
    settings = """[data]
events = "events.parquet"
time = "milliseconds"
[rank]
enabled = false
[goal]
repeat = false
[model]
name = "auto"
[model.settings.candidates]
blend = {modes = {target = {theta = {"pop target|anyone" = 1.0}}}}
knn = {}
"""  # a blend of one poor signal, so that the other is sure to help
    events = planted(300, 80, 15).shop.events.frame.select("user_id", "item_id", event="kind", ts="ts_ms")
    events.write_parquet(tmp_path / "events.parquet")
    (tmp_path / "shop.toml").write_text(settings)
    done = paretail("train", "--config", tmp_path / "shop.toml", "--out", tmp_path / "b", "--budget", "2s")
    assert done.code == 0, done.err
    facts = Bundle.load(tmp_path / "b").manifest.facts
    assert facts["model"] == "hybrid"
    (remark,) = (remark for remark in facts["remarks"] if remark.startswith("Chosen:"))
    assert remark.startswith("Chosen: hybrid, better than the blend alone by +0.")
    assert remark in done.out.replace(" \n", " ").replace("\n", " ")


def test_a_second_training_adds_a_version_and_leaves_the_first(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml")
    out = tmp_path / "b"
    assert paretail("train", "--config", config, "--out", out).code == 0
    (first,) = versions(out)
    before = {path.name: path.read_bytes() for path in (out / "versions" / first).iterdir()}
    assert paretail("train", "--config", config, "--out", out, "--seed", 9).code == 0
    assert len(versions(out)) == 2
    assert versions(out)[0] == first
    assert current(out) == versions(out)[1]
    assert {path.name: path.read_bytes() for path in (out / "versions" / first).iterdir()} == before


def test_a_failed_training_leaves_the_old_bundle_as_it_was(shop: DemoShop, tmp_path: Path) -> None:
    out = tmp_path / "b"
    assert paretail("train", "--config", shop.config_with(tmp_path / "shop.toml"), "--out", out).code == 0
    whole = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    bad = shop.events().with_columns(action=pl.lit("what?")).drop("kind")
    bad.write_csv(tmp_path / "bad.csv")
    broken = [
        (shop.config_with(tmp_path / "1.toml", "knnn"), "RETR-01"),
        (shop.config_with(tmp_path / "2.toml", seed='"0"'), "CONF-03"),
        (shop.config_with(tmp_path / "3.toml", events=f'"{tmp_path / "bad.csv"}"'), "CHECK-01"),
        (shop.config_with(tmp_path / "4.toml", events='"gone.csv"'), "DATA-01"),
    ]  # fmt: skip
    for config, code in broken:
        done = paretail("train", "--config", config, "--out", out)
        assert (done.code, f"({code})" in done.err) == (1, True), done.err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole
    assert not parts(tmp_path)


def test_ctrl_c_in_the_middle_leaves_nothing_half_written(shop: DemoShop, tmp_path: Path) -> None:
    log = pl.read_csv(shop.folder / "events.csv.gz", infer_schema=False)
    log.with_columns(sku=pl.when(pl.int_range(pl.len()) > 3).then("sku")).write_csv(tmp_path / "log.csv")
    config = shop.config_with(tmp_path / "shop.toml", "mf", events=f'"{tmp_path / "log.csv"}"')
    out = tmp_path / "b"
    assert paretail("train", "--config", shop.config_with(tmp_path / "first.toml"), "--out", out).code == 0
    before = current(out)
    config.write_text(config.read_text() + "settings = {epochs = 100000}\n")
    process = start("train", "--config", config, "--out", out)
    deadline = time.monotonic() + 60
    try:
        while not list(tmp_path.glob("quarantine/*/summary.json")):  # written when the import is done
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    finally:
        process.kill()  # nothing, when it has ended
    assert process.returncode == 130
    assert (said, complained) == ("", "paretail: interrupted; nothing was left half-written\n")
    assert versions(out) == [before] == [current(out)]
    assert not parts(tmp_path)


def test_same_seed_same_recommendations(shop: DemoShop, tmp_path: Path) -> None:
    config = shop.config_with(tmp_path / "shop.toml", "blend")
    files = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.parquet"
        assert paretail("train", "--config", config, "--out", tmp_path / name, "--seed", 5).code == 0
        assert paretail("recommend", "--bundle", tmp_path / name, "--out", out).code == 0
        files.append(out.read_bytes())
    assert files[0] == files[1]


def test_lists_may_hold_categories(shop: DemoShop, tmp_path: Path) -> None:
    config, out, lists = shop.config_with(tmp_path / "shop.toml", "knn"), tmp_path / "b", tmp_path / "lists.parquet"
    done = paretail("train", "--config", config, "--out", out, "--target", "category")
    assert done.code == 0, done.err
    assert "categories that a user already had" in done.out
    assert paretail("recommend", "--bundle", out, "--users", "all", "--out", lists, "-k", 3).code == 0
    listed = pl.read_parquet(lists)
    paths = pl.read_csv(shop.folder / "items.csv")["category"].unique().to_list()
    assert listed.columns == ["user_id", "rank", "item_id", "score"]
    assert all(any(path == name or path.startswith(f"{name} > ") for path in paths) for name in listed["item_id"])
    done = paretail("train", "--config", config, "--out", tmp_path / "c", "--target", "catgory")
    assert (done.code, "did you mean 'category'?" in done.err) == (1, True)
    assert not (tmp_path / "c").exists()
