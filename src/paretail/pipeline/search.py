"""Search: from the shop's files to a graph model of its own, beside honest baselines, published as a bundle.

All that is chosen is chosen on hidden events of the training log; a holdout is never read. What the search is told of
and what the choice is judged on are different users (`search/ground.py`).
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from paretail.core.errors import Problem, UsageError
from paretail.core.files import atomic_file, check_writable
from paretail.core.progress import Progress, silent
from paretail.core.rng import rng_for
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import Target
from paretail.pipeline import search_page
from paretail.pipeline.bundle import refuse_foreign, versions
from paretail.pipeline.config import ModelConfig, ShopConfig
from paretail.pipeline.ranking import rooted
from paretail.pipeline.search_report import Judged, Searched, as_text
from paretail.pipeline.search_rivals import baselines, current_job, options_said, outside, pickable
from paretail.pipeline.train import FEW_EVENTS, Trained, asked, check_model, published, target_of
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.encoder import check_folder
from paretail.retrieve.fitting import FitContext, fit
from paretail.retrieve.models import model as model_of
from paretail.retrieve.spec import GraphModelSpec
from paretail.search.config import SearchConfig
from paretail.search.ground import Ground
from paretail.search.importance import what_matters
from paretail.search.journal import Journal
from paretail.search.loop import Loop, Plan, Tried
from paretail.search.picking import Picked, ahead, check_pick, no_point, picked
from paretail.search.space import GraphSpace, checked
from paretail.search.strategies import build, known
from paretail.search.trial import LENGTH
from paretail.search.workers import Lab, Workers

#: Where there is a version already, the new one is published in a folder of this name.
CANDIDATE: Final = "candidate"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for beside shop.toml."""

    goals: tuple[str, ...] = ("accuracy",)
    workers: int | None = None
    seed: int | None = None
    pick: str | None = None
    ray: str | None = None


def search(
    config: ShopConfig, base: Path, out: Path, bundle: Path, wish: Asked | None = None, progress: Progress = silent
) -> Searched:
    """Search the space of `[search]` on the shop's files (relative to `base`), report to `out`, publish to `bundle`.

    What `out` holds of an earlier search of the same data is used, so that one that was killed goes on. Where `bundle`
    has a version it is left as it is, and the new one is a candidate: a bundle of its own in `out`.
    Raises ConfigError, DataError, UsageError, MissingExtraError (LEARN-01).
    """
    wish = wish or Asked()
    _check(config, out, bundle, wish)
    seed = config.train.seed if wish.seed is None else wish.seed
    with _alone(out):
        target = target_of(config, base, progress)
        graph, question = asked(target, config)
        with threadpool_limits(1 if len(graph.history.item_idx) < FEW_EVENTS else None, "blas"):
            searched = _searched(graph, question, config, out, bundle, wish, seed, progress)
            rooted_config = config.model_copy(update={"rank": rooted(config.rank, base)})
            place = _place(bundle, out)
            trained = _published(searched, target, graph, question, rooted_config, place, seed, progress)
        live = None if place == bundle else bundle
        done = replace(searched, version=trained.version, ranker=trained.account, bundle=place, live=live)
        _write(done, out)
        return done


def _check(config: ShopConfig, out: Path, bundle: Path, wish: Asked) -> None:
    """Refuse what can be refused before the data are read."""
    import_module("paretail.learn")  # raises LEARN-01 without torch
    if wish.ray is not None:
        import_module("paretail.search.cluster")  # raises SRCH-20 without ray
    for folder in checked(options_said(config.search.space)).get("text_encoder", ()):
        if folder is not None:
            check_folder(folder)
    known(config.search.strategy, config.search.settings)
    for name in config.search.baselines:
        check_model(ModelConfig(name=name))
    if wish.ray is not None and wish.workers is not None:
        raise UsageError(Problem("SRCH-19", f"--workers {wish.workers} beside --ray", "One of them: a cluster works "
                                 "with every free core", "Leave --workers out"))  # fmt: skip
    if wish.pick is not None:
        check_pick(wish.pick, [*wish.goals, *pickable(config.search)], config.search.trials)
    check_writable(out)
    refuse_foreign(bundle)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder; raises UsageError (SRCH-18) where another search does."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = f"another search is running in {out}"
            raise UsageError(
                Problem("SRCH-18", found, "One search in a folder", "Wait for it, or choose another --out")
            ) from None
        yield


