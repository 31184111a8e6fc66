"""Cold start: new items by what is known of them, on planted worlds; new buyers by profile and first line, on a shop.

Each beside popularity within the segment, of all time and of late (`rivals.py`).

    python benchmarks/cold/run.py [--seeds 11 12 13 14 15] [--parts items missing buyers]

`missing`: a third of the items lose their image; does that cost anything where it is still there?

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
import rivals
from harness import PARETAIL, circumstances, kept, record

from paretail.core.ids import Vocabulary
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
PARTS = ("items", "missing", "buyers")
#: The share of items that lose their image.
LOST = 1 / 3
Dense = NDArray[np.floating[Any]]
#: `scores[users, items]`, and whose they are.
Scored = tuple[Dense, Vocabulary, Vocabulary]


def main() -> None:
    """Run the parts for which everything is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--keep", type=Path, help="a folder for what each world gave, so that a later run goes on")
    asked = parser.parse_args()
    seeds = asked.seeds
    judge, data = (Path(os.environ.get(name, "")) for name in ("PARETAIL_JUDGE", "PARETAIL_DATA"))
    judge = judge.parent if judge.is_file() else judge
    about = circumstances()
    for part, name, measure in (("items", "new items", new_items), ("missing", "a missing modality", missing)):
        if part not in asked.parts:
            print(f"{name}: not asked for")
        elif (judge / "world.py").is_file():
            record(HERE, name, {**about, "seeds": seeds}, measure(judge / "world.py", seeds, asked.keep))
        else:
            print(f"{name}: skipped, PARETAIL_JUDGE has no world.py")
    if "buyers" not in asked.parts:
        print("new buyers: not asked for")
    elif (judge / "score_lists.py").is_file() and (data / "online_retail").is_dir():
        record(HERE, "new buyers", about, new_buyers(judge / "score_lists.py", data / "online_retail"))
    else:
        print("new buyers: skipped, PARETAIL_JUDGE or PARETAIL_DATA lacks score_lists.py or online_retail")


