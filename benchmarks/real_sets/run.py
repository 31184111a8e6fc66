"""Accuracy and cost on real shops: the command line trains and recommends, a script that shares no code scores.

    PARETAIL_DATA=... PARETAIL_JUDGE=.../score_lists.py python benchmarks/real_sets/run.py [SET ...]
        [--models NAME ...] [--seeds 0 1 2] [--budget 10m] [--dry KEY=VALUE ...] [--out FOLDER]

For every set: `paretail init` writes shop.toml, `[model] name` is set, then `paretail train` and one
`paretail recommend` a protocol, each a process of its own under the meter. No command is ever given holdout.parquet but
the scorer. Without PARETAIL_JUDGE, `paretail evaluate` scores.

A row of FIXED (`sets.py`: `--models "lightgcn, fixed"`) has its settings from there and a second to search, which finds
nothing left. `--dry epochs=1` changes settings of such rows to see that they run, and records nothing.

Rows of models that do not run stay as an earlier run left them. A figure is the mean over seeds; its standard error is
that over users (the judge's), and `spread` the largest difference between seeds.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomlkit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from sets import FIXED, PUBLISHED, SETS, Protocol, Set  # noqa: E402

from paretail.pipeline.config import ModelConfig  # noqa: E402

JUDGE = os.environ.get("PARETAIL_JUDGE")
OURS = ModelConfig().name  # what a shop gets that names no model
ALIKE = ("popular",)  # models without randomness: one seed is enough


def main() -> None:
    """Run the sets and models that are asked for, and record each set's rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], default=list(SETS))
    parser.add_argument("--models", nargs="+", default=[OURS, "popular", "als", "mf"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--without-ranker", action="store_true", help="train no ranker; lists have the model's order")
    parser.add_argument("--dry", nargs="+", default=[], metavar="KEY=VALUE", help="try rows of FIXED, record nothing")
    parser.add_argument("--out", type=Path, help="keep shop.toml, bundles and lists here")
    asked = parser.parse_args()
    for name, data, work in harness.real_sets(asked.sets, asked.out):
        about = harness.circumstances() | {"seeds": asked.seeds, "budget": asked.budget, "scored_by": _scorer()}
        about |= {"without_ranker": asked.models} if asked.without_ranker else {}
        rows = [row for model in asked.models for row in _model(model, name, data, work, asked)]
        if asked.dry:
            print(json.dumps(rows, indent=1))
            continue
        harness.record(HERE, name, about, _with_others(name, asked.models, rows) + PUBLISHED.get(name, []))


def _with_others(name: str, models: list[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the new rows and, of earlier runs, those of models that did not run now, which say when they ran."""
    file = HERE / "results.json"
    earlier = json.loads(file.read_text(encoding="utf-8")).get(name, {"rows": []}) if file.exists() else {"rows": []}
    told = {"earlier": {key: earlier[key] for key in ("date", "commit", "budget") if key in earlier}}
    others = [told | row for row in earlier["rows"] if row["model"] not in models and row["protocol"] != "published"]
    return sorted(rows + others, key=lambda row: (row["protocol"], not row["ours"]))


def _scorer() -> str:
    return Path(JUDGE).name if JUDGE else "paretail evaluate"


def _model(model: str, name: str, data: Path, work: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of one model: one a protocol, over all seeds."""
    shop = SETS[name]
    config = _configure(model, shop, data, work, asked)
    found: dict[str, list[dict[str, Any]]] = {}
    slug = _slug(model)
    for seed in asked.seeds[:1] if model in ALIKE else asked.seeds:
        bundle = work / f"{slug}-{seed}"
        trained = _train(config, bundle, seed, "1s" if model in FIXED else asked.budget)
        for protocol in shop.protocols:
            lists = work / f"{slug}-{seed}-{protocol.exclude}.parquet"
            listed = harness.meter([harness.PARETAIL, *_recommend(bundle, protocol, data, lists)], work)
            scores = _score(bundle, lists, protocol, data)
            if JUDGE and "ranker" in json.loads(trained.printed)["facts"]:
                scores |= _of_ranker(bundle, lists, protocol, data, work)
            print(f"{name} {protocol.name} {model} seed {seed}: {scores} {trained.cost()} {listed.cost()}", flush=True)
            run = {"scores": scores, "train": trained.cost(), "recommend": listed.cost()}
            found.setdefault(protocol.name, []).append(run)
    rows = [_row(model, protocol, runs) for protocol, runs in found.items()]
    if model == OURS:
        rows[0]["train_settings_given"] = _given(config, trained, work, asked).cost()
    return rows


def _train(config: Path, bundle: Path, seed: int, budget: str) -> harness.Used:
    where = ["--config", str(config), "--out", str(bundle)]
    command = [harness.PARETAIL, "train", *where, "--seed", str(seed), "--budget", budget, "--json"]
    return harness.meter(command, config.parent)


def _given(config: Path, trained: harness.Used, work: Path, asked: argparse.Namespace) -> harness.Used:
    """Train once more with the settings that were chosen, so that nothing is left to search."""
    settings = json.loads(trained.printed)["facts"]["settings"]
    document = tomlkit.parse(config.read_text(encoding="utf-8"))
    document["model"]["settings"] = {key: value for key, value in settings.items() if value is not None}
    given = config.with_stem(f"{config.stem}-given")
    given.write_text(tomlkit.dumps(document), encoding="utf-8")
    return _train(given, work / "given", asked.seeds[-1], asked.budget)


def _slug(model: str) -> str:
    return model.replace(", ", "-").replace(" ", "-")


def _configure(model: str, shop: Set, data: Path, work: Path, asked: argparse.Namespace) -> Path:
    """Write shop.toml by `paretail init`, and name the model in it, with its settings where these are fixed."""
    config = work / f"{_slug(model)}.toml"
    tables = [part for table in shop.tables for part in (f"--{table}", str(data / f"{table}.parquet"))]
    kinds = [part for kind in shop.kinds for part in ("--kind", kind)]
    harness.meter([harness.PARETAIL, "init", *tables, *kinds, "--out", str(config), "--force"], work)
    document = tomlkit.parse(config.read_text(encoding="utf-8"))
    name, settings = FIXED.get(model, (model, {}))
    settings = settings | {key: json.loads(value) for key, value in (told.split("=", 1) for told in asked.dry)}
    document["model"] = {"name": name, **({"settings": settings} if settings else {})}
    if asked.without_ranker:
        document["rank"] = {"enabled": False}
    config.write_text(tomlkit.dumps(document), encoding="utf-8")
    return config


def _recommend(bundle: Path, protocol: Protocol, data: Path, lists: Path) -> list[str]:
    users = str(data / protocol.users) if protocol.users else "all"
    asked = ["--users", users, "-k", str(max(protocol.ks)), "--exclude", protocol.exclude]
    return ["recommend", "--bundle", str(bundle), *asked, "--out", str(lists)]


def _of_ranker(bundle: Path, lists: Path, protocol: Protocol, data: Path, work: Path) -> dict[str, dict[str, float]]:
    """Return what the bundle's ranker adds to the model's lists, nothing where `train` saw no sure gain."""
    plain = lists.with_stem(f"{lists.stem}-model")
    harness.meter([harness.PARETAIL, *_recommend(bundle, protocol, data, plain), "--order", "model"], work)
    told = _json([*_judged(lists, protocol, data), "--against", str(plain)])
    return {f"{name} by the ranker": {"mean": told[f"{name}_gain"], "se": told[f"{name}_gain_se"]}
            for name in protocol.metrics if told[f"{name}_gain_se"] > 0}  # fmt: skip


def _judged(lists: Path, protocol: Protocol, data: Path) -> list[str]:
    command = [sys.executable, str(JUDGE), str(lists), str(data), "--k", *map(str, protocol.ks)]
    command += ["--mask-events", protocol.mask]
    return [*command, *(["--users", str(data / protocol.users)] if protocol.users else [])]


def _score(bundle: Path, lists: Path, protocol: Protocol, data: Path) -> dict[str, dict[str, float]]:
    """Return each metric of the protocol with its standard error over users."""
    if JUDGE:
        told = _json(_judged(lists, protocol, data))
        return {name: {"mean": told[name], "se": told[f"{name}_se"]} for name in protocol.metrics}
    command = [harness.PARETAIL, "evaluate", "--bundle", str(bundle), "--holdout", str(data / "holdout.parquet")]
    (told,) = _json([*command, "--exclude", protocol.exclude, "--against", "none", "--json"])["reports"].values()
    rows = {f"{row['metric']}@{row['k']}": row for row in told["rows"] if row["segment"] == "all"}
    return {name: {"mean": rows[name]["mean"]} for name in protocol.metrics}


def _json(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _row(model: str, protocol: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds of what the runs scored and took."""
    metrics = {}
    nothing = {"mean": 0.0, "se": 0.0}
    for name in dict.fromkeys(name for run in runs for name in run["scores"]):
        scores = [run["scores"].get(name, nothing) for run in runs]  # of a seed whose lists keep the model's order
        means = [score["mean"] for score in scores]
        errors = [score.get("se", 0.0) for score in scores]
        metrics[name] = {
            "mean": round(sum(means) / len(means), 5),
            "se": round(sum(errors) / len(errors), 5),
            "spread": round(max(means) - min(means), 5),
        }
    costs = {
        step: {key: round(sum(run[step][key] for run in runs) / len(runs), 2) for key in runs[0][step]}
        for step in ("train", "recommend")
    }
    row = {"model": model, "protocol": protocol, "seeds": len(runs), "ours": model == OURS}
    return {**row, "metrics": metrics, **costs}


if __name__ == "__main__":
    main()
