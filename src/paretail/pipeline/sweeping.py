"""The trade-off report of `train --sweep`: made from the shop's own log, written beside the version's page."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paretail.core.errors import Problem
from paretail.core.files import atomic_file
from paretail.core.plain import plain
from paretail.core.progress import Progress
from paretail.graph.shopgraph import ShopGraph
from paretail.graph.targets import ITEM, Target
from paretail.pipeline.ranking import SHOWN
from paretail.pipeline.sweep_page import page
from paretail.rank import RankError
from paretail.rank.config import RankConfig
from paretail.rank.tradeoff import Tradeoff


def swept(target: Target, graph: ShopGraph, config: RankConfig, seed: int, progress: Progress) -> Tradeoff:
    """Return how the tasks of the shop's ranker trade off.

    Raises RankError: RANK-09 where there is no ranker to be learned (no impressions, no torch, no items in the lists),
    and where the log has too little for two groups of tasks.
    """
    if missing := _missing(target, graph, config):
        expected = (
            "The trade-off of tasks needs a ranker that weighs their losses, and so learns from what was shown; "
            "trees of a log without impressions learn each level by itself, and have nothing to trade"
        )
        do = "Map the shop's word for what was shown to `impression`, install the extra `learn`, or leave out --sweep"
        raise RankError(Problem("RANK-09", missing, expected, do))
    from paretail.rank.learned.sweep import sweep

    return sweep(graph, target.shop.events, config, seed, progress)


def _missing(target: Target, graph: ShopGraph, config: RankConfig) -> str:
    if not config.enabled:
        return "[rank] enabled = false"
    if target.name != ITEM:
        return f"lists hold {target.name}, not items"
    if SHOWN not in graph.history.kinds:
        return "the log has no event of the kind 'impression'"
    return "" if find_spec("torch") else "the extra `learn` is not installed"


def write_sweep(out: Path, version: str, found: Tradeoff) -> Path:
    """Write the report of a version to `out`/reports, as JSON and as a page; return where the page is."""
    path = out / "reports" / f"{version}-sweep.html"
    texts: dict[Path, Any] = {
        path: page(version, found),
        path.with_suffix(".json"): json.dumps(plain(found.to_json()), indent=1, ensure_ascii=False) + "\n",
    }
    for file, text in texts.items():
        with atomic_file(file) as aside:
            aside.write_text(text, encoding="utf-8")
    return path
