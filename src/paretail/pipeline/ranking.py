"""Ranking in a bundle: learned with it where its log tells what was shown, and read from it again when asked for."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import BundleError, ParetailError, Problem
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.data.held import Mode
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import Candidates, History, Predictions
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import ITEM, Target
from paretail.pipeline.bundle import Bundle, Draft
from paretail.pipeline.scores import fitting, mode_of, score_of
from paretail.rank.boosted.levels import Gain
from paretail.rank.boosted.questions import NEAR
from paretail.rank.boosted.ranker import KIND, BoostedRanker, lines_of
from paretail.rank.boosted.trees import Boosting
from paretail.rank.checking import check_rank
from paretail.rank.config import RankConfig
from paretail.rank.leaks import Outcomes, check_leaks
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.models import model

if TYPE_CHECKING:  # torch comes with it
    from paretail.rank.learned.ranker import Ranker
    from paretail.rank.learned.transfer import Origin

    AnyRanker = Ranker | BoostedRanker

GROUP: Final = "ranker"
#: What lists may be ordered by beside the retriever's own score.
Order = Literal["value", "purchase", "cart", "click"]
#: The order whose gain training measured, of a ranker that learned without impressions.
Measured = Literal["measured"]
#: So many of the retriever's best are ranked.
CANDIDATES: Final = 500
SHOWN: Final = "impression"
#: What an order reads, the first of it that was learned.
READS: Final[Mapping[Order, tuple[Order, ...]]] = {
    "value": ("value", "purchase", "click"), "purchase": ("purchase", "click"), "cart": ("cart", "click"),
    "click": ("click",),
}  # fmt: skip
#: Settings that a log without impressions heeds.
OF_TREES: Final = ("enabled", "leaks", "ensembles", "seed")
TRAIN_ONE: Final = "Train again, and see what `train` says of the ranker (of a log with impressions it needs `learn`)"


def add_ranker(draft: Draft, target: Target, graph: ShopGraph, config: RankConfig, seed: int,
               progress: Progress, seconds: float | None = None) -> tuple[str, ...]:  # fmt: skip
    """Learn a ranker and put it into the draft; return what there is to say of it, a line each.

    Fits of the draft's model to earlier logs, of one that is trained, end after `seconds` in all.

    A log without impressions gets trees over lists that the model would have made. Of one with them nothing is learned,
    and that is said, where the extra `learn` is missing or there are too few clicks; nothing is said where lists hold
    no items.
    """
    if not config.enabled or target.name != ITEM:
        return ()
    if SHOWN not in graph.history.kinds:
        return _add_boosted(draft, target, graph, config, seed, progress, seconds)
    if find_spec("torch") is None:
        return ("No ranker: it needs the extra `learn` (pip install 'paretail[learn]'); lists are those of the model.",)
    from paretail.rank.learned.ranker import Ranker

    progress("Learning to rank")
    try:
        asked = config.retrieved
        fit = fitting(draft.facts, graph, seed, progress, asked, seconds) if asked else None
        ranker = Ranker.train(graph, target.shop.events, config, seed, progress, _origin(config), fit)
    except ParetailError as error:  # whatever it is, the lists of a model that is fitted need no ranker
        return tuple(f"No ranker: {problem}" for problem in error.problems)
    draft.arrays[GROUP] = ranker.arrays()
    draft.facts[GROUP] = ranker.facts
    return (f"Ranker: {told(ranker.facts)}", *(f"Ranker: {remark}" for remark in ranker.report["remarks"]))


def _add_boosted(draft: Draft, target: Target, graph: ShopGraph, config: RankConfig, seed: int,
                 progress: Progress, seconds: float | None) -> tuple[str, ...]:  # fmt: skip
    """Learn a ranker from the lists that the draft's model would have made, and put it into the draft."""
    from paretail.pipeline import funnel
    from paretail.retrieve.question import ASKS

    seed = seed if config.seed is None else config.seed

    facts = draft.facts
    model_type = model(facts["model"])
    wishes = tuple(kind for kind in graph.history.kinds if kind not in NOT_TARGETS)
    settings = model_type.config_type.parse(facts["settings"], "[model.settings]")
    question = Question(facts["target"], facts["repeat"], wishes)
    try:
        if config.leaks == "refuse":
            check_leaks(graph, Outcomes.of(graph.history, facts["target"]))
        source = funnel.Source(facts["model"], settings, question)
        how = Boosting(ensembles=config.ensembles)
        ranker = funnel.learn(graph, target.shop.events, source, seed, progress, seconds, how)
    except ParetailError as error:
        return tuple(f"No ranker: {problem}" for problem in error.problems)
    draft.arrays[GROUP] = ranker.arrays()
    draft.facts[GROUP] = ranker.facts
    said = *lines_of(ranker.facts, ASKS), *ranker.report["remarks"], *_unheeded(config)
    return tuple(f"Ranker: {line}" for line in said)


def _unheeded(config: RankConfig) -> tuple[str, ...]:
    """Say which settings count nothing where trees are learned."""
    usual = RankConfig()
    names = [name for name in RankConfig.model_fields
             if name not in OF_TREES and getattr(config, name) != getattr(usual, name)]  # fmt: skip
    return (f"without impressions [rank] {', '.join(names)} count nothing",) if names else ()


