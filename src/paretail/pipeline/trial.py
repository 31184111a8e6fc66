"""One model of a comparison, in a process of its own: `python -m paretail.pipeline.trial FOLDER`.

Reads FOLDER/graph, job.json, asked.npy and new.npy (rows of users; the latter have no events); chooses settings, fits,
lists for those users as a recommender does, times the answer to one of them. Writes lists.npz, then done.json. So what
a model takes of memory and time is its own, and one that fails harms nobody.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.memory import peak_mib
from paretail.data.held import Mode
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.evidence import Evidence
from paretail.pipeline.train import chosen
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.models.blend import items_had
from paretail.retrieve.topk import top_k

#: Answers that are timed, after a few that are not.
TIMED: Final = 100
UNTIMED: Final = 5
#: Scores made at once.
BLOCK: Final = 8 << 20


def run(folder: Path) -> None:
    """Do the job that `folder` describes."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    graph, asked, new = ShopGraph.load(folder / "graph"), np.load(folder / "asked.npy"), np.load(folder / "new.npy")
    question = Question(job["target"], job["repeat"], tuple(job["wishes"]), job["weights"])
    began = perf_counter()
    name, choice, model = chosen(graph, question, job["model"], job["settings"], job["seed"], job["seconds"])
    seconds = perf_counter() - began
    items, scores = _lists(model, graph, asked, question.target, job["mode"], job["k"])
    of_new, _ = _lists(model, graph, new, question.target, job["mode"], job["k"])
    latency = _latency(model, graph, asked, question.target, job["mode"], job["k"])
    np.savez(folder / "lists.npz", items=items, scores=scores, of_new=of_new)
    done = {
        "model": name, "settings": choice.config.model_dump(mode="json"), "remarks": list(choice.remarks),
        "train_seconds": seconds, "peak_mib": peak_mib(), "run": getattr(model, "run", None),
        "p50_ms": float(np.percentile(latency, 50)), "p99_ms": float(np.percentile(latency, 99)),
    }  # fmt: skip
    (folder / "done.json").write_text(json.dumps(done), encoding="utf-8")


def _lists(
    model: Retriever, graph: ShopGraph, asked: NDArray[np.int64], target: str, mode: Mode, k: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    evidence, block = Evidence(graph.history, graph.items), max(1, BLOCK // max(1, graph.items))
    parts = [(np.empty((0, k), np.int32), np.empty((0, k), np.float32))]
    for start in range(0, len(asked), block):
        some = graph.history.of_users(asked[start : start + block])
        scores = evidence.wanted(model.score(some, None, mode), target)
        parts.append(top_k(scores, k, items_had(some, target, mode, graph.items)))
    return np.concatenate([items for items, _ in parts]), np.concatenate([scores for _, scores in parts])


def _latency(
    model: Retriever, graph: ShopGraph, asked: NDArray[np.int64], target: str, mode: Mode, k: int
) -> NDArray[np.float64]:
    """Return the milliseconds of answers to one user each, history to list."""
    taken = []
    for user in np.resize(asked, UNTIMED + TIMED):
        began = perf_counter()
        one = graph.history.of_users(np.array([user]))
        top_k(model.score(one, None, mode), k, items_had(one, target, mode, graph.items))
        taken.append(1000 * (perf_counter() - began))
    return np.array(taken[UNTIMED:])


if __name__ == "__main__":
    run(Path(sys.argv[1]))
