"""Strategies of search on the tables of NAS-Bench-Graph: the best after N trainings, and the front of two goals.

    python benchmarks/search/run.py ranks                     # every strategy, all sets, 20 seeds
    python benchmarks/search/run.py ranks hybrid --seeds 5 --sets cora cs
    python benchmarks/search/run.py ablations
    python benchmarks/search/run.py fronts

A search sees validation scores only, each architecture costs one query. Of the best so far the rank among all 26,206 by
validation is told at N = 100, 150, 200: the median over seeds, then the geometric mean over data sets. Settings were
chosen on cora and cs; `six` is the mean over the other six.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from nas_space import NasBenchGraph  # noqa: E402
from tables import SETS, TUNED, Table, load  # noqa: E402

from paretail.moo.hypervolume import hypervolume  # noqa: E402
from paretail.search.strategies import DEFAULT_STRATEGY, STRATEGIES, build  # noqa: E402

COUNTS = (100, 150, 200)
#: Asked for at once: what a strategy of many cheap proposals needs, and what one that learns from each can use.
BATCH = {"gan": 10, "gan-mutation": 10}
BATCH_USUAL = 4
#: name of an arm -> the strategy and its settings
ABLATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gan": ("gan", {}),
    "no generator": ("gan", {"generator": False}),
    "no adversarial loss": ("gan", {"adversarial": 0.0}),
    "no ranking loss": ("gan", {"ranking": 0.0}),
    "no penalty": ("gan", {"penalty": 0.0}),
    "no random share": ("gan", {"random_share": 0.0}),
    "no entropy, novelty, random share": ("gan", {"random_share": 0.0, "entropy": 0.0, "newness": 0.0}),
    "hybrid": ("hybrid", {}),
    "hybrid, start 20": ("hybrid", {"start": 20}),
    "hybrid, one-hot encoding": ("hybrid", {}),
    "hybrid, no random candidates": ("hybrid", {"drawn": 0}),
    "hybrid, no boldness": ("hybrid", {"beta": 0.0}),
}


@cache
def table(name: str) -> Table:
    return load(name)


@cache
def space(plain: bool = False) -> NasBenchGraph:
    return NasBenchGraph(table("cora").keys, plain)


def search(
    name: str, strategy: str, seed: int, settings: Mapping[str, Any], goals: int = 1, plain: bool = False
) -> tuple[list[int], Any, list[Mapping[str, float]]]:
    """Return the rows of 200 different architectures in the order of their queries, the strategy, its figures."""
    found, known, figures = table(name), space(plain), []
    scores = np.column_stack([found.valid, -found.latency])[:, :goals]
    searching = build(strategy, known, seed=seed, goals=goals, settings=settings)
    rows: list[int] = []
    while len(rows) < COUNTS[-1]:
        asked = searching.ask(min(BATCH.get(strategy, BATCH_USUAL), COUNTS[-1] - len(rows)))
        new = known.rows(asked)
        rows += new
        searching.tell(asked, scores[new])
        figures.append(dict(searching.figures))
    if len(set(rows)) != COUNTS[-1]:
        raise AssertionError(f"{strategy} asked for an architecture twice")
    return rows, searching, figures


def ranks(arm: str, strategy: str, settings: Mapping[str, Any], sets: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return one row of the table: ranks of the incumbent, alarms, the share of new samples, CPU seconds a search."""
    began, medians, alarms = time.process_time(), {}, 0
    shares: dict[str, list[float]] = {"new_share": [], "own_new_share": []}
    for name in sets:
        best = []
        for seed in range(seeds):
            rows, searching, figures = search(name, strategy, seed, settings, plain="one-hot" in arm)
            best.append(np.minimum.accumulate(table(name).ranks[rows])[[count - 1 for count in COUNTS]])
            alarms += bool(searching.alarms)
            for share, found in shares.items():
                found += [each[share] for each in figures if share in each]
        medians[name] = np.median(best, axis=0).tolist()
    searches = len(sets) * seeds
    told = {"six": [name for name in sets if name not in TUNED], **{name: [name] for name in sets}}
    row = {key: _geometric([medians[name] for name in names]) for key, names in told.items() if names}
    return {
        "strategy": arm, "seeds": seeds, **row, "alarmed": f"{alarms} of {searches}",
        **{f"{word} {share.replace('_', ' ')}": f"{figure(found):.2f}" if found else ""
           for share, found in shares.items() for word, figure in (("least", min), ("mean", statistics.mean))},
        "cpu a search_s": round((time.process_time() - began) / searches, 2),
    }  # fmt: skip


