"""Update: a new version from what is new since the last one, with the model, settings and weights chosen then.

Nothing is searched. Every user, item and other node keeps its row, new ones stand behind, so that models which are
trained step by step go on from what they learned, for WARM_SHARE of their epochs; the others are fitted as by `train`.
Where the data tell what the last version knew and newer events beside it, these are merged into its graph; where older
events came or went, as by compaction or erasure, the graph is built of what is there now, in the same order.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from paretail.core.clock import now_ms
from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem
from paretail.core.files import check_writable
from paretail.core.ids import Rows, Vocabulary
from paretail.core.progress import Progress, silent
from paretail.data.ingest import ingest
from paretail.data.types import Events, History, Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import ITEM, Target, turned
from paretail.pipeline.agents import carry
from paretail.pipeline.bundle import Draft, Manifest, publish
from paretail.pipeline.config import GoalConfig, ModelConfig, ShopConfig
from paretail.pipeline.drafting import drafted, nodes_from
from paretail.pipeline.ranking import GROUP, add_ranker, rooted
from paretail.pipeline.recommender import Recommender, about_arrays
from paretail.pipeline.train import FEW_EVENTS, account_of, words
from paretail.pipeline.training_page import write_page
from paretail.rank.boosted.money import Money
from paretail.rank.boosted.ranker import KIND, BoostedRanker
from paretail.retrieve.base import Retriever
from paretail.retrieve.fitting import FitContext, WarmStart, fit, shortened
from paretail.retrieve.models import model

NO_RANKER: Final = "No ranker: the version before has none, and an update learns no first one; `paretail train` does"


@dataclass(frozen=True)
class News:
    """What is new since the last version; `older` says that events came or went which are not newer than all it had.

    Where lists hold people, events are friendships, and items people.
    """

    events: int
    users: int
    items: int
    older: bool

    @property
    def told(self) -> str:
        """Say it in words."""
        new = f"{self.events:+,} events, {self.users:+,} users, {self.items:+,} items"
        if self.older:
            return f"{new}; older events came or went"
        return new if self.events or self.users or self.items else f"{new}; what is told of them changed"


@dataclass(frozen=True)
class Updated:
    """The version published, that from which it follows, and what is new; without news they are the same version."""

    version: str
    parent: str
    facts: Mapping[str, Any]
    news: News
    account: tuple[str, ...] = ()
    page: Path | None = None


def update(config: ShopConfig, base: Path, bundle: Path, *, progress: Progress = silent) -> Updated:
    """Import the shop's files (relative to `base`), and publish to `bundle` what follows from its current version.

    Raises ConfigError (UPDT-01) where `config` asks for another model or goal than the bundle's, and what `train` does.
    """
    parent = Recommender.load(bundle)
    check_writable(bundle)
    _check_same(config, parent.manifest)
    config = config.model_copy(update={"rank": rooted(config.rank, base)})
    progress("Importing")
    quarantine = bundle.parent / "quarantine" / f"{bundle.name}-{now_ms()}-{os.getpid()}"
    imported = ingest(config.data, base, quarantine=quarantine, progress=progress)
    account = account_of(imported.report, quarantine)
    updated = update_shop(imported.shop, config, parent, bundle, progress=progress)
    return replace(updated, account=(*account, *updated.account))


def update_shop(
    shop: Shop, config: ShopConfig, parent: Recommender, bundle: Path, *, progress: Progress = silent
) -> Updated:
    """Update from a shop in memory; as `update` otherwise."""
    facts = parent.manifest.facts
    config = config.model_copy(update={"goal": config.goal.model_copy(update={"lists": parent.lists})})
    target = turned(shop, parent.lists)
    old = graph_of(parent)
    progress("Adding what is new")
    graph, older = renewed(old, target)
    news = News(
        len(graph.history.item_idx) - len(old.history.item_idx), graph.users - old.users, graph.items - old.items, older
    )
    fitted = _refitted(parent, graph, WarmStart(parent.model, rows_now(old, graph), old.history), progress)
    told = _facts(parent, graph, config, news) | {"run": getattr(fitted, "run", None)}
    progress("Counting associations")
    draft = drafted(target, graph, config, fitted, parent.manifest.metrics, told)
    carry(parent, draft)
    if _is_known(draft, parent):
        return Updated(parent.version, parent.version, facts, news)
    remarks = _ranked(draft, parent, target, graph, config, progress)
    progress("Publishing")
    version = publish(draft, bundle)
    page = write_page(bundle, version, told, draft.facts.get(GROUP), config.data.currency)
    return Updated(version, parent.version, told, news, remarks, page)


def graph_of(bundle: Recommender) -> ShopGraph:
    """Return what a bundle knows as a graph: its nodes and events; what tables tell is to be told again."""
    nodes = nodes_from(bundle.known_nodes) if bundle.known_nodes is not None else {}
    return ShopGraph({"user": bundle.users, "item": bundle.items, **nodes}, bundle.history, {})


def renewed(old: ShopGraph, target: Target) -> tuple[ShopGraph, bool]:
    """Return the graph of the shop as it is now, nodes in their old order, and whether events that are no news changed.

    Newer events are merged into those of `old`; with others, or with nodes that are gone, all of it is built. So it is
    of a log without times, of which events changed where any that `old` has are gone.
    """
    shop = target.shop
    users, items = shop.user_vocabulary(), shop.item_vocabulary()
    gone = any((there.rows(old.nodes[name].ids) < 0).any() for name, there in (("user", users), ("item", items)))
    newer = _newer(old, shop.events)
    if newer is None or gone or target.bought is not None:
        return target.graph(old.nodes), newer is None and not _only_more(old, shop.events)
    return old.appended(replace(shop, events=newer)), False


def rows_now(old: ShopGraph, new: ShopGraph) -> dict[str, Rows]:
    """Return the row that each node of `old` has in `new`, -1 where it is gone, by type."""
    nothing = Vocabulary(pl.Series([], dtype=pl.String))
    return {name: new.nodes.get(name, nothing).rows(ids.ids) for name, ids in old.nodes.items()}


def _newer(old: ShopGraph, events: Events) -> Events | None:
    """Return the events that are newer than all of `old`; None where the others are not just those of `old`."""
    history, time = old.history, events.time
    if time == "none" or time != history.time or not len(history.item_idx):
        return None
    is_new = pl.col("ts_ms") > int(history.ts_ms.max())
    others = events.frame.filter(~is_new)
    if others.height != len(history.item_idx) or _checksum(_columns(others)) != _checksum(_told(old, history)):
        return None
    return Events(events.frame.filter(is_new), time)


def _only_more(old: ShopGraph, events: Events) -> bool:
    """Say of a log without times whether it still has all events of `old`; False of any other."""
    if old.history.time != "none":
        return False
    was, now = (frame.group_by(pl.all()).len() for frame in (_told(old, old.history), _columns(events.frame)))
    there = was.join(now, on=was.columns[:-1], how="left", suffix="_now")
    return there.filter(pl.col("len_now").fill_null(0) < pl.col("len")).is_empty()


def _columns(events: pl.DataFrame) -> pl.DataFrame:
    quantity = pl.col("quantity").fill_null(1.0).cast(pl.Float32)
    return events.select("user_id", "item_id", "kind", pl.col("ts_ms").fill_null(0).cast(pl.Int64), quantity)


def _told(graph: ShopGraph, history: History) -> pl.DataFrame:
    """Return a history as the events that it was made of."""
    kinds = pl.Series(history.kinds, dtype=pl.String)
    return pl.DataFrame(
        {
            "user_id": graph.nodes["user"].names(history.user_idx),
            "item_id": graph.nodes["item"].names(history.item_idx),
            "kind": kinds.gather(pl.Series(history.kind.astype(np.int64))),
            "ts_ms": history.ts_ms,
            "quantity": history.quantity,
        }
    )


def _checksum(events: pl.DataFrame) -> int:
    """Return a number that follows from which events there are, not from their order."""
    return int(events.hash_rows().to_numpy().sum(dtype=np.uint64))


def _refitted(parent: Recommender, graph: ShopGraph, start: WarmStart, progress: Progress) -> Retriever:
    """Return the parent's model with its settings, fitted on the graph as it is now."""
    facts = parent.manifest.facts
    model_type = model(facts["model"])
    config = shortened(model_type, model_type.config_type.parse(facts["settings"], "the bundle"))
    progress("Fitting")
    with threadpool_limits(1 if len(graph.history.item_idx) < FEW_EVENTS else None, "blas"):
        return fit(model_type, graph, config, int(facts["seed"]), FitContext(progress, start=start))


