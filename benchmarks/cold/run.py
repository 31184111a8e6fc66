"""Cold start: new items by what is known of them, on planted worlds; new buyers by profile and first line, on a shop.

    python benchmarks/cold/run.py [--seeds 11 12 13 14 15] [--parts items buyers]

`PARETAIL_JUDGE` is the folder with `world.py` and `score_lists.py`, which share no code with the product; what is
absent is skipped and said so. Truth files are read for scoring alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import PARETAIL, circumstances, record

from paretail.data.config import DataConfig
from paretail.data.ingest import ingest
from paretail.data.types import Catalogue, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.models.content import Content, ContentConfig

HERE = Path(__file__).resolve().parent
#: Fixed in advance, on a world of another seed.
SETTINGS = ContentConfig(dim=8, alpha=1.0)
#: What is taken out of the catalogue.
VARIANTS = {
    "title and image": [], "title": ["image_vector"], "image": ["title"], "attributes only": ["title", "image_vector"],
}  # fmt: skip
Dense = NDArray[np.floating[Any]]


def main() -> None:
    """Run the parts for which everything is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--parts", nargs="+", choices=["items", "buyers"], default=["items", "buyers"])
    asked = parser.parse_args()
    seeds = asked.seeds
    judge, data = (Path(os.environ.get(name, "")) for name in ("PARETAIL_JUDGE", "PARETAIL_DATA"))
    judge = judge.parent if judge.is_file() else judge
    about = circumstances()
    if "items" not in asked.parts:
        print("new items: not asked for")
    elif (judge / "world.py").is_file():
        record(HERE, "new items", {**about, "seeds": seeds}, new_items(judge / "world.py", seeds))
    else:
        print("new items: skipped, PARETAIL_JUDGE has no world.py")
    if "buyers" not in asked.parts:
        print("new buyers: not asked for")
    elif (judge / "score_lists.py").is_file() and (data / "online_retail").is_dir():
        record(HERE, "new buyers", about, new_buyers(judge / "score_lists.py", data / "online_retail"))
    else:
        print("new buyers: skipped, PARETAIL_JUDGE or PARETAIL_DATA lacks score_lists.py or online_retail")


def new_items(world: Path, seeds: list[int]) -> list[dict[str, Any]]:
    """Return a row a variant: correlation with the true chance of a click and HR@10 among new items, and among old."""
    found: dict[str, list[dict[str, Dense]]] = {name: [] for name in VARIANTS}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            size = ["--users", "2000", "--items", "600", "--impressions", "300000", "--seed", str(seed)]
            subprocess.run([sys.executable, world, folder, *size], check=True, stdout=subprocess.DEVNULL)
            sources = {"events": "events.parquet", "items": "items.parquet", "users": "users.parquet"}
            shop = ingest(DataConfig.parse({**sources, "time": "seconds"}), Path(folder)).shop
            for name, without in VARIANTS.items():
                found[name].append(_measured(shop, without, Path(folder)))
    together = {
        name: {key: np.concatenate([run[key] for run in runs]) for key in runs[0]} for name, runs in found.items()
    }
    best = together["title and image"]
    rows = []
    for name, values in together.items():
        row: dict[str, Any] = {"content": name}
        for key in ("correlation, new items", "HR@10, new items", "correlation, old items"):
            row[key] = f"{np.nanmean(values[key]):.4f}"
            if name != "title and image":
                gain = (best[key] - values[key])[~np.isnan(best[key])]
                row[f"both less this ({key})"] = f"{gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}"
        rows.append(row)
    return rows


def _measured(shop: Shop, without: list[str], folder: Path) -> dict[str, Dense]:
    """Return a number a user: nan where the user clicked no new item."""
    told = replace(shop, catalogue=Catalogue(shop.catalogue.frame.drop(without)))
    graph = ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())
    scores = Content.fit(graph, SETTINGS, 0).score(graph.history)
    truth = _clicks(folder)
    created = pl.read_parquet(folder / "items.parquet")["created_ts"].to_numpy()
    new, old = np.flatnonzero(created > created.min()), np.flatnonzero(created == created.min())
    later = pl.read_parquet(folder / "holdout.parquet").filter(pl.col("event") == "click")
    clicked = np.zeros(truth.shape, bool)
    clicked[graph.nodes["user"].rows(later["user_id"]), graph.nodes["item"].rows(later["item_id"])] = True
    best = new[np.argsort(-scores[:, new], axis=1)[:, :10]]
    hit = np.take_along_axis(clicked, best, axis=1).any(axis=1)
    return {
        "correlation, new items": _rank_correlation(scores[:, new], truth[:, new]),
        "correlation, old items": _rank_correlation(scores[:, old], truth[:, old]),
        "HR@10, new items": np.where(clicked[:, new].any(axis=1), hit.astype(float), np.nan),
    }


def _clicks(folder: Path) -> Dense:
    """Return the true chance of a click up to a monotone map, `[users, items]` (see the judge's world.py)."""
    users, items = np.load(folder / "truth_users.npz"), np.load(folder / "truth_items.npz")
    return np.asarray(0.9 * users["a"] @ items["c"].T / np.sqrt(items["c"].shape[1]) + items["pop"])


def _rank_correlation(one: Dense, other: Dense) -> Dense:
    """Return Spearman's correlation of each row."""
    a, b = (rankdata(x, axis=1) - (x.shape[1] + 1) / 2 for x in (one, other))
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1)))


def new_buyers(judge: Path, data: Path) -> list[dict[str, Any]]:
    """Return Recall@20 for the buyers whom training has not seen: from the country alone, and with their first line."""
    events, later = pl.read_parquet(data / "events.parquet"), pl.read_parquet(data / "holdout.parquet")
    new = later.join(events, on="user_id", how="anti").sort("ts", maintain_order=True)
    first = new.unique("user_id", keep="first", maintain_order=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "events.parquet").symlink_to((data / "events.parquet").resolve())
        first.select("user_id").write_parquet(work / "new.parquet")
        first.write_parquet(work / "first.parquet")
        later.write_parquet(work / "holdout.parquet")
        rest = later.join(first, on=["user_id", "item_id"], how="anti")
        rest.write_parquet(work / "rest.parquet")
        tables = [part for name in ("events", "items", "users") for part in (f"--{name}", data / f"{name}.parquet")]
        _paretail(work, "init", *tables, "--out", "shop.toml")
        rows = []
        for model in ("popular", "blend"):
            text = (work / "shop.toml").read_text()
            (work / f"{model}.toml").write_text(f'{text}\n[model]\nname = "{model}"\n')
            _paretail(work, "train", "--config", f"{model}.toml", "--out", model)
            for known, more, held in (
                ("country", [], "holdout"),
                ("country and first line", ["--history", "first.parquet"], "rest"),
            ):
                asked = ["--users", "new.parquet", "--exclude", "buy", *more, "--out", "lists.parquet"]
                _paretail(work, "recommend", "--bundle", model, *asked)
                options = ["--k", "20", "--users", "new.parquet", "--mask-events", "none", "--holdout"]
                command = [sys.executable, judge, "lists.parquet", ".", *options, f"{held}.parquet"]
                told = json.loads(subprocess.run(command, cwd=work, check=True, capture_output=True).stdout)
                figures = {key: f"{told[key]:.4f} ± {told[f'{key}_se']:.4f}" for key in ("recall@20", "ndcg@20")}
                rows.append({"model": model, "known": known, "users": told["users"], **figures})
        return rows


def _paretail(folder: Path, *arguments: object) -> None:
    subprocess.run([PARETAIL, *map(str, arguments)], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip


if __name__ == "__main__":
    main()
