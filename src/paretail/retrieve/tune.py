"""Tuning within a budget: settings tried one after the other on a split of the events, each kept only if it is better.

A step changes some settings of the best found so far; it is kept where its users' NDCG@20 exceeds that best by more
than one standard error of the paired difference, so that what the split cannot tell apart stays at its default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.config import Config
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode, had
from paretail.data.splits import Split
from paretail.data.types import History
from paretail.evaluate.ranking import hits, ndcg
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.choose import Choice
from paretail.retrieve.question import held_out
from paretail.retrieve.topk import top_k

#: Lists are judged at this length, on at most so many users; users are scored in blocks.
JUDGED_AT: Final = 20
MOST_ASKED: Final = 2000
BLOCK: Final = 256

Settings = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings, the NDCG of each user asked, and what the training did, where there was one."""

    settings: Settings
    ndcg: NDArray[np.float64]
    run: Mapping[str, Any] | None = None

    def beats(self, other: "Trial") -> bool:
        """Say whether this one is better by more than one standard error."""
        gain = self.ndcg - other.ndcg
        return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))

    @property
    def figure(self) -> str:
        """What people are told of it."""
        return f"NDCG@{JUDGED_AT} {self.ndcg.mean():.4f} ± {self.ndcg.std() / np.sqrt(len(self.ndcg)):.4f}"

    def chosen(self, config: Config, mode: Mode, tried: int, end: str = "", cut: str = "") -> Choice:
        """Return the choice that it is, the best of those `tried`; `end` closes what is said, `cut` says of time."""
        mean, error = float(self.ndcg.mean()), float(self.ndcg.std() / np.sqrt(len(self.ndcg)))
        remark = f"{self.figure} ({len(self.ndcg)} users), the best of {tried} settings{end}"
        metrics: dict[str, Any] = {mode: {"ndcg": mean, "standard_error": error, "k": JUDGED_AT, "tried": tried}}
        return Choice(config, metrics, (remark, *([cut] if cut else [])), self.figure, self.run)


def out_of_time(left: int, seconds: float) -> str:
    """Say that so many settings were not tried for lack of time."""
    return f"Time was up ({seconds:.0f} s): {left} more settings were not tried; more: --budget" if left else ""


def tune(
    model: type[Retriever], graph: ShopGraph, question: Question, given: Settings, steps: Sequence[Settings],
    seed: int, seconds: float, progress: Progress,
) -> Choice:  # fmt: skip
    """Return the best settings found within `seconds`; settings in `given` are never changed.

    The search ends before a step that might end too late: one may take twice as long as the longest so far. The
    defaults are measured whatever the time; without users to ask they are returned unmeasured.
    """
    weights = kind_weights(question.wishes) | dict(question.weights)
    start: Settings = {"weights": weights} | given
    mode = question.mode
    split = held_out(graph.history, question.target, mode, MOST_ASKED, rng_for(f"retrieve/tune/{mode}", seed))
    if not split.held.counts.any():
        return Choice(model.config_type.parse(start, "[model.settings]"), remarks=("too few events to tune on",))
    ways = [{"weights": {question.target: 1.0}}, *steps] if len(question.wishes) > 1 else steps
    began = monotonic()
    best = _trial(model, graph, split, question.target, mode, start, seed)
    longest, tried, untried = monotonic() - began, 1, 0
    for number, step in enumerate(ways):
        settings = best.settings | {key: value for key, value in step.items() if key not in given}
        if settings == best.settings:
            continue
        now = monotonic()
        if now - began + 2 * longest > seconds:
            untried = len(ways) - number
            break
        progress(f"Tuning {model.name}", number / len(ways))
        trial = _trial(model, graph, split, question.target, mode, settings, seed)
        longest, tried = max(longest, monotonic() - now), tried + 1
        best = trial if trial.beats(best) else best
    config = model.config_type.parse(best.settings, "[model.settings]")
    return best.chosen(config, mode, tried, cut=out_of_time(untried, seconds))


def _trial(
    model: type[Retriever], graph: ShopGraph, split: Split, target: str, mode: Mode, settings: Settings, seed: int
) -> Trial:
    config = model.config_type.parse(settings, "[model.settings]")
    fitted = model.fit(graph.with_history(split.train), config, seed)
    return Trial(settings, judged(fitted, split, target, mode, graph.items))


def judged(fitted: Retriever, split: Split, target: str, mode: Mode, items: int) -> NDArray[np.float64]:
    """Return NDCG@JUDGED_AT of each user whom the split asks."""
    asked = np.flatnonzero(split.held.counts)
    values = []
    for start in range(0, len(asked), BLOCK):
        rows = asked[start : start + BLOCK]
        history, held = split.train.of_users(rows), split.held.of_users(rows)
        lists, _ = top_k(fitted.score(history, mode=mode), JUDGED_AT, _left_out(history, target, mode, items))
        values.append(ndcg(hits(lists, held), held.counts))
    return np.concatenate([np.empty(0), *values])


def _left_out(history: History, target: str, mode: Mode, items: int) -> sparse.csr_array:
    """Return the items that a list under `mode` leaves out."""
    events = history.where(had(history, target, mode))
    cells = (np.ones(len(events.item_idx), np.int8), events.item_idx, events.indptr)
    matrix = sparse.csr_array(cells, (history.users, items), copy=True)  # summing sorts in place
    matrix.sum_duplicates()
    return matrix
