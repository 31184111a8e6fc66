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
from paretail.data.held import Mode
from paretail.data.splits import Split
from paretail.data.types import Catalogue
from paretail.evaluate.context import Context, labels
from paretail.evaluate.ranking import hits, ndcg
from paretail.evaluate.report import Report, evaluate
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.config import ModelConfig, ShopConfig
from paretail.pipeline.train import check_model, graph_of
from paretail.retrieve.base import Question
from paretail.retrieve.question import held_out

#: Users whom models are judged on, at most.
MOST_ASKED: Final = 5000
#: A model that takes so many times its share of the budget is stopped: fitting is not searching, and has no limit.
PATIENCE: Final = 6.0
FEWEST_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Compared:
    """One model: what it is worth and costs, or why it could not be tried.

    `behind` is by how much its NDCG is below that of the best, with the standard error of the paired difference.
    """

    name: str
    report: Report | None = None
    behind: tuple[float, float] | None = None
    train_seconds: float | None = None
    peak_mib: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    remarks: tuple[str, ...] = ()
    failed: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What was asked, and the models, the best first and those that failed last."""

    target: str
    mode: Mode
    users: int
    pairs: int
    k: int
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
    context = Context.of(split.train, graph.items, rows=asked, categories=_labels(train))
    found, values = [], {}
    for number, model in enumerate(models):
        progress(f"Comparing {model.name}", number / len(models))
        result = _tried(folder, f"{number}", job | {"model": model.name, "settings": model.settings}, asked)
        if isinstance(result, str):
            found.append(Compared(model.name, failed=result))
            continue
        done, items, scores = result
        values[model.name] = ndcg(hits(items, held), held.counts)
        costs = {key: done[key] for key in ("train_seconds", "peak_mib", "p50_ms", "p99_ms")}
        report = evaluate(items, scores, held, context, ks=(k,), seed=seed)
        found.append(Compared(model.name, report, remarks=tuple(done["remarks"]), **costs))
    ranked = _ranked(found, values)
    return Comparison(question.target, mode, len(asked), len(held.item_idx), k, ranked)


def _tried(
    folder: Path, number: str, job: dict[str, Any], asked: NDArray[np.int64]
) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any]] | str:
    """Return what one model's process wrote, or in a line why it wrote nothing."""
    own = folder / number
    own.mkdir()
    (own / "graph").symlink_to(folder / "graph")
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
    return json.loads((own / "done.json").read_text(encoding="utf-8")), lists["items"], lists["scores"]


def _ranked(found: Sequence[Compared], values: dict[str, NDArray[np.float64]]) -> tuple[Compared, ...]:
    """Return the models by NDCG, with their distance from the best."""
    if not values:
        return tuple(found)
    best = max(values, key=lambda name: values[name].mean())
    judged = sorted((one for one in found if one.report), key=lambda one: -values[one.name].mean())
    ranked = []
    for one in judged:
        lost = values[best] - values[one.name]
        behind = (float(lost.mean()), float(lost.std() / np.sqrt(len(lost))))
        ranked.append(Compared(**{**vars(one), "behind": behind}))
    return (*ranked, *(one for one in found if one.failed))


def _labels(graph: ShopGraph) -> Any:
    return labels(Catalogue(graph.tables["item"]), graph.nodes["item"]) if "item" in graph.tables else None
