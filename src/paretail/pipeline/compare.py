"""Compare: several models on the shop's own split, each in a process of its own, judged on the same users."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.progress import Progress, silent
from paretail.core.rng import rng_for
from paretail.data.held import Held, Mode
from paretail.data.splits import Split, by_time
from paretail.data.types import Catalogue, History
from paretail.evaluate.context import Context, labels
from paretail.evaluate.ranking import hits, ndcg
from paretail.evaluate.report import Report, evaluate
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.config import ModelConfig, ShopConfig
from paretail.pipeline.train import check_model, graph_of
from paretail.retrieve.base import Question
from paretail.retrieve.question import FEWEST_NEWCOMERS, held_out

#: Users whom models are judged on, at most.
MOST_ASKED: Final = 5000
#: A model that takes so many times its share of the budget is stopped: fitting is not searching, and has no limit.
PATIENCE: Final = 6.0
FEWEST_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Compared:
    """One model: what it is worth and costs, or why it could not be tried.

    `behind` is by how much its NDCG is below that of the best, with the standard error of the paired difference.
    `new_users` is its NDCG for people without any event, with the standard error, None where too few are new.
    """

    name: str
    report: Report | None = None
    behind: tuple[float, float] | None = None
    new_users: tuple[float, float] | None = None
    train_seconds: float | None = None
    peak_mib: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    remarks: tuple[str, ...] = ()
    failed: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What was asked, and the models, the best first and those that failed last.

    `new_users` counts those of them who have no event before the questions, and are in no other figure.
    """

    target: str
    mode: Mode
    users: int
    pairs: int
    k: int
    new_users: int
    models: tuple[Compared, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def compare(
    config: ShopConfig, base: Path, names: Sequence[str], *, k: int = 20, seed: int = 0, seconds: float = 1200.0,
    progress: Progress = silent,
) -> Comparison:  # fmt: skip
    """Train each of the models `names` on the shop's own split within its share of `seconds`, and judge their lists.

    Settings of `[model.settings]` go to the model that `[model] name` names. Raises ConfigError for an unknown model,
    DataError (EVAL-06) where nobody can be asked.
    """
    models = [ModelConfig(name=name, settings=_given(config, name)) for name in dict.fromkeys(names)]
    for model in models:
        check_model(model)
    graph, question = graph_of(config, base, progress)
    mode = question.mode
    split = held_out(graph.history, question.target, mode, MOST_ASKED, rng_for("pipeline/compare", seed))
    if not split.held.counts.any():
        found = f"of {graph.users:,} users none can be asked for a held-out {question.target}"
        raise DataError(Problem("EVAL-06", found, "Users with two or more events", "Wait for more events"))
    with TemporaryDirectory(prefix="paretail-compare-") as folder:
        return _compared(graph, question, mode, split, models, k, seed, seconds, Path(folder), progress)


def _given(config: ShopConfig, name: str) -> dict[str, Any]:
    return config.model.settings if name == config.model.name else {}


def _compared(
    graph: ShopGraph, question: Question, mode: Mode, split: Split, models: Sequence[ModelConfig], k: int, seed: int,
    seconds: float, folder: Path, progress: Progress,
) -> Comparison:  # fmt: skip
    asked = np.flatnonzero(split.held.counts)
    train, held = graph.with_history(split.train), split.held.of_users(asked)
    train.save(folder / "graph")
    job = {
        **asdict(question), "mode": mode, "seed": seed, "seconds": seconds / len(models), "k": k,
        "wishes": list(question.wishes), "weights": dict(question.weights),
    }  # fmt: skip
    new, wanted = _newcomers(graph.history, split, question.target, seed)
    np.save(folder / "new.npy", new)
    context = Context.of(split.train, graph.items, rows=asked, categories=_labels(train))
    found, values = [], {}
    for number, model in enumerate(models):
        progress(f"Comparing {model.name}", number / len(models))
        result = _tried(folder, f"{number}", job | {"model": model.name, "settings": model.settings}, asked)
        if isinstance(result, str):
            found.append(Compared(model.name, failed=result))
            continue
        done, items, scores, of_new = result
        values[model.name] = ndcg(hits(items, held), held.counts)
        costs = {key: done[key] for key in ("train_seconds", "peak_mib", "p50_ms", "p99_ms")}
        report = evaluate(items, scores, held, context, ks=(k,), seed=seed)
        cold = _mean(ndcg(hits(of_new, wanted), wanted.counts)) if len(new) else None
        found.append(Compared(model.name, report, new_users=cold, remarks=tuple(done["remarks"]), **costs))
    ranked = _ranked(found, values)
    return Comparison(question.target, mode, len(asked), len(held.item_idx), k, len(new), ranked)


def _newcomers(history: History, split: Split, target: str, seed: int) -> tuple[NDArray[np.int64], Held]:
    """Return whose first event comes after the moment at which all are asked, MOST_ASKED at most, and what they take.

    They are nobody where there is no such moment, or where fewer are new than could tell models apart.
    """
    later = split if split.cut_ms is None else by_time(history, target, cut_ms=split.cut_ms)
    new = np.flatnonzero((later.held.counts > 0) & (np.diff(later.train.indptr) == 0))
    if split.cut_ms is None or len(new) < FEWEST_NEWCOMERS:
        new = new[:0]
    if len(new) > MOST_ASKED:
        new = np.sort(rng_for("pipeline/compare/new", seed).choice(new, MOST_ASKED, replace=False))
    return new, later.held.of_users(new)


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std() / np.sqrt(len(values)))


def _tried(
    folder: Path, number: str, job: dict[str, Any], asked: NDArray[np.int64]
) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any], NDArray[Any]] | str:
    """Return what one model's process wrote, or in a line why it wrote nothing."""
    own = folder / number
    own.mkdir()
    for shared in ("graph", "new.npy"):
        (own / shared).symlink_to(folder / shared)
    (own / "job.json").write_text(json.dumps(job), encoding="utf-8")
    np.save(own / "asked.npy", asked)
    limit = max(FEWEST_SECONDS, PATIENCE * job["seconds"])
    command = [sys.executable, "-m", "paretail.pipeline.trial", str(own)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} s, {PATIENCE:g} times its share of the budget"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"it ended with {done.returncode}"
    lists = np.load(own / "lists.npz")
    told = json.loads((own / "done.json").read_text(encoding="utf-8"))
    return told, lists["items"], lists["scores"], lists["of_new"]


def _ranked(found: Sequence[Compared], values: dict[str, NDArray[np.float64]]) -> tuple[Compared, ...]:
    """Return the models by NDCG, with their distance from the best."""
    if not values:
        return tuple(found)
    best = max(values, key=lambda name: values[name].mean())
    judged = sorted((one for one in found if one.report), key=lambda one: -values[one.name].mean())
    ranked = []
    for one in judged:
        lost = values[best] - values[one.name]
        ranked.append(Compared(**{**vars(one), "behind": _mean(lost)}))
    return (*ranked, *(one for one in found if one.failed))


def _labels(graph: ShopGraph) -> Any:
    return labels(Catalogue(graph.tables["item"]), graph.nodes["item"]) if "item" in graph.tables else None