def _searched(
    graph: ShopGraph, question: Question, config: ShopConfig, out: Path, bundle: Path, wish: Asked, seed: int,
    progress: Progress,
) -> Searched:  # fmt: skip
    asks = config.search
    space = GraphSpace.of(graph, question, options_said(asks.space))
    strategy = build(asks.strategy, space, seed=seed, goals=len(wish.goals), settings=asks.settings, trials=asks.trials)
    ground = Ground.of(graph, question, seed, None if asks.exclude == "auto" else asks.exclude)
    journal = Journal.open(out / "evaluations.jsonl", ground.fingerprint)
    known = len(journal)
    rivals, now = baselines(space, asks, seed), current_job(bundle, seed)
    away = {name: outside(space, job.settings) for name, job in rivals.items() if job.model == "graph"}
    if wish.pick is not None and (why := away.get(wish.pick)) is not None:
        raise UsageError(no_point(wish.pick, why))
    with _lab(ground, out, wish) as lab:
        loop = Loop(space, strategy, lab, journal, _plan(asks, wish.goals, seed))
        measured = loop.baselines(list(rivals.values()), progress)
        found = loop.run(progress)
        measured += loop.beside(list(now.values()))
    judged = [
        Tried(0, -1, None, job.settings | one.get("settings", {}), None, one, name)
        for (name, job), one in zip((rivals | now).items(), measured, strict=True)
    ]
    points = [one for one in judged if away.get(one.name, "no point") is None]
    choice = picked([*found.trials, *points], wish.goals, wish.pick)
    told = _told(ground, space, asks, wish.goals, found, judged, choice, seed)
    kept_out = {name: why for name, why in away.items() if why is not None}
    return replace(told, known=known, others=journal.others, outside=kept_out)


def _plan(asks: SearchConfig, goals: tuple[str, ...], seed: int) -> Plan:
    horizon = "horizon" in type(known(asks.strategy, asks.settings)[1]).model_fields
    way = [*([asks.trials] if horizon else []), asks.strategy, asks.settings, asks.batch, asks.screen, asks.keep,
           asks.space, asks.baselines, goals, seed]  # fmt: skip
    named = sha256(repr(way).encode()).hexdigest()[:8]
    return Plan(
        goals, asks.trials, asks.batch, asks.screen, asks.keep, asks.budget_seconds, asks.patience, asks.target, seed,
        named,
    )  # fmt: skip


@contextmanager
def _lab(ground: Ground, out: Path, wish: Asked) -> Iterator[Lab]:
    folder = out / "ground"
    shutil.rmtree(folder, ignore_errors=True)
    ground.save(folder)
    try:
        with _workers(folder, wish) as lab:
            yield lab
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _workers(folder: Path, wish: Asked) -> AbstractContextManager[Lab]:
    if wish.ray is not None:
        from paretail.search.cluster import Cluster  # the extra `ray`

        return Cluster(folder, wish.ray)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Workers(folder, wish.workers or cores)


def _told(
    ground: Ground, space: GraphSpace, asks: SearchConfig, goals: tuple[str, ...], found: Any, rivals: Sequence[Tried],
    choice: Picked, seed: int,
) -> Searched:  # fmt: skip
    measured = [one for one in found.trials if one.screened and "failed" not in one.screened]
    scores = np.array([one.screened["ndcg"] for one in measured if one.screened], np.float64)
    matters = what_matters(space, [one.architecture for one in measured], scores, rng_for("search/effects", seed))
    beside = [choice.chosen, *(one for one in rivals if one is not choice.chosen)]
    return Searched(
        strategy=asks.strategy, goals=goals, seed=seed, mode=ground.mode, target=ground.question.target,
        told=len(ground.told), apart=0 if ground.apart is ground.told else len(ground.apart), size=space.size,
        found=found, picked=choice, rivals=tuple(_judged(one, choice.chosen) for one in beside),
        matters=tuple(matters),
    )  # fmt: skip


def _judged(one: Tried, chosen: Tried) -> Judged:
    if one.whole is None or "failed" in one.whole:
        return Judged(one, None)
    return Judged(one, None if one is chosen else ahead(chosen, one, "apart"))


def _published(
    searched: Searched, target: Target, graph: ShopGraph, question: Question, config: ShopConfig, bundle: Path,
    seed: int, progress: Progress,
) -> Trained:  # fmt: skip
    """Fit what was picked on all events and publish it."""
    chosen = searched.picked.chosen
    assert chosen.whole is not None
    spec = GraphModelSpec.parse(chosen.fitted, "the search")
    progress("Fitting")
    fitted = fit(model_of("graph"), graph, spec, seed, FitContext(progress))
    figure = f"NDCG@{LENGTH} {chosen.whole['ndcg']:.4f} ± {chosen.whole['error']:.4f}"
    metrics = {searched.mode: {"ndcg": chosen.whole["ndcg"], "standard_error": chosen.whole["error"], "k": LENGTH,
                               "tried": len(searched.found.trials)}}  # fmt: skip
    choice = Choice(spec, metrics, tuple(searched.remarks), figure)
    return published(target, graph, question, config, ("graph", choice, fitted), bundle, seed, progress)


def _place(bundle: Path, out: Path) -> Path:
    """Return where to publish: to `bundle` where it is new, else beside it, where nothing is served from."""
    if not versions(bundle):
        return bundle
    names = (CANDIDATE if number == 1 else f"{CANDIDATE}-{number}" for number in count(1))
    return next(out / name for name in names if not (out / name).exists())


def _write(done: Searched, out: Path) -> None:
    for name, text in (("search.json", as_text(done)), ("search.html", search_page.page(done))):
        with atomic_file(out / name) as aside:
            aside.write_text(text, encoding="utf-8")
