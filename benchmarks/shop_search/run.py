"""Architecture search on real shops: what it finds beside presets and tuned MF; and a table of many architectures.

    PARETAIL_DATA=... python benchmarks/shop_search/run.py search [SET ...] [--trials 40] [--budget 60m] [--seeds 0]
    PARETAIL_DATA=... python benchmarks/shop_search/run.py table [--most 100]
    python benchmarks/shop_search/run.py replay

`search` runs `paretail search` with all presets among the baselines, trained on the same split with the same early
stopping, and then reads the hold-out once: for what was chosen, and for bundles that `paretail train` makes of `blend`,
`mf`, `lightgcn` and the preset that was best in validation, each preset for the epochs that were its best there.
`table` goes on with table.csv beside this file (`table.py` says what it holds): accuracy on both parts of validation
users, p99 latency, memory, recall of cold users and coverage of 444 architectures on two small sets with three seeds.
`replay` searches that table, without any training (`replay.py`).
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "real_sets")]
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
import replay  # noqa: E402
import table  # noqa: E402
from sets import SETS, Set  # noqa: E402

from paretail.pipeline.search_rivals import CHOOSING_SHARE  # noqa: E402
from paretail.retrieve.spec import PRESETS  # noqa: E402
from paretail.search.config import SearchConfig  # noqa: E402

USUAL = ("lastfm", "retailrocket")
TESTED = ("blend", "mf", "lightgcn")
#: Wide vectors, the contrast's two views and 16 epochs take two to four times as long as the rest: not searched here.
ALONE = "[rank]\nenabled = false\n\n"
FIXED = "screen = 0.125\nkeep = 0.17\n\n[search.space]\ndim = 64\ncontrast = 0.0\nepochs = 8\n"


def main() -> None:
    """Run the sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["search", "table", "replay"], nargs="?", default="search")
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], default=[])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--budget", default="60m")
    parser.add_argument("--most", type=int, help="rows that are added to the table at most")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="keep shop.toml, bundles and journals here")
    asked = parser.parse_args()
    if asked.what == "table":
        print(f"{table.measure([*table.SETS], table.SEEDS, asked.most)} trained now; {table.FILE.name} is up to date")
    if asked.what == "replay":
        replay.record(HERE)
    if asked.what == "search":
        for name, data, work in harness.real_sets(asked.sets or USUAL, asked.out):
            _search(name, data, work, asked)


def _search(name: str, data: Path, work: Path, asked: argparse.Namespace) -> None:
    about = harness.circumstances() | {"seeds": asked.seeds, "trials": asked.trials, "budget": asked.budget}
    rows = []
    for seed in asked.seeds:
        out = work / f"search-{seed}"
        config = _config(SETS[name], data, work, "blend")
        command = [harness.PARETAIL, "search", "--config", config, "--out", out, "--trials", asked.trials, "--budget"]
        command += [asked.budget, "--seed", seed, "--workers", asked.workers, "--json"]
        told = json.loads(harness.meter([*map(str, command)], work).printed)
        tests = {told["chosen"]["name"]: _tested(Path(told["bundle"]), SETS[name], data, work)}
        for rival, epochs in _presets(told).items():
            tests[rival] = _tested(
                _bundle(rival, epochs, SETS[name], data, work, asked.budget, seed), SETS[name], data, work
            )
        about |= {f"search {seed}": _how(told, out)}
        rows += [_row(seed, one, one["name"] == told["chosen"]["name"], tests) for one in told["rivals"]]
        print(json.dumps([about[f"search {seed}"], rows], indent=1), flush=True)
    harness.record(HERE, f"search {name}", about, rows)


