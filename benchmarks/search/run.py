"""Strategies of search on the tables of NAS-Bench-Graph: the best after N trainings, and the front of two goals.

    python benchmarks/search/run.py ranks                     # every strategy, all sets, 20 seeds
    python benchmarks/search/run.py ranks hybrid --seeds 5 --sets cora cs
    python benchmarks/search/run.py ablations
    python benchmarks/search/run.py fronts
    python benchmarks/search/run.py ranks gan --keep FILE     # goes on where a run of the same code was stopped

A search sees validation scores only, each architecture costs one query. Of the best so far the rank among all 26,206 by
validation is told at N = 100, 150, 200: the median over seeds, then the geometric mean over data sets. Settings were
chosen on cora and cs; `six` is the mean over the other six, `six, 95 %` its interval by bootstrap over the seeds of
each set. Shares of a hypervolume are means over seeds with the half-width of Student's 95 %.

Asked for at once are 10 of `gan` and `gan-mutation`, which train two networks in each round, and 4 of the others; of
optuna alone, 1.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from nas_space import NasBenchGraph  # noqa: E402
from tables import SETS, TUNED, Table, load  # noqa: E402

from paretail.moo.hypervolume import hypervolume  # noqa: E402
from paretail.search.strategies import DEFAULT_STRATEGY, STRATEGIES, build  # noqa: E402

COUNTS = (100, 150, 200)
#: What is told of a generator's samples: the share that is new of what it proposes, and of what it draws itself.
SHARES = ("new_share", "own_new_share")
#: Peers, with their own loop of one question at a time.
OPTUNA, OPTUNA_TPE = "optuna NSGA-II", "optuna TPE"
#: Drawn anew for an interval.
DRAWS = 2000
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


def ranked(arm: str, name: str, seed: int) -> dict[str, Any]:
    """Return what is told of one search: ranks of the incumbent, whether it alarmed, shares by round, CPU seconds."""
    strategy, settings = ABLATIONS.get(arm, (arm, {}))
    alarmed, figures = False, list[Mapping[str, float]]()
    table(name), space("one-hot" in arm)  # read once, in nobody's time
    began = time.process_time()
    if arm == OPTUNA_TPE:
        rows = optuna_tpe(name, seed)
    else:
        rows, searching, figures = search(name, strategy, seed, settings, plain="one-hot" in arm)
        alarmed = bool(searching.alarms)
    best = np.minimum.accumulate(table(name).ranks[rows])[[min(count, len(rows)) - 1 for count in COUNTS]]
    shares = {share: [each[share] for each in figures if share in each] for share in SHARES}
    return {"best": best.tolist(), "alarmed": alarmed, **shares, "cpu_s": time.process_time() - began}


def ranks(arm: str, sets: Sequence[str], seeds: int, kept: "Kept") -> dict[str, Any]:
    """Return one row of the table: ranks of the incumbent, alarms, the share of new samples, CPU seconds a search."""
    found = {
        name: [kept("ranks", arm, name, seed, partial(ranked, arm, name, seed)) for seed in range(seeds)]
        for name in sets
    }
    best = {name: np.array([one["best"] for one in searches], float) for name, searches in found.items()}
    every = [one for searches in found.values() for one in searches]
    told = {"six": [name for name in sets if name not in TUNED], **{name: [name] for name in sets}}
    row = {key: _told(_geometric([best[name] for name in names])) for key, names in told.items() if names}
    shares = {share: [value for one in every for value in one[share]] for share in SHARES}
    return {
        "strategy": arm, "seeds": seeds, "six": row.pop("six", ""), "six, 95 %": _interval(best, told["six"]), **row,
        "alarmed": f"{sum(one['alarmed'] for one in every)} of {len(every)}",
        **{f"{word} {share.replace('_', ' ')}": f"{figure(values):.2f}" if values else ""
           for share, values in shares.items() for word, figure in (("least", min), ("mean", statistics.mean))},
        "cpu a search_s": round(statistics.mean(one["cpu_s"] for one in every), 2),
    }  # fmt: skip


def _geometric(best: Sequence[Any]) -> Any:
    """Return the geometric mean over sets of the medians of `best[seeds, counts]`."""
    return np.exp(np.mean([np.log(np.median(ranks, axis=0)) for ranks in best], axis=0))


def _told(values: Any) -> str:
    return " / ".join(f"{value:.1f}".removesuffix(".0") for value in values)


def _interval(best: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return 95 % of the geometric mean, by drawing the seeds of each set anew; nothing of a single seed."""
    if not names or len(best[names[0]]) < 2:
        return ""
    rng = np.random.default_rng(0)
    drawn = [
        _geometric([best[name][rng.integers(len(best[name]), size=len(best[name]))] for name in names])
        for _ in range(DRAWS)
    ]
    return " / ".join(f"{low:.1f} to {high:.1f}" for low, high in np.quantile(drawn, (0.025, 0.975), axis=0).T)


