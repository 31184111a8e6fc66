"""How long the import of a million CSV events takes, and how much memory: `paretail import` on a generated file.

python benchmarks/import/run.py [--events 1000000] [--runs 3]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up


def write_events(path: Path, count: int, seed: int = 0) -> None:
    """Write a log in which few items have most events, with times, prices and four kinds of event."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, count // 20, count), (rng.pareto(1.1, count) * 20).astype(np.int64) % (count // 25)
    events = pl.DataFrame(
        {
            "user_id": pl.Series(users).cast(pl.String),
            "item_id": pl.Series(items).cast(pl.String),
            "event": rng.choice(["view", "cart", "favourite", "purchase"], count, p=[0.8, 0.1, 0.05, 0.05]),
            "ts": np.sort(rng.integers(1_700_000_000, 1_730_000_000, count)),
            "price": rng.lognormal(3, 1, count).round(2),
            "quantity": rng.integers(1, 4, count),
        }
    )
    events.write_csv(path)


def main() -> None:
    """Generate, import, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    about, rows = harness.circumstances(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_events(folder / "events.csv", asked.events)
        harness.meter([harness.PARETAIL, "init", "--events", "events.csv", "--out", "shop.toml"], folder)
        for run in range(1, asked.runs + 1):
            command = [harness.PARETAIL, "import", "--config", "shop.toml", "--out", f"imported_{run}"]
            rows.append({"events": asked.events, "run": run, **harness.meter(command, folder).cost()})
    harness.record(HERE, "csv", about, rows)


if __name__ == "__main__":
    main()