def _how(told: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return how the search went: what was chosen, and what it took."""
    trained = sum(one["trained"] is not None for one in told["trials"])
    return {"chosen": told["chosen"]["settings"], "stopped": told["stopped"], "trials": len(told["trials"]),
            "trained": trained, "minutes": round(told["seconds"] / 60, 1), "cpu_s": _worked(out)}  # fmt: skip


def _row(seed: int, one: dict[str, Any], chosen: bool, tests: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Return a line of the table: validation, users kept apart, and the hold-out with its intervals of 95 %."""
    whole, ahead = one["trained"] or {}, one["chosen_ahead"]
    test, metrics = tests.get(one["name"], {}), dict.fromkeys(metric for told in tests.values() for metric in told)
    return {
        "seed": seed, "model": f"chosen: {one['name']}" if chosen else one["name"],
        "validation ndcg@20": f"{whole['ndcg']:.4f} ± {whole['error']:.4f}" if "ndcg" in whole else "",
        "kept apart": f"{one['apart']:.4f}" if one["apart"] is not None else "",
        "chosen ahead there by": "{:+.4f} ± {:.4f}".format(*ahead) if ahead else "",
        **{f"hold-out {name}": "{:.4f} ({:.4f} to {:.4f})".format(*test[name]) if test else "" for name in metrics},
    }  # fmt: skip


def _worked(out: Path) -> float:
    """Return the CPU seconds of all trainings of a search, whichever run of it they were in."""
    lines = [json.loads(line) for line in (out / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()]
    return round(sum(line["found"].get("cpu_seconds", 0.0) for line in lines if "found" in line), 1)


def _presets(told: dict[str, Any]) -> dict[str, int | None]:
    """Return which rivals meet the hold-out, and for how many epochs the presets among them are trained."""
    epochs = {one["name"]: one["trained"].get("epochs") for one in told["rivals"] if "ndcg" in (one["trained"] or {})}
    scores = {one["name"]: one["trained"]["ndcg"] for one in told["rivals"] if one["name"] in epochs}
    presets = [name for name in scores if name in PRESETS and name != "mf"]
    return {name: epochs[name] for name in dict.fromkeys([*TESTED, max(presets, key=lambda name: scores[name])])}


def _bundle(rival: str, epochs: int | None, shop: Set, data: Path, work: Path, budget: str, seed: int) -> Path:
    """Train a rival, which has as long to choose its settings as in a search of `budget`."""
    config, bundle = _config(shop, data, work, rival), work / f"{rival}-{seed}"
    if epochs:
        config.write_text(
            config.read_text(encoding="utf-8") + f"\n[model.settings]\nepochs = {epochs}\n", encoding="utf-8"
        )
    choosing = CHOOSING_SHARE * SearchConfig(budget=budget).budget_seconds
    where = ["--config", str(config), "--out", str(bundle), "--seed", str(seed), "--budget", f"{choosing:.0f}s"]
    if not bundle.exists():
        harness.meter([harness.PARETAIL, "train", *where], work)
    return bundle


def _config(shop: Set, data: Path, work: Path, model: str) -> Path:
    """Write shop.toml by `paretail init`, with the question of the set and every preset as a baseline."""
    config = work / f"{model}.toml"
    tables = [part for table in shop.tables for part in (f"--{table}", str(data / f"{table}.parquet"))]
    kinds = [part for kind in shop.kinds for part in ("--kind", kind)]
    harness.meter([harness.PARETAIL, "init", *tables, *kinds, "--out", str(config), "--force"], work)
    protocol = shop.protocols[-1].exclude
    mode = protocol if protocol in ("all", "none") else "target"
    baselines = json.dumps(["blend", "mf", *(preset for preset in PRESETS if preset != "mf")])
    text = f'\n[model]\nname = "{model}"\n\n{ALONE}[search]\nexclude = "{mode}"\nbaselines = {baselines}\n{FIXED}'
    config.write_text(config.read_text(encoding="utf-8") + text, encoding="utf-8")
    return config


def _tested(bundle: Path, shop: Set, data: Path, work: Path) -> dict[str, Any]:
    """Return the hold-out's figures of a bundle with their intervals, in the set's last protocol."""
    protocol = shop.protocols[-1]
    command = [harness.PARETAIL, "evaluate", "--bundle", bundle, "--holdout", data / "holdout.parquet", "--exclude"]
    told = json.loads(harness.meter([*map(str, [*command, protocol.exclude, "--json"])], work).printed)
    rows = next(iter(told["reports"].values()))["rows"]
    wanted = {tuple(metric.split("@")) for metric in protocol.metrics}
    return {
        f"{row['metric']}@{row['k']}": [row["mean"], row["low"], row["high"]]
        for row in rows if row["segment"] == "all" and (row["metric"], str(row["k"])) in wanted
    }  # fmt: skip


if __name__ == "__main__":
    main()
