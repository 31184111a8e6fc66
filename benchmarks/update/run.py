"""Update against training: accuracy and time, in one step of a tenth of the events, and after days of updates.

    PARETAIL_DATA=... python benchmarks/update/run.py [one days] [--models shop blend lightgcn] [--days 1 3 7]

All from the training events of online_retail; its holdout stays untouched. The last DAYS_ASKED days are what is asked.
Of the events before, the newest tenth is new (`one`), or the last k days, a day an update (`days`). `shop` is the
shop.toml that `paretail init` writes: the blend, and a ranker of its lists. Every training and update is a process of
its own under the meter; `paretail evaluate` scores. CPU seconds say more than wall time where the machine is busy;
update and training take turns, and the cheapest of each counts.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import tomlkit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

DAY_S = 86_400
DAYS_ASKED = 14
NEW = 0.1
K = 20
TURNS = 2
#: What shop.toml asks for beside what `paretail init` writes.
ASKS: dict[str, dict[str, Any]] = {
    "shop": {}, **{name: {"model": {"name": name}, "rank": {"enabled": False}} for name in ("blend", "lightgcn")}
}  # fmt: skip


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["one", "days"])
    parser.add_argument("--models", nargs="+", choices=list(ASKS), default=list(ASKS))
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--days", nargs="+", type=int, default=[1, 3, 7])
    asked = parser.parse_args()
    data = Path(os.environ.get("PARETAIL_DATA", "")) / "online_retail"
    if not (data / "events.parquet").exists():
        print("online_retail: skipped, PARETAIL_DATA does not hold it")
        return
    for part in asked.parts:
        about = harness.circumstances() | {"budget": asked.budget}
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(data.resolve(), Path(folder), asked.budget)
            run = bench.one if part == "one" else lambda model, bench=bench: bench.days(model, asked.days)
            rows: list[dict[str, Any]] = []
            for model in asked.models:
                rows += run(model)
                harness.record(HERE, part, about, [*rows, *_others(part, asked.models)])


def _others(part: str, models: list[str]) -> list[dict[str, Any]]:
    """Return the rows of earlier runs of models that do not run now."""
    file = HERE / "results.json"
    earlier = json.loads(file.read_text(encoding="utf-8")).get(part, {}).get("rows", []) if file.exists() else []
    return [row for row in earlier if row["model"] not in models]


class Bench:
    """A folder with the shop's events up to some moment, and what is asked of what comes after all of them."""

    def __init__(self, data: Path, work: Path, budget: str) -> None:
        self.data, self.work, self.budget = data, work, budget
        events = pl.read_parquet(data / "events.parquet").sort("ts", maintain_order=True)
        self.end = int(events["ts"].max()) - DAYS_ASKED * DAY_S  # type: ignore[arg-type]  # polars types it widely
        events.filter(pl.col("ts") > self.end).write_parquet(work / "later.parquet")
        self.events = events.filter(pl.col("ts") <= self.end)

    def one(self, model: str) -> list[dict[str, Any]]:
        """Train on the oldest nine tenths; then update with the newest, against a training on all."""
        cut = int(self.events["ts"].quantile(1 - NEW) or 0)
        stale, whole, updated = (self.work / f"{model}-{name}" for name in ("stale", "whole", "updated"))
        self._train(model, cut, stale)
        updates, trainings = [], []
        for _ in range(TURNS):
            shutil.rmtree(updated, ignore_errors=True)
            shutil.copytree(stale, updated)
            updates.append(self._update(model, self.end, updated))
            trainings.append(self._train(model, self.end, whole))
        update, full = (min(costs, key=lambda cost: cost["cpu_s"]) for costs in (updates, trainings))
        return [
            self._row(model, "not updated", stale), self._row(model, "updated", updated, update),
            self._row(model, "trained anew", whole, full),
        ]  # fmt: skip

    def days(self, model: str, ks: list[int]) -> list[dict[str, Any]]:
        """Train k days before the end, then update a day at a time."""
        whole = self.work / f"{model}-whole"
        rows = [self._row(model, "trained anew", whole, self._train(model, self.end, whole))]
        for k in ks:
            bundle = self.work / f"{model}-{k}"
            self._train(model, self.end - k * DAY_S, bundle)
            rows.append(self._row(model, f"trained {k} days before", bundle))
            moments = [self.end - left * DAY_S for left in range(k - 1, -1, -1)]
            costs = [self._update(model, moment, bundle)["cpu_s"] for moment in moments]
            rows.append(self._row(model, f"{k} days of updates", bundle, {"cpu_s": round(sum(costs) / k, 2)}))
        return rows

    def _train(self, model: str, until: int, bundle: Path) -> dict[str, float]:
        config = self._config(model, until)
        return self._run("train", "--config", config, "--out", bundle, "--budget", self.budget)

    def _update(self, model: str, until: int, bundle: Path) -> dict[str, float]:
        return self._run("update", "--config", self._config(model, until), "--bundle", bundle)

    def _run(self, *arguments: object) -> dict[str, float]:
        cost = harness.meter([harness.PARETAIL, *map(str, arguments)], self.work).cost()
        print(*arguments, cost, flush=True)
        return cost

    def _config(self, model: str, until: int) -> Path:
        self.events.filter(pl.col("ts") <= until).write_parquet(self.work / "events.parquet")
        tables = [f"--{name}={self.data / name}.parquet" for name in ("items", "users")]
        config = self.work / f"{model}.toml"
        command = ["init", "--events", str(self.work / "events.parquet"), *tables, "--kind", "buy=purchase", "--force"]
        harness.meter([harness.PARETAIL, *command, "--out", str(config)], self.work)
        read = tomlkit.parse(config.read_text(encoding="utf-8"))
        read.update(ASKS[model])
        config.write_text(tomlkit.dumps(read), encoding="utf-8")
        return config

    def _row(self, model: str, how: str, bundle: Path, cost: dict[str, float] | None = None) -> dict[str, Any]:
        command = [
            "evaluate",
            "--bundle",
            bundle,
            "--holdout",
            self.work / "later.parquet",
            "-k",
            K,
            "--against",
            "none",
        ]
        told = json.loads(harness.meter([harness.PARETAIL, *map(str, command), "--json"], self.work).printed)
        (report,) = told["reports"].values()
        found = {r["metric"]: r for r in report["rows"] if r["segment"] == "all" and r["metric"] in ("recall", "ndcg")}
        figures = {f"{name}@{K}": round(row["mean"], 4) for name, row in found.items()}
        return {"model": model, "bundle": how, **figures, **(cost or {})}


if __name__ == "__main__":
    main()