def new_items(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    """Return a row a variant: correlation with the true chance of a click and HR@10 among new items, and among old."""
    runs = [kept(keep, f"new items {seed}", lambda seed=seed: _of_world(world, seed)) for seed in seeds]
    together = {
        name: {key: np.concatenate([run[name][key] for run in runs]) for key in values}
        for name, values in runs[0].items()
    }
    rows = []
    for name, values in together.items():
        row: dict[str, Any] = {"content": name}
        of_label = name not in VARIANTS
        best, ours = ("attributes only", "attributes") if of_label else ("title and image", "both")
        for key in ("correlation, new items", "HR@10, new items", "correlation, old items"):
            row[key] = f"{np.nanmean(values[key]):.4f}"
            if name != best:
                gain = together[best][key] - values[key]
                gain = gain[~np.isnan(gain)]
                row[f"{ours} less this ({key})"] = f"{gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}"
        rows.append(row)
    return rows


def _of_world(world: Path, seed: int) -> dict[str, dict[str, list[float]]]:
    """Return for each variant, and for popularity by category, a number a user of each figure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = _shop(world, seed, folder)
        found = {name: _measured(_scored(shop, without), folder) for name, without in VARIANTS.items()}
        found |= {name: _measured(scored, folder) for name, scored in _by_category(folder).items()}
    return {name: {key: column.tolist() for key, column in values.items()} for name, values in found.items()}


def missing(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    """Return by how much the correlation changes of items that keep their image where a third lose theirs, by users."""
    runs = [kept(keep, f"missing {seed}", lambda seed=seed: _without_images(world, seed)) for seed in seeds]
    rows = []
    for of in runs[0]:
        whole, lost = (np.concatenate([run[of][way] for run in runs]) for way in ("whole", "lost"))
        gain = lost - whole
        told = f"{gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}"
        rows.append({"items": of, "correlation, all images": f"{whole.mean():.4f}", "a third lost": told})
    return rows


def _without_images(world: Path, seed: int) -> dict[str, dict[str, list[float]]]:
    """Return correlations of items with an image, where all have one and where a third do not, a number a user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = _shop(world, seed, folder)
        frame = shop.catalogue.frame
        gone = np.random.default_rng(seed).random(len(frame)) < LOST
        image = pl.when(pl.Series(~gone)).then(pl.col("image_vector"))
        some = replace(shop, catalogue=Catalogue(frame.with_columns(image_vector=image)))
        scored = {"whole": _scored(shop, []), "lost": _scored(some, [])}
        has = Vocabulary(frame["item_id"]).rows(scored["whole"][2].ids)
        is_new, kept_image, truth = _new(folder), ~gone[has], _clicks(folder)
        parts = {"new, with an image": is_new & kept_image, "old, with an image": ~is_new & kept_image}
        return {
            of: {
                way: _rank_correlation(scores[:, mine], truth[:, mine]).tolist() for way, (scores, *_) in scored.items()
            }
            for of, mine in parts.items()
        }


def _scored(shop: Shop, without: list[str]) -> Scored:
    """Return the scores of `content`, and the ids of their rows and columns."""
    told = replace(shop, catalogue=Catalogue(shop.catalogue.frame.drop(without)))
    graph = ShopGraph.build(told, told.user_vocabulary(), told.item_vocabulary())
    return Content.fit(graph, SETTINGS, 0).score(graph.history), graph.nodes["user"], graph.nodes["item"]


def _shop(world: Path, seed: int, folder: Path) -> Shop:
    """Make a world in a folder, and return its shop."""
    size = ["--users", "2000", "--items", "600", "--impressions", "300000", "--seed", str(seed)]
    subprocess.run([sys.executable, world, folder, *size], check=True, stdout=subprocess.DEVNULL)
    sources = {"events": "events.parquet", "items": "items.parquet", "users": "users.parquet"}
    return ingest(DataConfig.parse({**sources, "time": "seconds"}), folder).shop


def _new(folder: Path) -> NDArray[np.bool_]:
    created = pl.read_parquet(folder / "items.parquet")["created_ts"].to_numpy()
    return np.asarray(created > created.min(), np.bool_)


def _by_category(folder: Path) -> dict[str, Scored]:
    events, items, users = (pl.read_parquet(folder / f"{name}.parquet") for name in ("events", "items", "users"))
    ids = Vocabulary(users["user_id"]), Vocabulary(items["item_id"])
    return {
        f"popularity of the category{name}": (rivals.by_category(told, items, len(users)), *ids)
        for name, told in (("", events), (", last week", rivals.late(events, rivals.DAYS["world"])))
    }


def _measured(scored: Scored, folder: Path) -> dict[str, Dense]:
    """Return a number a user: nan where the user clicked no new item."""
    scores, users, items = scored
    truth = _clicks(folder)
    new, old = np.flatnonzero(_new(folder)), np.flatnonzero(~_new(folder))
    later = pl.read_parquet(folder / "holdout.parquet").filter(pl.col("event") == "click")
    clicked = np.zeros(truth.shape, bool)
    clicked[users.rows(later["user_id"]), items.rows(later["item_id"])] = True
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
        for known, more, had, held in (
            ("country", [], first.clear(), "holdout"),
            ("country and first line", ["--history", "first.parquet"], first, "rest"),
        ):
            lists = _segments(events, data, first, had, work)
            for model in ("popular", "blend"):
                lists[model] = work / f"{model}-lists.parquet"
                asked = ["--users", "new.parquet", "--exclude", "buy", *more, "--out", lists[model]]
                _paretail(work, "recommend", "--bundle", _bundle(model, work), *asked)
            rows += [{"model": name, "known": known, **_judged(judge, file, lists["blend"], work, held)}
                     for name, file in lists.items()]  # fmt: skip
        return rows


def _segments(events: pl.DataFrame, data: Path, asked: pl.DataFrame, had: pl.DataFrame, work: Path) -> dict[str, Path]:
    """Write the lists of popularity within the country, and return their files by name."""
    users, files = pl.read_parquet(data / "users.parquet"), {}
    for name, told in (("", events), (", last month", rivals.late(events, rivals.DAYS["shop"]))):
        file = files[f"popularity in the country{name}"] = work / f"country{len(files)}.parquet"
        rivals.by_country(told, users, asked.select("user_id"), had).write_parquet(file)
    return files


def _bundle(model: str, work: Path) -> str:
    """Train a model, unless it was before."""
    if not (work / model).exists():
        text = (work / "shop.toml").read_text()
        (work / f"{model}.toml").write_text(f'{text}\n[model]\nname = "{model}"\n')
        _paretail(work, "train", "--config", f"{model}.toml", "--out", model)
    return model


def _judged(judge: Path, lists: Path, ours: Path, work: Path, held: str) -> dict[str, Any]:
    """Return the figures of lists, and by how much the blend's are better."""

    def told(file: Path, *more: object) -> dict[str, Any]:
        options = ["--k", "20", "--users", "new.parquet", "--mask-events", "none", "--holdout", f"{held}.parquet"]
        command = [sys.executable, str(judge), str(file), ".", *options, *map(str, more)]
        found: dict[str, Any] = json.loads(subprocess.run(command, cwd=work, check=True, capture_output=True).stdout)
        return found

    own, paired = told(lists), {} if lists == ours else told(ours, "--against", lists)
    row = {"users": own["users"]}
    for key in ("recall@20", "ndcg@20"):
        row[key] = f"{own[key]:.4f} ± {own[f'{key}_se']:.4f}"
        if paired:
            row[f"blend less this ({key})"] = f"{paired[f'{key}_gain']:+.4f} ± {paired[f'{key}_gain_se']:.4f}"
    return row


def _paretail(folder: Path, *arguments: object) -> None:
    subprocess.run([PARETAIL, *map(str, arguments)], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip


if __name__ == "__main__":
    main()
