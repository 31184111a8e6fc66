"""Two countries of one planted shop: the same items, users of their own; of the smaller one a share of the requests."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

USER = pl.col("user_id")


def country(shop: Path, out: Path, half: int, share: float, seed: int) -> Path:
    """Write the shop of every second user (`half` 0 or 1) with a share of its requests, and return where it lies."""
    out.mkdir()
    mine = USER.str.slice(1).cast(pl.Int64) % 2 == half
    events = pl.read_parquet(shop / "events.parquet").filter(mine)
    requests = events["request_id"].unique(maintain_order=True)
    keep = np.random.default_rng([seed, half]).permutation(len(requests))[: round(share * len(requests))]
    events = events.filter(pl.col("request_id").is_in(requests[np.sort(keep)].implode()))
    events.write_parquet(out / "events.parquet")
    pl.read_parquet(shop / "items.parquet").write_parquet(out / "items.parquet")
    for name in ("users", "pairs", "truth_pairs"):
        pl.read_parquet(shop / f"{name}.parquet").filter(mine).write_parquet(out / f"{name}.parquet")
    tables = [f"--{name}={name}.parquet" for name in ("events", "items", "users")]
    init = [sys.executable, "-m", "paretail", "init", *tables, "--out", "shop.toml"]
    subprocess.run(init, cwd=out, check=True, capture_output=True)
    return out