def fronts(arm: str, sets: Sequence[str], seeds: int, kept: "Kept") -> dict[str, Any]:
    """Return one row: the share of the true hypervolume of accuracy and latency, above the medians of both."""
    row = {}
    for name in sets:
        shares = [kept("fronts", arm, name, seed, partial(covered, arm, name, seed)) for seed in range(seeds)]
        row[name] = f"{statistics.mean(shares):.3f}"
        if seeds > 1:
            half = student.ppf(0.975, seeds - 1) * statistics.stdev(shares) / seeds**0.5
            row[name] += f" ± {half:.3f}"
    return {"strategy": arm, "seeds": seeds, **row}


def covered(arm: str, name: str, seed: int) -> float:
    """Return the share of the true hypervolume that one search finds."""
    scores = np.column_stack([table(name).valid, -table(name).latency])
    return float(volume(scores[rows_of(arm, name, seed)], scores) / volume(scores, scores))


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


def optuna_nsga2(name: str, seed: int) -> list[int]:
    """Return the rows that optuna's NSGA-II asks for with its defaults."""
    import optuna

    found = table(name)
    goals = np.column_stack([found.valid, -found.latency])
    return alone(optuna.samplers.NSGAIISampler(seed=seed), goals, [0.0, -1e3])


def optuna_tpe(name: str, seed: int) -> list[int]:
    """Return the rows that optuna's TPE asks for with its defaults, one at a time; a fault scores 0."""
    import optuna

    return alone(optuna.samplers.TPESampler(seed=seed), table(name).valid[:, None], [0.0])


def alone(sampler: Any, goals: Any, worst: Sequence[float]) -> list[int]:
    """Return the rows that optuna asks for; what is illegal, or asked for again, costs no query."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    known = space()
    fields = {str(f): optuna.distributions.CategoricalDistribution(range(n)) for f, n in enumerate(known.choices)}
    study = optuna.create_study(directions=["maximize"] * len(worst), sampler=sampler)
    rows: dict[int, None] = {}
    for _ in range(20 * COUNTS[-1]):
        trial = study.ask(fields)
        key = known.from_tokens([trial.params[field] for field in fields])
        row = None if key is None else known.rows([key])[0]
        study.tell(trial, list(worst) if row is None else goals[row].tolist())
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
    parser.add_argument("--keep", type=Path, help="a file of single searches, so that a run that was stopped goes on")
    asked = parser.parse_args()
    for part in [asked.part] if asked.part else ["ranks", "ablations", "fronts"]:
        about, rows = harness.circumstances(), []
        kept = Kept(asked.keep, about["commit"])
        for arm in asked.arms or ARMS[part]:
            row = (fronts if part == "fronts" else ranks)(arm, asked.sets, asked.seeds or SEEDS[part], kept)
            print(row, flush=True)
            rows.append({"strategy": arm, "commit": about["commit"], **row})
            if tuple(asked.sets) == SETS:
                harness.record(HERE, part, about, merged(part, rows))


class Kept:
    """Single searches on disk, a line of JSON each, by the commit of the code that made them."""

    def __init__(self, file: Path | None, commit: str) -> None:
        self.file, self.commit = file, commit
        lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.exists() else []
        self.known = {json.dumps(key): found for key, found in map(json.loads, lines)}

    def __call__(self, part: str, arm: str, name: str, seed: int, make: Callable[[], Any]) -> Any:
        """Return what `make` found, now or before."""
        key = [self.commit, part, arm, name, seed]
        if (told := json.dumps(key)) not in self.known:
            self.known[told] = make()
            if self.file is not None:
                with self.file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps([key, self.known[told]]) + "\n")
        return self.known[told]


def merged(part: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of a part with `rows` in place of those of the same arms, in the order of the arms."""
    file = HERE / "results.json"
    before = json.loads(file.read_text()).get(part, {}).get("rows", []) if file.exists() else []
    known = {row["strategy"]: row for row in [*before, *rows]}
    return sorted(known.values(), key=lambda row: ARMS[part].index(row["strategy"]))


ARMS = {
    "ranks": [*STRATEGIES, "hybrid, start 20", OPTUNA_TPE],
    "ablations": [*ABLATIONS],
    "fronts": ["random", OPTUNA, "nsga2", "tpe", DEFAULT_STRATEGY],
}
SEEDS = {"ranks": 20, "ablations": 20, "fronts": 10}


if __name__ == "__main__":
    main()
