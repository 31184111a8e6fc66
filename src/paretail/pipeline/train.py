"""Train: from the shop's files to a published bundle."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from paretail.core.errors import DataError, Problem, nearest
from paretail.core.progress import Progress, silent
from paretail.data.ingest import ingest
from paretail.data.kinds import NOT_TARGETS, strongest
from paretail.data.types import History, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.bundle import Draft, publish
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.recommender import history_arrays
from paretail.retrieve.associate import Associations
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice, choose
from paretail.retrieve.models import model

#: Above this share of repeats among the newest fifth of target events, `repeat = "auto"` lets items come back.
REPEAT_SHARE = 0.15


@dataclass(frozen=True)
class Trained:
    """What `train` tells: the version published, the choice made and the facts that the bundle keeps."""

    version: str
    choice: Choice
    facts: dict[str, Any]


def train(config: ShopConfig, base: Path, out: Path, *, seed: int | None = None, budget_seconds: float | None = None,
          progress: Progress = silent) -> Trained:  # fmt: skip
    """Import the shop's files (relative to `base`), choose settings on a split of the events, fit, publish to `out`.

    `seed` and `budget_seconds` override `[train]`. Raises ConfigError, DataError; nothing is published then.
    """
    progress("Importing")
    shop = ingest(config.data, base, quarantine=out.parent / "quarantine", progress=progress).shop
    return train_shop(shop, config, out, seed=seed, budget_seconds=budget_seconds, progress=progress)


def train_shop(shop: Shop, config: ShopConfig, out: Path, *, seed: int | None = None,
               budget_seconds: float | None = None, progress: Progress = silent) -> Trained:  # fmt: skip
    """Train on a shop in memory; as `train` otherwise."""
    seed = config.train.seed if seed is None else seed
    users, items = shop.user_vocabulary(), shop.item_vocabulary()
    progress("Building the graph")
    graph = ShopGraph.build(shop, users, items)
    question = question_of(graph.history, config)
    model_type = model(config.model.name)
    progress("Choosing settings")
    limit = config.train.budget_seconds if budget_seconds is None else budget_seconds
    choice = choose(model_type, graph, question, config.model.settings, seed, limit, progress)
    progress("Fitting")
    fitted = model_type.fit(graph, choice.config, seed)
    facts = {
        "model": config.model.name, "settings": choice.config.model_dump(mode="json"), "target": question.target,
        "repeat": question.repeat, "kinds": list(graph.history.kinds), "time": graph.history.time, "seed": seed,
        "words": words(config), "users": len(users), "items": len(items), "events": len(graph.history.item_idx),
        "figure": choice.figure,
    }  # fmt: skip
    progress("Counting associations")
    draft = Draft(
        config=config.model_dump(mode="json"),
        data_fingerprint=fingerprint(graph.history, users.ids, items.ids),
        metrics=choice.metrics,
        facts=facts,
        arrays={
            "model": fitted.arrays(),
            "history": history_arrays(graph.history),
            "associations": Associations.build(shop, graph).arrays(),
        },
        tables={"items": _rows(items.ids, shop.catalogue.frame), "users": _rows(users.ids, shop.users.frame)},
    )
    progress("Publishing")
    return Trained(publish(draft, out), choice, facts)


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


def fingerprint(history: History, user_ids: pl.Series, item_ids: pl.Series) -> str:
    """Return a SHA-256 (hex) of all events and ids; equal data give equal fingerprints."""
    digest = sha256()
    for array in history_arrays(history).values():
        digest.update(np.ascontiguousarray(array).tobytes())
    for ids in (user_ids, item_ids):
        digest.update("\n".join(ids.to_list()).encode())
    return digest.hexdigest()


def _rows(ids: pl.Series, table: pl.DataFrame) -> pl.DataFrame:
    """Return `table` with one row for each id, in the order of the ids; null where the table has no such row."""
    column = table.columns[0]
    return pl.DataFrame({column: ids}).join(table, on=column, how="left", maintain_order="left")
