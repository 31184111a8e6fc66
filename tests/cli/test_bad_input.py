"""What a ranker cannot learn from where the log does not tell what was shown: each is said, and by name.

With impressions: `test_predict.py`; what is said of each case in full: `tests/rank/test_bad_input.py`.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.core.clock import DAY_MS

from ..trained import paretail

USERS, ITEMS, DAYS = 240, 44, 120
START = 1_700_000_000_000


def views(seed: int = 0) -> pl.DataFrame:
    """People view what they like, on six days or more of four months."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(USERS, 2)) @ rng.normal(size=(2, ITEMS)) + rng.normal(size=ITEMS)
    odds = np.exp(taste) / np.exp(taste).sum(1, keepdims=True)
    user = np.repeat(np.arange(USERS), 30)
    item = np.concatenate([rng.choice(ITEMS, 30, p=odds[user]) for user in range(USERS)])
    ts = START + rng.integers(DAYS, size=len(user)) * DAY_MS + rng.integers(DAY_MS, size=len(user))
    return pl.DataFrame({"user_id": [f"u{k}" for k in user], "item_id": [f"i{k}" for k in item], "event": "view",
                         "ts_ms": ts})  # fmt: skip


def trained(folder: Path, events: pl.DataFrame, users: pl.DataFrame | None = None,
            items: pl.DataFrame | None = None, target: str = "") -> str:  # fmt: skip
    """Train on files, and return what is said."""
    tables = {"events": events, "users": users, "items": items}
    given = {name: frame for name, frame in tables.items() if frame is not None}
    for name, frame in given.items():
        frame.write_parquet(folder / f"{name}.parquet")
    asked = [f"--{name}={folder / name}.parquet" for name in given]
    assert paretail("init", *asked, "--out", folder / "shop.toml").code == 0
    text = (folder / "shop.toml").read_text()
    text = text.replace("[goal]\n", f'[goal]\ntarget = "{target}"\n') if target else text
    (folder / "shop.toml").write_text(f'{text}\n[model]\nname = "popular"\n')
    done = paretail("train", "--config", folder / "shop.toml", "--out", folder / "bundle")
    assert done.code == 0, done.err
    return " ".join(done.out.split())


def test_what_is_left_out_is_said_and_by_name(tmp_path: Path) -> None:
    events = views()
    future = events.head(1).with_columns(ts_ms=pl.lit(4_000_000_000_000, pl.Int64))
    carts = events.head(5).with_columns(event=pl.lit("cart"), ts_ms=pl.col("ts_ms") + 1000)
    said = trained(tmp_path, pl.concat([events, carts, future]), target="view")
    assert "1 in quarantine" in said  # what was not yet is in no column and no answer
    few = "fewer than 50 of the pairs asked reached it alone"
    assert f"Ranker: the task `cart` is left out: {few} Ranker" in said
    assert f"Ranker: the task `purchase` is left out: {few}; no event of that kind Ranker" in said
    assert "Ranker: the task `value` is left out: fewer than 20 purchases have a price" in said
    same = said.split("Ranker: the same for every pair, and so without a say: ")[1]
    assert {"category_lift,", "brand_lift,", "price_ratio,", "price_level,", "new,"} <= set(same.split()[:8])


def bought(events: pl.DataFrame) -> pl.DataFrame:
    """Half of the people buy a third of what they view."""
    buys = (pl.col("user_id").str.slice(1).cast(pl.Int64) < USERS // 2) & (pl.col("ts_ms") % 3 == 0)
    later = events.filter(buys).with_columns(event=pl.lit("purchase"), ts_ms=pl.col("ts_ms") + 1000)
    return pl.concat([events, later])


@pytest.mark.parametrize("leak", ["users", "items"])
def test_attributes_made_of_the_outcome_are_refused(leak: str, tmp_path: Path) -> None:
    events = bought(views())
    counts = events.filter(pl.col("event") == "purchase")
    users = events.select(pl.col("user_id").unique(maintain_order=True))
    items = events.select(pl.col("item_id").unique(maintain_order=True))
    if leak == "users":
        users = users.with_columns(
            ever=pl.col("user_id")
            .is_in(counts["user_id"].unique().implode())
            .replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
        )
        said = trained(tmp_path, events, users)
        assert "No ranker: the users' ever 'no' and `purchase` are the same for 98% of the users or more" in said
    else:
        sales = items.join(counts.group_by("item_id").len(), on="item_id", how="left")["len"].fill_null(0).to_numpy()
        facts = np.stack([sales, np.arange(items.height) % 7], 1).astype(np.float32)
        said = trained(
            tmp_path, events, None, items.with_columns(facts=pl.Series(facts, dtype=pl.Array(pl.Float32, 2)))
        )
        assert "No ranker: number 0 of the items' facts rises with their count of `purchase`" in said
    assert "(RANK-15)" in said
