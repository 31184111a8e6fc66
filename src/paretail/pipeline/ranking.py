"""Ranking in a bundle: learned with it where its log tells what was shown, and read from it again when asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import BundleError, Problem
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.data.types import Candidates, History, Predictions
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import ITEM, Target
from paretail.pipeline.bundle import Bundle, Draft
from paretail.rank import RankError
from paretail.rank.config import RankConfig

if TYPE_CHECKING:  # torch comes with it
    from paretail.rank.learned.ranker import Ranker

GROUP: Final = "ranker"
#: What lists may be ordered by beside the retriever's own score.
Order = Literal["value", "purchase", "click"]
#: So many of the retriever's best are ranked.
CANDIDATES: Final = 500
SHOWN: Final = "impression"


def add_ranker(draft: Draft, target: Target, graph: ShopGraph, config: RankConfig, seed: int,
               progress: Progress) -> tuple[str, ...]:  # fmt: skip
    """Learn a ranker and put it into the draft; return what there is to say of it, a line each.

    Nothing is learned, and that is said, where the extra `learn` is missing or the log has too few clicks; nothing is
    said where lists hold no items or the log has no impressions.
    """
    if not config.enabled or target.name != ITEM or SHOWN not in graph.history.kinds:
        return ()
    if find_spec("torch") is None:
        return ("No ranker: it needs the extra `learn` (pip install 'paretail[learn]'); lists are those of the model.",)
    from paretail.rank.learned.ranker import Ranker

    progress("Learning to rank")
    try:
        ranker = Ranker.train(graph, target.shop.events, config, seed, progress)
    except RankError as error:
        return tuple(f"No ranker: {problem.found}" for problem in error.problems)
    draft.arrays[GROUP] = ranker.arrays()
    draft.facts[GROUP] = ranker.facts
    return (f"Ranker: {told(ranker.facts)}", *(f"Ranker: {remark}" for remark in ranker.report["remarks"]))


def told(facts: dict[str, Any]) -> str:
    """Say in a line what a ranker predicts, from how much, and how far it is off."""
    report = facts["report"]
    off = ", ".join(f"{task} off by {line['error']:.4f}" for task, line in report["reliability"].items())
    return f"predicts {', '.join(facts['tasks'])} from {report['examples']:,} impressions; on the newest tenth {off}"


def worth(predictions: Predictions, by: Order) -> NDArray[np.float64]:
    """Return what pairs are ordered by: what was asked for, or the strongest task that was learned."""
    bought = predictions.p_click * predictions.p_purchase
    ways = {"value": (predictions.value, bought), "purchase": (bought,), "click": ()}[by]
    return next((way for way in ways if np.isfinite(way).all()), predictions.p_click)


def reordered(ranker: "Ranker", history: History, known: Rows, lists: Candidates, k: int, by: Order) -> Candidates:
    """Return the best `k` of each user's candidates by what the ranker expects of them right after the log.

    `known[users]` as in `Ranker.predict`; users are those of `history`.
    """
    user, place = np.nonzero(lists.item_idx >= 0)
    item = lists.item_idx[user, place]
    moment = max(ranker.end_ms, int(history.ts_ms.max(initial=0))) + 1
    scores = np.full(lists.scores.shape, -np.inf, np.float32)
    told = ranker.predict(history, known, user.astype(np.int32), item, np.full(len(user), moment, np.int64))
    scores[user, place] = worth(told, by)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Candidates(np.take_along_axis(lists.item_idx, best, 1), np.take_along_axis(scores, best, 1))


def ranker_of(bundle: Bundle, items: pl.DataFrame, history: History) -> "Ranker":
    """Read the ranker of a bundle; raises BundleError (RANK-05) where it has none."""
    facts = bundle.manifest.facts.get(GROUP)
    if facts is None:
        do = "Map the shop's word for what was shown to `impression`, install the extra `learn`, and train again"
        found = f"bundle version {bundle.version} has no ranker"
        raise BundleError(Problem("RANK-05", found, "A bundle that was trained on a log with impressions", do))
    from paretail.rank.learned.ranker import Ranker

    return Ranker.from_arrays(bundle.arrays[GROUP], facts, items, history)