def _ranked(draft: Draft, parent: Recommender, target: Target, graph: ShopGraph, config: ShopConfig,
            progress: Progress) -> tuple[str, ...]:  # fmt: skip
    """Put a ranker into the draft where the parent has one; return what there is to say of it, or of none.

    Trees, learned where the log has no impressions, are settings as weights are: they stay, and what a purchase is
    worth is told anew. They are learned anew only where their columns would be others. So is any other ranker.
    """
    facts = parent.manifest.facts
    if GROUP not in facts:
        asked = config.rank.enabled and parent.lists == ITEM
        return (NO_RANKER,) if asked else ()
    stays = facts[GROUP].get("kind") == KIND and parent.history.kinds == graph.history.kinds
    if not stays or not config.rank.enabled:
        return add_ranker(draft, target, graph, config.rank, int(facts["seed"]), progress,
                          config.train.budget_seconds)  # fmt: skip
    ranker = parent.ranker
    assert isinstance(ranker, BoostedRanker)
    money = Money.of(target.shop.events, graph.nodes["user"], graph.nodes["item"])
    ranker = replace(ranker, money=money)
    draft.arrays[GROUP], draft.facts[GROUP] = ranker.arrays(), ranker.facts
    return (f"Ranker: as {facts.get('trained', parent.version)} learned it",)


