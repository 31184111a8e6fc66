"""Predictions against a planted shop's exact truth, with the commands that a user would run.

    PARETAIL_WORLD=.../world.py python benchmarks/rank/run.py [defaults rho controls transfer latency balancers]
        [--seeds 1 2 3 4 5] [--keep FOLDER]

`world.py OUT --seed S --users U --items I --impressions N --rho R` writes a shop whose click, purchase and value
expectations are known, and `score_predictions.py` beside it judges; neither shares code with us, nor sees ours.

- `defaults`: init, train and predict as they come.
- `rho`: what sharing brings where the tastes of clicking and buying agree by rho, against models in which each task has
  vectors and networks of its own, as many numbers in all. `over`: by how much the mean excess log-loss is above that of
  the single-task models, in per cent of the log-loss; `p`: of a paired t-test that purchases gain.
- `controls`: what must fail does. Least squares on log(1 + value) over clicks (`controls.py`), and purchases learned by
  ESMM alone, beside the ranker's own figures.
- `transfer`: half of the users are a country of their own with a tenth of its requests, and start from the other half's
  bundle; beside it the same country alone, with a tenth, a fifth and two fifths.
- `latency`: 500 candidates of one user, in process, one thread: what the ranker takes, and the whole answer of
  `POST /v1/rank` without the network.
- `balancers`: a step with each balancer, in plain steps, with gradients at what tasks share and at all parameters.

What is in `--keep` is not trained again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import controls  # noqa: E402  # beside this file
import countries  # noqa: E402  # beside this file
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from scipy.stats import ttest_rel  # noqa: E402

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


#: How a small country starts, and the shares of its requests that it has.
STARTS = {
    "nothing": ("", (0.1, 0.2, 0.4)),
    "columns of the large one": ('start_from = "../large/bundle"\n', (0.1,)),
    "items too": ('start_from = "../large/bundle"\nstart_items = true\n', (0.1,)),
}
CONTROL = 'space = "esmm"\n'


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--keep", type=Path, help="a folder where the figures of each model are kept")
    parser.add_argument("--impressions", type=int, default=SIZE["impressions"], help="fewer for a quicker look")
    asked = parser.parse_args()
    world = Path(os.environ.get("PARETAIL_WORLD", ""))
    if not world.is_file():
        print("skipped: PARETAIL_WORLD does not name the script that writes planted shops")
        return
    SIZE["impressions"] = asked.impressions
    for part in asked.parts:
        about = harness.circumstances() | SIZE | {"seeds": asked.seeds}
        harness.record(HERE, part, about, PARTS[part](world, asked.seeds, asked.keep))


def _defaults(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    found = []
    for seed in seeds:
        with _shop(world, seed, "0.7") as shop:
            found.append(harness.kept(keep, f"defaults-{seed}", partial(_judged, shop, "", None)))
    rows = [{"world": f"seed {seed}", **one} for seed, one in zip(seeds, found, strict=True)]
    means = {name: round(mean(row[name] for row in found), 4) for name in found[0]}
    return [*rows, {"world": f"mean of {len(seeds)}", **means}]


def _rho(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    rows = []
    for rho in ("0", "0.5", "0.9"):
        found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
        for seed in seeds:
            with _shop(world, seed, rho) as shop:
                least = _least(shop)
                for arm, settings in ARMS.items():
                    judged = partial(_judged, shop, settings, "popular")
                    found[arm].append(harness.kept(keep, f"rho-{rho}-{seed}-{arm}", judged) | least)
        for task in ("click", "purchase"):
            shared, single = (np.array([one[f"{task}_excess_logloss"] for one in found[arm]]) for arm in ARMS)
            whole = single + np.array([one[f"{task}_least"] for one in found["single"]])
            test = ttest_rel(shared, single, alternative="less") if len(seeds) > 1 else None
            rows.append({
                "rho": rho, "task": task, "shared": _each(shared), "single": _each(single),
                "over": round(float(100 * ((shared - single) / whole).mean()), 3),
                "p": None if test is None else float(f"{test.pvalue:.2g}"),
            })  # fmt: skip
    return rows


def _each(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _least(shop: Path) -> dict[str, float]:
    """Return the log-loss of the true probabilities: with the excess it is the whole log-loss."""
    truth = pl.read_parquet(shop / "truth_pairs.parquet")
    chances = {task: truth[f"p_{task}"].to_numpy() for task in ("click", "purchase")}
    return {f"{task}_least": float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()) for task, p in chances.items()}


def _controls(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    rows = []
    for seed in seeds:
        with _shop(world, seed, "0.7") as shop:
            ours, esmm = (
                harness.kept(keep, f"rho-0.7-{seed}-{arm}", partial(_judged, shop, settings, "popular"))
                for arm, settings in (("shared", ""), ("esmm", CONTROL))
            )
            told = controls.revenue_ratio(shop)
            rows.append({
                "world": f"seed {seed}",
                "log(1 + value): revenue ratio": told["log"], "value: revenue ratio": told["plain"],
                "ranker: value ratio": ours["value_ratio"], "esmm: purchase corr": esmm["purchase_corr"],
                "ranker: purchase corr": ours["purchase_corr"],
            })  # fmt: skip
    return rows


def _transfer(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    rows = []
    for seed in seeds:
        with _shop(world, seed, "0.7") as shop:
            _judged(countries.country(shop, shop / "large", 0, 1.0, seed), "", "popular")
            for arm, (settings, shares) in STARTS.items():
                for share in shares:
                    small = countries.country(shop, shop / f"{arm}-{share}".replace(" ", "-"), 1, share, seed)
                    told = _judged(small, settings, "popular")
                    figures = {name: told[name] for name in ("click_corr", "purchase_corr", *LOSSES)}
                    rows.append({"world": f"seed {seed}", "start": arm, "share of its requests": share, **figures})
    return rows


def _latency(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    """One shop suffices; nothing is kept."""
    with _shop(world, seeds[0], "0.7") as shop:
        _judged(shop, "", "popular")
        run = [sys.executable, str(HERE / "latency.py"), str(shop / "bundle")]
        env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        told = subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout
    return json.loads(told)


def _balancers(world: Path, seeds: list[int], keep: Path | None) -> list[dict[str, Any]]:
    """One shop suffices; nothing is kept."""
    with _shop(world, seeds[0], "0.7") as shop:
        run = [sys.executable, str(HERE / "balancers.py"), str(shop)]
        env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        told = subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout
    return json.loads(told)


@contextmanager
def _shop(world: Path, seed: int, rho: str) -> Iterator[Path]:
    """Write a planted shop and its first shop.toml."""
    with tempfile.TemporaryDirectory() as folder:
        size = [word for name, value in SIZE.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(world), folder, "--seed", str(seed), "--rho", rho, *size]
        subprocess.run(command, check=True, capture_output=True)
        tables = [f"--{name}={name}.parquet" for name in ("events", "items", "users")]
        init = [sys.executable, "-m", "paretail", "init", *tables, "--out", "shop.toml"]
        subprocess.run(init, cwd=folder, check=True, capture_output=True)
        yield Path(folder)


def _judged(shop: Path, settings: str, model: str | None) -> dict[str, Any]:
    """Return the judge's figures of one shop, and what training cost."""
    text = (shop / "shop.toml").read_text()
    text += f'\n[model]\nname = "{model}"\n' if model else ""
    text += f"\n[rank]\n{settings}" if settings else ""
    (shop / "asked.toml").write_text(text)
    paretail = [sys.executable, "-m", "paretail"]
    used = harness.meter([*paretail, "train", "--config", "asked.toml", "--out", "bundle"], shop)
    asked = ["--bundle", "bundle", "--pairs", "pairs.parquet", "--out", "told.parquet"]
    subprocess.run([*paretail, "predict", *asked], cwd=shop, check=True, capture_output=True)
    world = Path(os.environ["PARETAIL_WORLD"])
    judge = [sys.executable, str(world.parent / "score_predictions.py"), "told.parquet", "."]
    told = json.loads(subprocess.run(judge, cwd=shop, check=True, capture_output=True, text=True).stdout)
    return {name: told[name] for name in (*FIGURES, *LOSSES)} | used.cost()


PARTS = {"defaults": _defaults, "rho": _rho, "controls": _controls, "transfer": _transfer, "latency": _latency,
         "balancers": _balancers}  # fmt: skip


if __name__ == "__main__":
    main()
