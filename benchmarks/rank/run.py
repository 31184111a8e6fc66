"""Predictions against a planted shop's exact truth, with the commands that a user would run.

    PARETAIL_WORLD=.../world.py python benchmarks/rank/run.py [defaults rho] [--seeds 1 2 3 4 5]

`world.py OUT --seed S --users U --items I --impressions N --rho R` writes a shop whose click, purchase and value
expectations are known, and `score_predictions.py` beside it judges; neither shares code with us, nor sees ours.
`defaults`: init, train and predict as they come. `rho`: what sharing brings where the tastes of clicking and buying
agree by rho, against models in which each task has vectors and networks of its own, as many numbers in all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

SIZE = {"users": 2000, "items": 600, "impressions": 1_000_000}
FIGURES = (
    "click_corr", "click_ece", "click_ratio", "purchase_corr", "purchase_ece", "purchase_ratio", "value_spearman",
    "value_ratio", "cold_item_click_corr",
)  # fmt: skip
LOSSES = ("click_excess_logloss", "purchase_excess_logloss")
ARMS = {
    "shared": "",
    "single": 'sharing = "single"\nshared_vectors = false\n',
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["defaults", "rho"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    asked = parser.parse_args()
    world = Path(os.environ.get("PARETAIL_WORLD", ""))
    if not world.is_file():
        print("skipped: PARETAIL_WORLD does not name the script that writes planted shops")
        return
    for part in asked.parts:
        about = harness.circumstances() | SIZE | {"seeds": asked.seeds}
        rows = _defaults(world, asked.seeds) if part == "defaults" else _rho(world, asked.seeds)
        harness.record(HERE, part, about, rows)


def _defaults(world: Path, seeds: list[int]) -> list[dict[str, Any]]:
    found = [_judged(world, seed, "0.7", "", None) for seed in seeds]
    rows = [{"world": f"seed {seed}", **one} for seed, one in zip(seeds, found, strict=True)]
    means = {name: round(mean(row[name] for row in found), 4) for name in found[0]}
    return [*rows, {"world": f"mean of {len(seeds)}", **means}]


def _rho(world: Path, seeds: list[int]) -> list[dict[str, Any]]:
    rows = []
    for rho in ("0", "0.5", "0.9"):
        for arm, settings in ARMS.items():
            found = [_judged(world, seed, rho, settings, "popular") for seed in seeds]
            rows.append(
                {"rho": rho, "arm": arm, **{f"{name} by seed": [row[name] for row in found] for name in LOSSES}}
            )
    return rows


def _judged(world: Path, seed: int, rho: str, settings: str, model: str | None) -> dict[str, Any]:
    """Return the judge's figures of one shop, and what training cost."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Path(folder)
        size = [word for name, value in SIZE.items() for word in (f"--{name}", str(value))]
        subprocess.run(
            [sys.executable, world, shop, "--seed", str(seed), "--rho", rho, *size], check=True, capture_output=True
        )
        paretail = [sys.executable, "-m", "paretail"]
        tables = [f"--{name}={name}.parquet" for name in ("events", "items", "users")]
        subprocess.run([*paretail, "init", *tables, "--out", "shop.toml"], cwd=shop, check=True, capture_output=True)
        with (shop / "shop.toml").open("a") as file:
            file.write(f'\n[model]\nname = "{model}"\n' if model else "")
            file.write(f"\n[rank]\n{settings}" if settings else "")
        used = harness.meter([*paretail, "train", "--config", "shop.toml", "--out", "bundle"], shop)
        asked = ["--bundle", "bundle", "--pairs", "pairs.parquet", "--out", "told.parquet"]
        subprocess.run([*paretail, "predict", *asked], cwd=shop, check=True, capture_output=True)
        judge = [sys.executable, world.parent / "score_predictions.py", "told.parquet", "."]
        told = json.loads(subprocess.run(judge, cwd=shop, check=True, capture_output=True, text=True).stdout)
    return {name: told[name] for name in (*FIGURES, *LOSSES)} | used.cost()


if __name__ == "__main__":
    main()
