"""Evaluate: a bundle's lists, and baselines fitted on the same history, against held-out events."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from scipy import sparse

from paretail.core.errors import DataError, Problem
from paretail.core.ids import Vocabulary
from paretail.core.progress import Progress, silent
from paretail.data.held import Held, Mask, Mode, among, held_from, pair_keys
from paretail.data.types import Candidates, Catalogue, Events, History
from paretail.evaluate.context import Context, labels
from paretail.evaluate.report import Report, evaluate
from paretail.graph.targets import USER
from paretail.pipeline.holdout import read_events, read_links
from paretail.pipeline.recommend import check_k, listed
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.regraph import graph_in
from paretail.retrieve.models import model


@dataclass(frozen=True)
class Evaluation:
    """What was asked (how many users, which question), and a report for each model, the bundle's own first."""

    version: str
    target: str
    mode: Mode
    users: int
    pairs: int
    reports: dict[str, Report]


def evaluate_bundle(
    bundle: Path,
    holdout: Path,
    *,
    ks: Sequence[int] = (10, 20),
    exclude: Sequence[str] | None = None,
    against: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Measure the bundle, and the models `against` fitted on its graph, on the target events of `holdout`.

    Full ranking over all items. A held-out pair that the user had before under the excluded kinds is no question.
    Held-out items that the bundle does not know stay in the question. Raises DataError (EVAL-04) where no pair is
    left to ask for.
    """
    for k in ks:
        check_k(k)
    for name in against:
        model(name)  # an unknown name is refused before anything is measured
    recommender = Recommender.load(bundle)
    recommender.excluded_kinds(exclude)
    read = read_links if recommender.lists == USER else read_events
    events = recommender.in_target(read(holdout, recommender.manifest.config))
    return evaluate_recommender(recommender, events, ks, exclude, against, progress)


def evaluate_recommender(
    recommender: Recommender,
    events: Events,
    ks: Sequence[int] = (10, 20),
    exclude: Sequence[str] | None = None,
    against: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Measure on events in memory; as `evaluate_bundle` otherwise."""
    excluded = recommender.excluded_kinds(exclude)
    user_ids = events.frame["user_id"].unique().sort()
    items = _extended(recommender.items, events)
    histories = recommender.history_of(user_ids)
    later = History.of(events, Vocabulary(user_ids), items, recommender.history.kinds)
    held = held_from(later, histories, recommender.target)
    held = held.where(~_in(held, recommender.hidden(histories, excluded), len(items)))
    asked = np.flatnonzero(held.counts)
    if not len(asked):
        found = f"no {recommender.target} of the holdout is left to ask for"
        expected = "Events of the target kind whose items the user did not have before"
        raise DataError(Problem("EVAL-04", found, expected, "Check the file, its words for kinds, and --exclude"))
    histories, held = histories.of_users(asked), held.of_users(asked)
    context = _context(recommender, histories, len(items))
    reports = {}
    for name in ("this bundle", *against):
        progress(f"Evaluating {name}")
        rival = recommender if name == "this bundle" else _baseline(name, recommender)
        known = recommender.users.rows(user_ids.gather(asked))
        order: Literal["auto", "model"] = "auto" if rival is recommender else "model"
        lists = listed(rival, histories, known, max(ks), exclude, order, progress=progress)
        reports[name] = _report(lists, held, context, ks)
    return Evaluation(
        recommender.version, recommender.target, recommender.mode(excluded), len(asked), len(held.item_idx), reports
    )


def _in(held: Held, history: History, items: int) -> Mask:
    """Say of each held-out pair whether the user had the item in `history`."""
    asked = pair_keys(held.user_idx, held.item_idx, items)
    return among(asked, pair_keys(history.user_idx, history.item_idx, items))


def _report(lists: Candidates, held: Held, context: Context, ks: Sequence[int]) -> Report:
    return evaluate(lists.item_idx, lists.scores, held, context, ks=ks)


def _baseline(name: str, recommender: Recommender) -> Recommender:
    """Return the recommender with another model, fitted on the same graph: events, catalogue, people."""
    model_type = model(name)
    seed = int(recommender.manifest.facts["seed"])
    return recommender.with_model(model_type.fit(graph_in(recommender), model_type.config_type(), seed))


def _context(recommender: Recommender, histories: History, items: int) -> Context:
    everyone = Context.of(recommender.history, items)
    mine = Context.of(histories, items)
    categories = labels(Catalogue(recommender.catalogue), recommender.items)
    if categories is not None:
        new = sparse.csr_array((items - categories.shape[0], categories.shape[1]), dtype=np.float32)
        categories = sparse.csr_array(sparse.vstack([categories, new], format="csr"))
    return Context(mine.had, everyone.users_with, everyone.users, everyone.new_item, categories)


def _extended(items: Vocabulary, events: Events) -> Vocabulary:
    """Return the bundle's items, then those that only the holdout has, which no list can hold."""
    new = events.frame["item_id"].unique().sort()
    new = new.filter(pl.Series(items.rows(new) < 0))
    return Vocabulary(pl.concat([items.ids, new.rename("id")]))
