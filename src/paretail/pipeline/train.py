"""Train: from the shop's files to a published bundle."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from threadpoolctl import threadpool_limits

from paretail.core.clock import now_ms
from paretail.core.errors import DataError, Problem, nearest
from paretail.core.progress import Progress, silent
from paretail.data.config import TABLES
from paretail.data.ingest import ingest
from paretail.data.kinds import FRIEND, NOT_TARGETS, strongest
from paretail.data.report import ImportReport
from paretail.data.types import History, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import USER, Target, turned
from paretail.pipeline.bundle import publish, refuse_foreign
from paretail.pipeline.config import ModelConfig, ShopConfig
from paretail.pipeline.drafting import drafted
from paretail.pipeline.ranking import GROUP, SHOWN, add_ranker, rooted
from paretail.pipeline.resuming import Unfinished, unfinished
from paretail.pipeline.sweeping import swept, write_sweep
from paretail.pipeline.training_page import write_page
from paretail.policy import PolicyError
from paretail.policy.checking import check_goals
from paretail.policy.newcomers import unfit
from paretail.retrieve import auto
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.choose import Choice, choose
from paretail.retrieve.fitting import FitContext, fit
from paretail.retrieve.models import model

if TYPE_CHECKING:
    from paretail.rank.tradeoff import Tradeoff

#: Above this share of repeats among the newest fifth of target events, `repeat = "auto"` lets items come back.
REPEAT_SHARE = 0.15
#: The name that lets `train` choose the model.
AUTO: Final = "auto"
#: With fewer events BLAS threads wait for each other longer than they work (15,000 events: 17 s of CPU, alone 8 s).
FEW_EVENTS = 200_000
NOTHING_KEPT: Final = (
    "Nothing was kept to go on from, had it been stopped: the folder of the bundle cannot be written, or the same "
    "training was running already"
)
#: What is asked where lists hold people.
TO_BE_FRIENDS = Question(FRIEND, repeat=False, wishes=(FRIEND,), weights={FRIEND: 1.0})


@dataclass(frozen=True)
class Trained:
    """What `train` tells: the version published, the choice made and the facts that the bundle keeps."""

    version: str
    choice: Choice
    facts: dict[str, Any]
    account: tuple[str, ...] = ()  # what became of the rows, and of the ranker, a line each
    page: Path | None = None  # the same for people, with weights and curves
    tradeoff: "Tradeoff | None" = None  # of the ranker's tasks, where it was asked for
    sweep: Path | None = None  # the same for people


def train(config: ShopConfig, base: Path, out: Path, *, seed: int | None = None, budget_seconds: float | None = None,
          sweep: bool = False, progress: Progress = silent) -> Trained:  # fmt: skip
    """Import the shop's files (relative to `base`), choose settings on a split of the events, fit, publish to `out`.

    `seed` and `budget_seconds` override `[train]`; with `sweep` the trade-off of the ranker's tasks is reported. Raises
    ConfigError, PolicyError, DataError, BundleError, RankError; what can be refused without the data is refused before
    they are read (goals of `[policy]` that do not exist, too), and nothing is published then.
    """
    refuse_foreign(out)
    check_model(config.model)
    check_goals(config.policy)
    config = config.model_copy(update={"rank": rooted(config.rank, base)})
    progress("Importing")
    quarantine = out.parent / "quarantine" / f"{out.name}-{now_ms()}-{os.getpid()}"  # a run's own: two may run at once
    imported = ingest(config.data, base, quarantine=quarantine, progress=progress)
    account = account_of(imported.report, quarantine)
    trained = train_shop(
        imported.shop, config, out, seed=seed, budget_seconds=budget_seconds, sweep=sweep, progress=progress
    )
    return replace(trained, account=(*account, *trained.account))


def account_of(report: ImportReport, quarantine: Path) -> tuple[str, ...]:
    """Say what became of the rows, a line each."""
    totals = {table: report.total(table) for table in TABLES}
    lines = [
        f"{table}: {total.read:,} rows read, {total.imported:,} used, {sum(total.excluded.values()):,} excluded by "
        f"rules, {sum(total.quarantined.values()):,} in quarantine"
        for table, total in totals.items() if total.read
    ]  # fmt: skip
    if any(total.quarantined for total in totals.values()):
        lines.append(f"The rows in quarantine, each with its reason: {quarantine}")
    if warned := sum(check.status == "warn" for check in report.checks):
        lines.append(f"{warned} checks warn; see: paretail check")
    return tuple(lines)


def train_shop(shop: Shop, config: ShopConfig, out: Path, *, seed: int | None = None,
               budget_seconds: float | None = None, sweep: bool = False,
               progress: Progress = silent) -> Trained:  # fmt: skip
    """Train on a shop in memory; as `train` otherwise. Raises PolicyError (POL-12) too."""
    seed = config.train.seed if seed is None else seed
    seconds = config.train.budget_seconds if budget_seconds is None else budget_seconds
    progress("Building the graph")
    target = turned(shop, config.goal.lists)
    graph, question = asked(target, config)
    _check_new_items(graph, config)
    found = swept(target, graph, config.rank, seed, progress) if sweep else None
    wanted = config.model
    with unfinished(out, graph, question, wanted, seed, seconds) as kept:
        with threadpool_limits(1 if len(graph.history.item_idx) < FEW_EVENTS else None, "blas"):
            made = chosen(graph, question, wanted.name, wanted.settings, seed, seconds, progress, kept)
        trained = published(target, graph, question, config, made, out, seed, progress, seconds=seconds)
    told = None if found is None else write_sweep(out, trained.version, found)
    account = trained.account if kept else (*trained.account, NOTHING_KEPT)
    return replace(trained, tradeoff=found, sweep=told, account=account)


def published(
    target: Target, graph: ShopGraph, question: Question, config: ShopConfig, model: tuple[str, Choice, Retriever],
    out: Path, seed: int, progress: Progress = silent, turn: bool = True, seconds: float | None = None,
) -> Trained:  # fmt: skip
    """Add associations and a ranker to a fitted model, by its name and with the choice made, and publish it to `out`.

    Without `turn` it does not become the current version where there is one. `seconds`, by default the budget of the
    settings, are those that a ranker may take to train the model again for earlier moments.
    """
    name, choice, fitted = model
    facts = _facts(graph, question, config, name, choice, seed) | {
        "run": getattr(fitted, "run", None),
        "validation": choice.run,
    }
    progress("Counting associations")
    draft = drafted(target, graph, config, fitted, choice.metrics, facts)
    seconds = config.train.budget_seconds if seconds is None else seconds
    remarks = add_ranker(draft, target, graph, config.rank, seed, progress, seconds)
    progress("Publishing")
    version = publish(draft, out, turn)
    page = write_page(out, version, facts, draft.facts.get(GROUP), config.data.currency)
    return Trained(version, choice, facts, remarks, page)


def graph_of(config: ShopConfig, base: Path, progress: Progress = silent) -> tuple[ShopGraph, Question]:
    """Import the shop's files (relative to `base`) and return the graph and what is asked of it; nothing is written."""
    return asked(target_of(config, base, progress), config)