def _facts(parent: Recommender, graph: ShopGraph, config: ShopConfig, news: News) -> dict[str, Any]:
    """Return what the parent tells of itself, and what has changed."""
    history = graph.history
    facts = {name: fact for name, fact in parent.manifest.facts.items() if name != GROUP}  # see `_ranked`
    trained = facts.get("trained", parent.version)
    remark = f"Updated from {parent.version}: {news.told}; settings and figures are those of {trained}"
    return facts | {
        "parent": parent.version, "trained": trained, "kinds": list(history.kinds), "words": words(config),
        "remarks": [remark, *(line for line in facts.get("remarks", ()) if not line.startswith("Updated from "))],
        "users": graph.users, "items": graph.items, "events": len(history.item_idx),
    }  # fmt: skip


def _is_known(draft: Draft, parent: Recommender) -> bool:
    """Say whether a bundle would tell nothing but what its parent tells: by its events, tables and what follows."""
    if draft.data_fingerprint != parent.manifest.data_fingerprint:
        return False
    files = parent.manifest.files  # an older version may lack a table
    tables = all(f"{name}.arrow" in files and told.equals(parent.table(name)) for name, told in draft.tables.items())
    pairs = ("about", about_arrays(parent.history)), ("associations", parent.arrays("associations"))
    return tables and all(_equal(draft.arrays[group], known) for group, known in pairs)


def _equal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(array, other[name]) for name, array in one.items())


def _check_same(config: ShopConfig, manifest: Manifest) -> None:
    """Raise ConfigError where the bundle was trained for something else than shop.toml asks for now."""
    trained = (
        ModelConfig.parse(manifest.config["model"], "the bundle"),
        GoalConfig.parse(manifest.config["goal"], "the bundle"),
    )
    asked = config.model, config.goal.model_copy(update={"lists": trained[1].lists})
    problems = [
        Problem(
            "UPDT-01", f"[{table}] of shop.toml has changed since the bundle was trained: {_changes(was, now)}",
            "An update keeps model, settings and goal", "Train: paretail train --config shop.toml --out BUNDLE",
        )
        for table, was, now in zip(("model", "goal"), trained, asked, strict=True) if was != now
    ]  # fmt: skip
    if problems:
        raise ConfigError(problems)


def _changes(was: Config, now: Config) -> str:
    """Say which settings were what, and what they are."""
    before, after = was.model_dump(), now.model_dump()
    return ", ".join(
        f"{name} was {before[name]!r} and is {after[name]!r}" for name in before if before[name] != after[name]
    )
