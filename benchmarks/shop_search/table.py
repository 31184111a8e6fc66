"""A table of graph recommenders: every architecture of one small space, trained in full on two sets with three seeds.

The space is the product of seven kinds of messages, depth, combination, loss, scorer and start, 444 networks that
differ; the presets `lightgcn` and `mf` are among them, with dim 32 and 256 negatives. Rows are appended to `table.csv`
as soon as they are measured, and what it holds is not trained again: a run that was stopped goes on. The order is a
fixed random one, seed by seed, so that any beginning of it is a fair sample of the space.

The sets are small so that one training takes seconds: `lastfm` is 800 users of PARETAIL_DATA's lastfm and the artists
that four of them listened to; `planted` a world of `sim.planted` whose tastes are drawn in eight blocks.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from made_graphs import graph_of

from paretail.core.rng import rng_for
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.search.base import Architecture
from paretail.search.ground import Ground
from paretail.search.space import GraphSpace
from paretail.search.trial import Job, evaluate

FILE: Final = Path(__file__).resolve().parent / "table.csv"
SEEDS: Final = (0, 1, 2)
#: Fields with several options are the columns of the table, the others are the same for all.
SPACE: Final[dict[str, Any]] = {
    "message": ("none", "lightgcn", "gcn", "sage", "gat", "gin", "ngcf"), "depth": (1, 2, 3),
    "combination": ("mean", "concat"), "loss": ("softmax", "bpr", "bce"), "scorer": ("cosine", "dot"),
    "start": ("spectral", "random"), "weights": ({"view": 1.0},), "negatives": (256,), "dim": (32,),
    "batch_size": (1024,),
}  # fmt: skip
MEASURED: Final = (
    "ndcg", "error", "apart", "apart_error", "cold_recall", "coverage", "p50_ms", "p99_ms", "memory_mib", "epochs",
    "cpu_seconds", "failed",
)  # fmt: skip
#: Beside the space: models that choose their settings, with all the time that they want.
RIVALS: Final = ("mf", "blend")
CHOOSING_SECONDS: Final = 3600.0


def lastfm() -> ShopGraph:
    """Return 800 users drawn from lastfm, and the artists with four of them."""
    data = Path(os.environ.get("PARETAIL_DATA", "")) / "lastfm" / "events.parquet"
    pairs = pl.read_parquet(data).select("user_id", "item_id").unique(maintain_order=True)
    users = pairs["user_id"].unique().sort().to_numpy()
    kept = rng_for("benchmarks/table", 0).permutation(users)[:800]
    pairs = pairs.filter(pl.col("user_id").is_in(kept.tolist())).filter(pl.len().over("item_id") >= 4)
    user, item = (np.unique(pairs[side].to_numpy(), return_inverse=True)[1] for side in ("user_id", "item_id"))
    return graph_of(user, item.astype(np.int32), int(user.max()) + 1, int(item.max()) + 1)


def made() -> ShopGraph:
    """Return a planted world of 1,200 users and 300 items."""
    from paretail.sim.planted import planted

    history = planted(1200, 300, 20, seed=7).history
    return graph_of(history.user_idx, history.item_idx, 1200, 300)


SETS: Final[Mapping[str, Callable[[], ShopGraph]]] = {"lastfm": lastfm, "planted": made}


@dataclass(frozen=True)
class Trained:
    """What is one row of the table: a model with a seed on a set."""

    data: str
    job: Job
    architecture: Architecture | None

    def row(self, space: GraphSpace) -> dict[str, Any]:
        """Return the columns that say what was trained; those of the space are empty for a rival."""
        told = {name: self.job.settings[name] for name in space.fields} if self.architecture is not None else {}
        empty = dict.fromkeys(space.fields, "")
        return {"data": self.data, "model": self.job.model, "seed": self.job.seed, **empty, **told}


@cache
def space() -> GraphSpace:
    """Return the space of the table."""
    return GraphSpace(SPACE)


def ground(name: str) -> Ground:
    """Return the ground of a set: one item of each user is hidden, which was never had before."""
    return Ground.of(SETS[name](), Question("view", repeat=False, wishes=("view",)), 0, "all")


def planned(known: GraphSpace, names: list[str], seeds: tuple[int, ...]) -> Iterator[Trained]:
    """Yield all that the table will hold, in the order in which it is measured."""
    every = [known.from_tokens(tokens) for tokens in np.ndindex(*known.choices)]
    points = sorted({point for point in every if point is not None})  # type: ignore[type-var]  # tuples of numbers
    order = rng_for("benchmarks/table", 1).permutation(len(points))
    for seed in seeds:
        for model in RIVALS:
            yield from (Trained(name, Job(model, {}, seed=seed, seconds=CHOOSING_SECONDS), None) for name in names)
        for row in order:
            job = Job("graph", known.settings(points[row]), seed=seed)
            yield from (Trained(name, job, points[row]) for name in names)


def measure(names: list[str], seeds: tuple[int, ...], most: int | None = None) -> int:
    """Train what the table does not hold yet, `most` of it at most, and return how much that was."""
    known, done, grounds = space(), known_rows(), {name: ground(name) for name in names}
    left = [one for one in planned(known, names, seeds) if key(one.row(known)) not in done][:most]
    for one in left:
        found = evaluate(grounds[one.data], one.job)
        _append(one.row(known) | _measured(found))
    return len(left)


def known_rows() -> dict[tuple[str, ...], dict[str, str]]:
    """Return the rows of the table by what was trained."""
    if not FILE.exists():
        return {}
    with FILE.open(newline="", encoding="utf-8") as text:
        return {key(row): row for row in csv.DictReader(text)}


def key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("data", "model", "seed", *space().fields))


def _measured(found: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: found.get(name) for name in MEASURED}
    if "apart" in found:
        users = np.array(found["apart"])
        told |= {"apart": float(users.mean()), "apart_error": float(users.std() / np.sqrt(len(users)))}
    return {name: f"{value:.5g}" if isinstance(value, float) else value for name, value in told.items()}


def _append(row: Mapping[str, Any]) -> None:
    new = not FILE.exists()
    with FILE.open("a", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