def target_of(config: ShopConfig, base: Path, progress: Progress = silent) -> Target:
    """Import the shop's files (relative to `base`), as a shop whose items are what lists hold; nothing is written."""
    progress("Importing")
    shop = ingest(config.data, base, progress=progress).shop
    progress("Building the graph")
    return turned(shop, config.goal.lists)


def asked(target: Target, config: ShopConfig) -> tuple[ShopGraph, Question]:
    """Return the graph, and what is asked of it."""
    graph = target.graph()
    return graph, TO_BE_FRIENDS if target.name == USER else question_of(graph.history, config)


def chosen(graph: ShopGraph, question: Question, name: str, given: dict[str, Any], seed: int, seconds: float,
           progress: Progress = silent, kept: Unfinished | None = None) -> tuple[str, Choice, Retriever]:  # fmt: skip
    """Choose settings within `seconds` (of `auto`, the model too) and fit; return its name, the choice, the model.

    With `kept` a training that was stopped goes on: what was chosen stays, the fit goes on from its checkpoint.
    """
    found = None if kept is None else kept.choice()
    if found is None:
        progress("Choosing settings")
        found = _choice(graph, question, name, given, seed, seconds, progress)
        if kept is not None:
            kept.chose(*found)
    else:
        progress("Going on with a training that was stopped")
    name, choice = found
    progress("Fitting")
    context = FitContext(progress, None if kept is None else kept.checkpoint)
    return name, choice, fit(model(name), graph, choice.config, seed, context)