def _geometric(medians: Sequence[Sequence[float]]) -> str:
    return " / ".join(f"{value:.1f}".removesuffix(".0") for value in np.exp(np.log(medians).mean(axis=0)))


def fronts(arm: str, sets: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return one row: the share of the true hypervolume of accuracy and latency, above the medians of both."""
    shares = {}
    for name in sets:
        scores = np.column_stack([table(name).valid, -table(name).latency])
        found = [rows_of(arm, name, seed) for seed in range(seeds)]
        whole = volume(scores, scores)
        shares[name] = statistics.mean(volume(scores[rows], scores) for rows in found) / whole
    return {"strategy": arm, "seeds": seeds, **{name: f"{share:.3f}" for name, share in shares.items()}}


def rows_of(arm: str, name: str, seed: int) -> list[int]:
    return optuna_nsga2(name, seed) if arm == OPTUNA else search(name, arm, seed, {}, goals=2)[0]


def volume(scores: Any, everything: Any) -> float:
    """Return the volume above the medians of `everything`, each goal in units of its best's lead over the median."""
    least = np.median(everything, axis=0)
    scaled = (scores - least) / (everything.max(axis=0) - least)
    above = scaled[(scaled > 0).all(axis=1)]
    order = np.lexsort((-above[:, 1], -above[:, 0]))
    steps = np.maximum.accumulate(above[order, 1])
    best = above[order][np.append(True, steps[1:] > steps[:-1])] if len(above) else above
    return hypervolume(best, np.zeros(2))


OPTUNA = "optuna NSGA-II"


def optuna_nsga2(name: str, seed: int) -> list[int]:
    """Return the rows that optuna's NSGA-II asks for with its defaults; what it asks for again costs no query."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    known, found = space(), table(name)
    fields = {str(f): optuna.distributions.CategoricalDistribution(range(n)) for f, n in enumerate(known.choices)}
    study = optuna.create_study(directions=["maximize"] * 2, sampler=optuna.samplers.NSGAIISampler(seed=seed))
    rows: dict[int, None] = {}
    for _ in range(20 * COUNTS[-1]):
        trial = study.ask(fields)
        key = known.from_tokens([trial.params[field] for field in fields])
        row = None if key is None else known.rows([key])[0]
        values = [0.0, -1e3] if row is None else [found.valid[row], -found.latency[row]]
        study.tell(trial, values)
        if row is not None:
            rows[row] = None
        if len(rows) == COUNTS[-1]:
            break
    return list(rows)


def main() -> None:
    """Run the parts and arms that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["ranks", "ablations", "fronts"])
    parser.add_argument("arms", nargs="*")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    asked = parser.parse_args()
    for part in [asked.part] if asked.part else ["ranks", "ablations", "fronts"]:
        about, rows = harness.circumstances(), []
        for arm in asked.arms or ARMS[part]:
            row = one(part, arm, asked.sets, asked.seeds or SEEDS[part])
            print(row, flush=True)
            rows.append({"strategy": arm, "commit": about["commit"], **row})
            if tuple(asked.sets) == SETS:
                harness.record(HERE, part, about, merged(part, rows))


def one(part: str, arm: str, sets: Sequence[str], seeds: int) -> dict[str, Any]:
    if part == "fronts":
        return fronts(arm, sets, seeds)
    strategy, settings = ABLATIONS.get(arm, (arm, {}))
    return ranks(arm, strategy, settings, sets, seeds)


def merged(part: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of a part with `rows` in place of those of the same arms, in the order of the arms."""
    file = HERE / "results.json"
    before = json.loads(file.read_text()).get(part, {}).get("rows", []) if file.exists() else []
    known = {row["strategy"]: row for row in [*before, *rows]}
    return sorted(known.values(), key=lambda row: ARMS[part].index(row["strategy"]))


ARMS = {
    "ranks": [*STRATEGIES, "hybrid, start 20"],
    "ablations": [*ABLATIONS],
    "fronts": ["random", OPTUNA, "nsga2", "tpe", DEFAULT_STRATEGY],
}
SEEDS = {"ranks": 20, "ablations": 20, "fronts": 10}


if __name__ == "__main__":
    main()