def rooted(config: RankConfig, base: Path) -> RankConfig:
    """Return the settings with the bundle to start from, relative to `base`, as an absolute path.

    Raises BundleError where there is none, or where it has no ranker (RANK-05) that learned from impressions (RANK-16),
    ConfigError for what else of the settings leads nowhere (`check_rank`).
    """
    check_rank(config)
    if config.start_from is None or not config.enabled:
        return config
    path = (base / config.start_from).absolute()
    if _check_has(Bundle.load(path)).get("kind") == KIND:
        found, do = f"the ranker of {path.name} learned without impressions", "Leave out [rank] start_from"
        raise BundleError(Problem("RANK-16", found, "One that learned from what was shown", do))
    return config.model_copy(update={"start_from": str(path)})


def _origin(config: RankConfig) -> "Origin | None":
    """Return what the ranker starts from; None where it starts from nothing."""
    if config.start_from is None:
        return None
    from paretail.pipeline.recommender import Recommender  # which reads rankers itself

    other = Recommender.load(Path(config.start_from))
    ranker = other.ranker
    assert not isinstance(ranker, BoostedRanker)  # `rooted` has refused it
    return ranker.origin(other.items if config.start_items else None)


def told(facts: dict[str, Any]) -> str:
    """Say in a line what a ranker predicts, from how much, and how far it is off."""
    report = facts["report"]
    off = ", ".join(f"{task} off by {line['error']:.4f}" for task, line in report["reliability"].items())
    return f"predicts {', '.join(facts['tasks'])} from {report['examples']:,} impressions; on the newest tenth {off}"


def worth(predictions: Predictions, by: Order) -> NDArray[np.float64]:
    """Return what pairs are ordered by: what was asked for, or the strongest task that was learned."""
    bought = predictions.p_both
    carted = predictions.p_click * predictions.p_cart
    ways = {"value": (predictions.value, bought), "purchase": (bought,), "cart": (carted,), "click": ()}[by]
    return next((way for way in ways if np.isfinite(way).all()), predictions.p_click)


def expecting(order: Literal["auto", "model"] | Order | None) -> Order | None:
    """Return the order where it is by what the ranker expects, None for the others."""
    match order:
        case "value" | "purchase" | "cart" | "click":
            return order
        case _:
            return None


def comes_out_at(facts: Mapping[str, Any], by: Order) -> Order:
    """Return what lists in an order are ordered by, given the tasks that the bundle's ranker learned."""
    tasks = facts[GROUP]["tasks"]
    return next(one for one in READS[by] if one == "click" or one in tasks)


def reordered(ranker: "AnyRanker", history: History, known: Rows, lists: Candidates, k: int,
              by: Order | Measured) -> Candidates:  # fmt: skip
    """Return the best `k` of each user's candidates by what the ranker expects of them right after the log.

    `known[users]` as in `Ranker.predict`; users are those of `history`.
    """
    user, place = np.nonzero(lists.item_idx >= 0)
    item = lists.item_idx[user, place]
    moment = max(ranker.end_ms, int(history.ts_ms.max(initial=0))) + 1
    scores = np.full(lists.scores.shape, -np.inf, np.float32)
    pairs = user.astype(np.int32), item, np.full(len(user), moment, np.int64)
    if by == "measured":
        assert isinstance(ranker, BoostedRanker)  # `order_of` found its gain
        scores[user, place] = ranker.places(history, *pairs)
    else:
        scores[user, place] = worth(ranker.predict(history, known, *pairs), by)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Candidates(np.take_along_axis(lists.item_idx, best, 1), np.take_along_axis(scores, best, 1))


def order_of(facts: Mapping[str, Any], mode: Mode) -> Literal["model"] | Measured:
    """Return the order that made better lists of the newest events: the ranker's if that is sure, or the model's."""
    gain = facts.get(GROUP, {}).get("report", {}).get("modes", {}).get(mode, {}).get("gain")
    return "measured" if gain is not None and Gain(**gain).sure else "model"


def reach(facts: Mapping[str, Any]) -> int:
    """Return how many of the model's best are ranked: as many as the ranker learned from."""
    return NEAR if facts.get(GROUP, {}).get("kind") == KIND else CANDIDATES


def _check_has(bundle: Bundle) -> dict[str, Any]:
    """Return what a bundle tells of its ranker; raises BundleError (RANK-05) where it has none."""
    facts: dict[str, Any] | None = bundle.manifest.facts.get(GROUP)
    if facts is None:
        found = f"bundle version {bundle.version} has no ranker"
        raise BundleError(Problem("RANK-05", found, "A bundle with a ranker", TRAIN_ONE))
    return facts


def ranker_of(bundle: Bundle, items: pl.DataFrame, history: History, retriever: Retriever) -> "AnyRanker":
    """Read the ranker of a bundle; raises BundleError (RANK-05) where it has none."""
    facts = _check_has(bundle)
    if facts.get("kind") == KIND:
        from paretail.pipeline.funnel import retrieved_by

        target = bundle.manifest.facts["target"]
        retrieve = retrieved_by(retriever, target)
        return BoostedRanker.from_arrays(bundle.arrays[GROUP], facts, items, history, target, retrieve)
    from paretail.rank.learned.ranker import Ranker

    try:
        asked, mode = facts["config"]["retrieved"], mode_of(bundle.manifest.facts, history)
        score = score_of(retriever, mode, asked) if asked else None
        return Ranker.from_arrays(bundle.arrays[GROUP], facts, items, history, score)
    except KeyError as error:
        found = f"the ranker of bundle version {bundle.version} lacks {error}: another version of paretail made it"
        raise BundleError(Problem("RANK-05", found, "A ranker of this version", "Train again")) from None
