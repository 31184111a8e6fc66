"""Leaks: attributes that tell what they are to predict, because they were made from it.

A label of users or items leaks a task where it is borne by nearly all of whom there is a positive example and by nearly
nobody else (or the other way round), and a number of a vector where it rises with the count of positives in a line. No
taste is that regular; a column like `has_ordered` or `sales`, exported today, is. A ranker would believe it, look right
on its own log, and know nothing of tomorrow. What was exported later than the events and is less than exact cannot be
told from what was known at the time. A log that does not tell what was shown is looked at too: its ranker reads the
retriever's scores, and those read labels, vectors and traits.

S. Kaufman, S. Rosset, C. Perlich, "Leakage in data mining", KDD 2011, doi:10.1145/2020408.2020496.
Deviations: values have no tags that say when they were known; of their ways this is the search for what tells too much.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.errors import Problem
from paretail.core.ids import Rows
from paretail.data.features.content import is_vector
from paretail.data.features.pairs import wished
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.rank import RankError
from paretail.rank.boosted.questions import LEVELS, kinds_of
from paretail.rank.examples import Examples
from paretail.rank.sides import NO_TRAITS

#: How exactly a label agrees, seen from it and from the outcome, and a number correlates.
AGREES: Final = 0.98
IN_LINE: Final = 0.995
#: Users or items on each side that are needed to say so.
FEWEST: Final = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What users turned to in a log that does not tell what was shown, and which levels of the funnel they reached."""

    user_idx: Rows
    item_idx: Rows
    labels: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, history: History, target: str) -> Self:
        """Take every event that turns to an item."""
        wishes = history.where(wished(history))
        reached = {level: [wishes.kinds.index(kind) for kind in kinds_of(level, wishes.kinds, target)
                           if kind in wishes.kinds] for level in LEVELS}  # fmt: skip
        return cls(wishes.user_idx, wishes.item_idx,
                   {level: np.isin(wishes.kind, kinds) * 1.0 for level, kinds in reached.items() if kinds})  # fmt: skip


def check_leaks(graph: ShopGraph, examples: Examples | Outcomes) -> None:
    """Raise RankError (RANK-15) with all that leak."""
    if told := [*leaking(graph, examples)]:
        do = 'Leave the column out of the file, or export it as of the day the events begin; or [rank] leaks = "ignore"'
        raise RankError([Problem("RANK-15", found, "What was known before the events", do) for found in told])


def leaking(graph: ShopGraph, examples: Examples | Outcomes) -> Iterator[str]:
    """Yield what each leak is."""
    for task, label in examples.labels.items():
        if task == "value":
            continue
        there = np.isfinite(label)
        for end, rows, size in (("users", examples.user_idx, graph.users), ("items", examples.item_idx, graph.items)):
            known = np.bincount(rows[there], minlength=size) > 0
            positives = np.bincount(rows[there], label[there], size)[known].astype(np.float64)
            for name, labels in _labels(graph, end):
                for place in exact(sparse.csr_array(labels)[known], positives > 0):
                    value = graph.nodes[name].ids[int(place)]
                    yield f"the {end}' {name} {value!r} and `{task}` are the same for {AGREES:.0%} of the {end} or more"
            if end == "items":
                for name, matrix in _vectors(graph):
                    for at in in_line(matrix[known], positives):
                        yield f"number {at} of the items' {name} rises with their count of `{task}`"


def exact(labels: sparse.csr_array, happened: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the columns of `labels[entities, labels]` that say what `happened[entities]`."""
    borne, size = labels.astype(bool).astype(np.float64), len(happened)
    with_x = np.asarray(borne.sum(axis=0)).ravel()
    enough = np.minimum(with_x, size - with_x) >= FEWEST
    if min(happened.sum(), size - happened.sum()) < FEWEST:
        return np.zeros(0, np.int64)
    agrees = np.zeros(len(with_x), bool)
    for y in (happened, ~happened):  # the label says that it happened, or that it did not
        with_y, both = float(y.sum()), np.asarray(borne.T @ y.astype(np.float64)).ravel()
        neither = size - with_x - with_y + both
        shares = (
            both / np.maximum(with_x, 1),
            both / with_y,
            neither / np.maximum(size - with_x, 1),
            neither / (size - with_y),
        )
        agrees |= np.min(shares, axis=0) >= AGREES
    return np.flatnonzero(enough & agrees)


def in_line(matrix: NDArray[np.float32], positives: Floats) -> NDArray[np.int64]:
    """Return the columns that rise or fall with `positives[entities]`, or with their logarithms, in a line."""
    found: list[NDArray[np.int64]] = []
    if len(positives) >= 2 * FEWEST:
        x = matrix.astype(np.float64) - matrix.mean(axis=0, dtype=np.float64)
        for y in (positives, np.log1p(positives)):
            y = y - y.mean()
            length = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
            found.append(np.flatnonzero(np.abs(y @ x) >= IN_LINE * np.maximum(length, 1e-12)))
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


def _labels(graph: ShopGraph, end: str) -> Iterator[tuple[str, sparse.csr_array]]:
    if end == "users":
        yield from ((name, known) for name, known in graph.history.about.items() if name not in NO_TRAITS)
        return
    for (source, _, target), edges in sorted(graph.edges.items()):
        if source == "item" and target not in ("user", "item"):
            yield target, edges.matrix()


def _vectors(graph: ShopGraph) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if "item" in graph.tables:
        table = graph.tables["item"]
        for name in table.columns:
            if is_vector(table.schema[name]):
                there = table[name].is_not_null()
                matrix = np.zeros((table.height, int(getattr(table.schema[name], "size", 0))), np.float32)
                matrix[there.to_numpy()] = table[name].filter(there).to_numpy()
                yield name, np.nan_to_num(matrix)