def _choice(graph: ShopGraph, question: Question, name: str, given: dict[str, Any], seed: int, seconds: float,
            progress: Progress) -> tuple[str, Choice]:  # fmt: skip
    if name == AUTO:
        return auto.choose_model(graph, question, given, seed, seconds, progress)
    return name, choose(model(name), graph, question, given, seed, seconds, progress)


def _check_new_items(graph: ShopGraph, config: ShopConfig) -> None:
    """Raise PolicyError (POL-12) where the ranker will not tell what `[policy] new_items` needs."""
    shown = SHOWN in graph.history.kinds or not config.rank.enabled
    if problem := unfit(config.policy.new_items, deviations=shown):
        raise PolicyError(problem)


def check_model(config: ModelConfig) -> None:
    """Raise ConfigError for a model or a setting of it that does not exist, or a folder that it needs."""
    if config.name == AUTO:
        auto.check(config.settings)
    else:
        auto.check_settings(config.name, config.settings, also=(AUTO,))


def _facts(graph: ShopGraph, question: Question, config: ShopConfig, name: str, choice: Choice,
           seed: int) -> dict[str, Any]:  # fmt: skip
    """Return what a bundle tells of itself and needs to be used."""
    history = graph.history
    return {
        "model": name, "remarks": list(choice.remarks), "settings": choice.config.model_dump(mode="json"),
        "target": question.target,
        "repeat": question.repeat, "kinds": list(history.kinds), "time": history.time, "seed": seed,
        "words": words(config), "users": graph.users, "items": graph.items, "events": len(history.item_idx),
        "figure": choice.figure, "lists": config.goal.lists,
    }  # fmt: skip


def question_of(history: History, config: ShopConfig) -> Question:
    """Return what the shop wants predicted; raises DataError where the target does not occur."""
    possible = [kind for kind in history.kinds if kind not in NOT_TARGETS]
    target = config.goal.target or strongest(possible)
    target = words(config).get(target, target) if target else target
    if target not in possible:
        expected = f"Expected {nearest(str(target), possible)}"
        do = "Map the shop's words in [data.kinds], or set [goal] target"
        raise DataError(Problem("DATA-40", f"no event of the target kind {target!r}", expected, do))
    repeat = config.goal.repeat
    comes_back = repeats(history, target) > REPEAT_SHARE if repeat == "auto" else repeat
    return Question(target, comes_back, tuple(possible), config.data.weights)


def repeats(history: History, target: str) -> float:
    """Return the share of distinct (user, item, time) target events that repeat a pair, among the newest fifth of them.

    Without time the newest fifth means nothing and all events count.
    """
    of_target = history.where(history.kind == history.kinds.index(target))
    seen = pl.DataFrame({"user": of_target.user_idx, "item": of_target.item_idx, "ts_ms": of_target.ts_ms}).unique()
    seen = seen.sort("ts_ms").with_columns(again=pl.col("ts_ms").rank("dense").over("user", "item") > 1)
    newest = seen.tail(max(1, seen.height // 5)) if history.time != "none" else seen
    return float(newest["again"].mean() or 0.0)  # type: ignore[arg-type]  # polars types a mean too widely


def words(config: ShopConfig) -> dict[str, str]:
    """Return the shop's words for kinds and what they mean, as far as the configuration tells."""
    kinds = config.data.kinds.items()
    return {word: kind if isinstance(kind, str) else word for word, kind in kinds if kind != "ignore"}
