"""One trial: a model trained on the ground's events, judged on hidden ones, with what it costs to serve.

`python -m paretail.search.trial FOLDER` is a worker: it reads a job a line (JSON) and writes a result a line. All of it
computes on one thread: sums of floats depend on how many there are, and trials side by side use the cores anyhow.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import ParetailError
from paretail.core.ids import Rows
from paretail.core.progress import silent
from paretail.evaluate.catalogue import catalogue_coverage
from paretail.evaluate.metrics import Case
from paretail.evaluate.ranking import hits, ndcg, recall
from paretail.retrieve.base import Retriever
from paretail.retrieve.choose import choose
from paretail.retrieve.fitting import FitContext, fit
from paretail.retrieve.models import model as model_of
from paretail.retrieve.models.blend import items_had
from paretail.retrieve.spec import GraphModelSpec
from paretail.retrieve.topk import top_k
from paretail.search.ground import Ground

#: Raised by one whenever trials measure something else: older evaluations are then not used.
VERSION: Final = 3
#: The same of how models choose their own settings.
CHOOSING: Final = 3
#: Lists are judged at this length; cold is who had at most so many items, or is among this share with the fewest.
LENGTH: Final = 20
COLD_ITEMS, COLD_SHARE = 5, 0.25
#: Validations without a gain until a training ends.
PATIENCE: Final = 3
#: Users whose answers are timed, after a few that are not, and how often; scores made at once.
TIMED, UNTIMED, TIMES, BLOCK = 100, 5, 3, 8 << 20
#: What keeps every library on one thread; numba's and BLAS's are read while they are imported.
ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
Measured = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A model of the table under `settings`, trained for `share` of its epochs and at most `minutes`.

    With `seconds` it first chooses, within them, the settings that are not given, by what `Ground.choosing` shows.
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    minutes: float | None = None

    @property
    def key(self) -> str:
        """What the result is a function of: all but the limit of time, whose cuts the journal knows."""
        told = {**asdict(self), "settings": dict(self.settings), "version": VERSION}
        del told["minutes"]
        if self.seconds:
            told["choosing"] = CHOOSING
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def evaluate(ground: Ground, job: Job) -> Measured:
    """Train and measure; a model that fails tells why in `failed` and harms nobody."""
    began, worked = perf_counter(), process_time()
    try:
        fitted, told = _fitted(ground, job)
        found = told | _measured(ground, fitted, job)
    except (ParetailError, ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        found = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    return found | {"seconds": perf_counter() - began, "cpu_seconds": process_time() - worked}


def _fitted(ground: Ground, job: Job) -> tuple[Retriever, Measured]:
    if job.model == "graph":
        return _trained(ground, job)
    model, settings = model_of(job.model), dict(job.settings)
    if job.seconds:
        config = choose(model, *ground.choosing, settings, job.seed, job.seconds, silent).config
    else:
        config = model.config_type.parse(settings, job.model)
    fitted = fit(model, ground.graph, config, job.seed, FitContext(minutes=job.minutes))
    return fitted, {"settings": config.model_dump(mode="json")}


def _trained(ground: Ground, job: Job) -> tuple[Retriever, Measured]:
    """Train a point of the space; validation on the users told says after how many epochs."""
    from paretail.retrieve.models.graph import GraphModel
    from paretail.retrieve.net import serving, training  # torch
    from paretail.retrieve.tune import judged

    spec = GraphModelSpec.parse(dict(job.settings), "the trial")
    spec = spec.model_copy(update={"epochs": max(1, round(job.share * spec.epochs))})
    pairs = training.pairs_of(ground.graph, spec)
    network = training.network_of(ground.graph, spec, pairs, job.seed)

    def judge(network: Any) -> float:
        fitted = GraphModel(serving.arrays_of(network), spec)
        return float(judged(fitted, ground.split, ground.question.target, ground.mode, ground.graph.items).mean())

    run = training.train(network, pairs, job.seed, FitContext(minutes=job.minutes), judge, PATIENCE)
    fitted = GraphModel(serving.arrays_of(network), spec)
    curve = [epoch.metric for epoch in run.epochs]
    return fitted, {"epochs": max(run.best_epoch or spec.epochs, 1), "curve": curve, "stopped": run.stopped}


def _measured(ground: Ground, fitted: Retriever, job: Job) -> Measured:
    """Return accuracy on the users told and, after a whole training, of each user; and what an answer costs."""
    users, lists = _judged(ground, fitted, ground.told)
    error = float(users.std() / np.sqrt(len(users)))
    found = {"ndcg": float(users.mean()), "error": error, **_beyond(ground, lists)}
    found |= _costs(ground, fitted)
    if job.share < 1:
        return found
    apart = users if ground.apart is ground.told else _judged(ground, fitted, ground.apart)[0]
    return found | {"told": _short(users), "apart": _short(apart)}


def _short(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 5) for value in values]


def _judged(ground: Ground, fitted: Retriever, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], Rows]:
    """Return NDCG and the list of each user."""
    held, block = ground.held.of_users(rows), max(1, BLOCK // max(1, ground.graph.items))
    parts = (rows[start : start + block] for start in range(0, len(rows), block))
    whole = np.concatenate([_answered(ground, fitted, part) for part in parts])
    return ndcg(hits(whole, held), held.counts), whole


def _answered(ground: Ground, fitted: Retriever, rows: NDArray[np.int64]) -> Rows:
    history = ground.graph.history.of_users(rows)
    left_out = items_had(history, ground.question.target, ground.mode, ground.graph.items)
    return top_k(fitted.score(history, None, ground.mode), LENGTH, left_out)[0]


def _beyond(ground: Ground, lists: Rows) -> Measured:
    """Return coverage of the catalogue, diversity of categories within lists, and recall for users with few items."""
    context, held = ground.context, ground.held.of_users(ground.told)
    case = Case(lists, None, held, context)
    had = np.diff(context.had.indptr)
    cold = had <= max(COLD_ITEMS, float(np.quantile(had, COLD_SHARE)))
    shown = np.bincount(lists[lists >= 0], minlength=context.items)
    diverse = None
    if context.categories is not None:
        from paretail.evaluate.beyond import diversity

        diverse = _mean(diversity(lists, context.categories))
    return {
        "cold_recall": _mean(recall(case.hit, case.n_held)[cold]), "coverage": catalogue_coverage(shown),
        "diversity": diverse,
    }  # fmt: skip


def _mean(values: NDArray[np.floating]) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else None


def _costs(ground: Ground, fitted: Retriever) -> Measured:
    """Return the milliseconds of answers to one user each, the fastest of TIMES, and the memory of serving."""
    taken = np.full(TIMED, np.inf)
    users = np.resize(ground.told, UNTIMED + TIMED)
    for user in users[:UNTIMED]:
        _answered(ground, fitted, np.array([user]))
    for _ in range(TIMES):
        for place, user in enumerate(users[UNTIMED:]):
            began = perf_counter()
            _answered(ground, fitted, np.array([user]))
            taken[place] = min(taken[place], 1000 * (perf_counter() - began))
    served = sum(array.nbytes for name, array in fitted.arrays().items() if not name.startswith("net/"))
    p50, p99 = (float(np.percentile(taken, share)) for share in (50, 99))
    return {"p50_ms": p50, "p99_ms": p99, "memory_mib": served / 2**20}


def serve(folder: Path) -> None:
    """Answer jobs from standard input until it ends; what libraries print goes to standard error."""
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    ground = Ground.load(folder)
    for line in sys.stdin:
        found = evaluate(ground, Job(**json.loads(line)))
        answers.write(json.dumps(found, allow_nan=False) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
