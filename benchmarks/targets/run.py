"""Lists of attributes and of people: what `paretail train --target` finds of held-out purchases and links.

    python benchmarks/targets/run.py [SET ...]        # beauty, lastfm; from PARETAIL_DATA

`beauty`: which attribute a user buys next. The held-out purchase of each user is turned into the attributes of its
item; those count that under 5 % of the items carry and that the user has not bought before. The rival is what is most
frequent among the buyers of the same items: so many of them bought the attribute, each counting once, or once for each
item shared.

`lastfm`: whom a user befriends next, against Adamic-Adar; and items by links against the same without them.

All is scored here, from the files that the commands write. Holdouts are read by nothing else.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

#: An attribute counts that a smaller share of the items carries.
RARE: Final = 0.05
Values = NDArray[np.float64]
Row = dict[str, Any]


def main() -> None:
    """Measure the sets asked for, by default all, and record a part for each."""
    about = harness.circumstances()
    data = Path(os.environ.get("PARETAIL_DATA", ""))
    sets = {"beauty": attributes, "lastfm": people}
    for name in sys.argv[1:] or sets:
        if "PARETAIL_DATA" not in os.environ or not (data / name).is_dir():
            print(f"{name}: not in PARETAIL_DATA, left out")
            continue
        with tempfile.TemporaryDirectory() as folder:
            harness.record(HERE, name, about, sets[name](data / name, Path(folder)))


def attributes(data: Path, folder: Path) -> list[Row]:
    """Return the recall of attributes that a user has not bought before."""
    toml = f'[data]\nevents = "{data}/events.parquet"\nitems = "{data}/items.parquet"\ntime = "order"\n'
    lists = listed(folder, toml + '[data.kinds]\nbuy = "purchase"\n', "attributes", 300, "--exclude", "buy")
    items = pl.read_parquet(data / "items.parquet").explode("attributes").rename({"attributes": "label"}).drop_nulls()
    share = items.group_by("label").agg(pl.len() / items["item_id"].n_unique())
    rare = share.filter(pl.col("len") < RARE).select("label")
    before = pl.read_parquet(data / "events.parquet").select("user_id", "item_id").unique()
    had = before.join(items, on="item_id").select("user_id", "label").unique()

    def new(pairs: pl.DataFrame) -> pl.DataFrame:
        return pairs.join(rare, on="label", how="semi").join(had, on=["user_id", "label"], how="anti")

    held = new(pl.read_parquet(data / "holdout.parquet").join(items, on="item_id").select("user_id", "label").unique())
    rivals = {
        "paretail train --target attributes": new(lists.rename({"item_id": "label"})),
        "buyers of the same items": new(frequent(before, had, weighted=False)),
        "the same, once for each item shared": new(frequent(before, had, weighted=True)),
    }
    return compared({name: recall(pairs, held, 5) for name, pairs in rivals.items()}, "Recall@5")


def frequent(before: pl.DataFrame, had: pl.DataFrame, weighted: bool) -> pl.DataFrame:
    """Return for each user how many buyers of the same items bought each label: `user_id, label, score`."""
    users, items, labels = (frame[name].unique().sort() for frame, name in
                            ((before, "user_id"), (before, "item_id"), (had, "label")))  # fmt: skip
    bought = marks(before["user_id"], users, before["item_id"], items)
    of_label = marks(had["user_id"], users, had["label"], labels)
    parts = []
    for start in range(0, len(users), 2000):
        others = bought[start : start + 2000] @ bought.T
        others.data = others.data if weighted else np.ones_like(others.data)
        counts = sparse.coo_array(others @ of_label)
        parts.append(pl.DataFrame({
            "user_id": users.gather(counts.row.astype(np.int64) + start), "label": labels.gather(counts.col),
            "score": counts.data,
        }))  # fmt: skip
    return pl.concat(parts)


def marks(rows: pl.Series, row_ids: pl.Series, columns: pl.Series, column_ids: pl.Series) -> sparse.csr_array:
    """Return 1 where a row and a column occur together."""
    at = [values.replace_strict(ids, range(len(ids)), return_dtype=pl.Int64).to_numpy()
          for values, ids in ((rows, row_ids), (columns, column_ids))]  # fmt: skip
    return sparse.csr_array((np.ones(len(rows), np.float32), tuple(at)), (len(row_ids), len(column_ids)))


def people(data: Path, folder: Path) -> list[Row]:
    """Return the recall of held-out links, and of held-out items with links and without."""
    toml = f'[data]\nevents = "{data}/events.parquet"\nlinks = "{data}/links.parquet"\n'
    kinds = "[data.kinds]\nlisten = { weight = 1.0 }\n"
    links = pl.read_parquet(data / "links.parquet").rename({"friend_id": "label"})
    both = pl.concat([links, links.select(user_id="label", label="user_id")]).unique()
    held = pl.read_parquet(data / "links_holdout.parquet").rename({"friend_id": "label"}).unique()
    friends = {
        "people: paretail train --target user": listed(folder, toml + kinds, "user", 20).rename({"item_id": "label"}),
        "people: Adamic-Adar": adamic_adar(both),
    }
    later = pl.read_parquet(data / "holdout.parquet").select("user_id", label="item_id").unique()
    alone = "\n".join(line for line in toml.splitlines() if not line.startswith("links")) + "\n"
    items = {
        name: listed(folder, text + kinds, "item", 20).rename({"item_id": "label"})
        for name, text in (("items: with links", toml), ("items: without", alone))
    }
    return [
        *compared({name: recall(pairs, held, 20) for name, pairs in friends.items()}, "Recall@20"),
        *compared({name: recall(pairs, later, 20) for name, pairs in items.items()}, "Recall@20"),
    ]


def adamic_adar(both: pl.DataFrame) -> pl.DataFrame:
    """Return people with friends in common, who are not known: `user_id, label, score`."""
    count = both.group_by("user_id").len()
    half = both.join(count, on="user_id").select(middle="user_id", label="label", weight=1 / pl.col("len").log())
    pairs = both.rename({"label": "middle"}).join(half, on="middle").filter(pl.col("user_id") != pl.col("label"))
    score = pairs.group_by("user_id", "label").agg(pl.col("weight").sum().alias("score"))
    return score.join(both, on=["user_id", "label"], how="anti")


def listed(folder: Path, toml: str, target: str, k: int, *more: str) -> pl.DataFrame:
    """Train on `toml` for a target and return everybody's lists: `user_id, item_id, score`."""
    (folder / "shop.toml").write_text(toml)
    bundle, out = folder / f"bundle-{len(list(folder.iterdir()))}", folder / "lists.parquet"
    harness.meter(
        [harness.PARETAIL, "train", "--config", "shop.toml", "--out", str(bundle), "--target", target], folder
    )
    ask = ["recommend", "--bundle", str(bundle), "--users", "all", "--out", str(out), "-k", str(k), *more]
    harness.meter([harness.PARETAIL, *ask], folder)
    return pl.read_parquet(out).select("user_id", "item_id", "score")


def recall(pairs: pl.DataFrame, held: pl.DataFrame, k: int) -> Values:
    """Return each user's share of held-out labels among the best k, users in order; equal scores by label."""
    best = pairs.sort("user_id", "score", "label", descending=[False, True, False]).group_by("user_id").head(k)
    hits = best.join(held, on=["user_id", "label"], how="semi").group_by("user_id").agg(pl.len().alias("hits"))
    counts = held.group_by("user_id").len().join(hits, on="user_id", how="left").sort("user_id")
    return np.asarray(counts["hits"].fill_null(0) / counts["len"], np.float64)


def compared(found: dict[str, Values], metric: str) -> list[Row]:
    """Return a row for each list, and what the first is better by, user by user."""
    first = next(iter(found.values()))
    return [
        {
            "lists": name, "users": len(values), metric: round(float(values.mean()), 4),
            "standard error": round(float(values.std() / np.sqrt(len(values))), 4),
            "the first is better by": "" if values is first else difference(first - values),
        }
        for name, values in found.items()
    ]  # fmt: skip


def difference(gain: Values) -> str:
    """Return a mean with its standard error."""
    return f"{gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}"


if __name__ == "__main__":
    main()
