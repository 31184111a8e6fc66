"""Traits: the categorical attributes of users as nodes, for users of the graph and for users told of later.

about["country"][u, v] = 1 where user u has the value v; a user may have several values of one column
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows, Vocabulary
from paretail.graph.shopgraph import ShopGraph

#: One user's edges: node type -> rows of nodes, and their weights.
About = Mapping[str, tuple[Rows, NDArray[np.float32]]]
SCHEMA: Final = {"column": pl.String, "node_type": pl.String, "value": pl.String}


@dataclass(frozen=True, eq=False)
class Traits:
    """`columns[column]` are the node type that a column of the users' table became, and its values in row order."""

    columns: Mapping[str, tuple[str, Vocabulary]]

    @classmethod
    def of(cls, graph: ShopGraph) -> Self:
        """Read them off a graph."""
        types = [target for source, verb, target in graph.edges if (source, verb) == ("user", "has")]
        told = graph.tables["user"].columns if "user" in graph.tables else []
        named = {name if name in told else name.removesuffix("_of_user"): name for name in types}
        return cls({column: (name, graph.nodes[name]) for column, name in named.items()})

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Self:
        """Rebuild from `frame()`."""
        parts = frame.partition_by("column", "node_type", maintain_order=True)
        return cls({part["column"][0]: (part["node_type"][0], Vocabulary(part["value"])) for part in parts})

    def frame(self) -> pl.DataFrame:
        """Return `column, node_type, value`, one row a node in row order."""
        parts = [
            pl.DataFrame({"value": values.ids}).select(
                column=pl.lit(column), node_type=pl.lit(name), value=pl.col("value")
            )
            for column, (name, values) in self.columns.items()
        ]
        return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])

    @property
    def sizes(self) -> dict[str, int]:
        """How many nodes each type has."""
        return {name: len(values) for name, values in self.columns.values()}

    def row(self, attributes: Mapping[str, Any]) -> dict[str, tuple[Rows, NDArray[np.float32]]]:
        """Return what the attributes of one user are as nodes; values that the graph has not seen are none."""
        found = {}
        for column, (name, values) in self.columns.items():
            told = attributes.get(column)
            words = told if isinstance(told, list) else [told]
            rows = {values.row(str(word).strip()) for word in words if word is not None} - {-1}
            if rows:
                found[name] = np.array(sorted(rows), np.int32), np.ones(len(rows), np.float32)
        return found

    def values(self, node_type: str) -> Vocabulary:
        """Return the values of one node type."""
        return next(values for name, values in self.columns.values() if name == node_type)

    def named(self, node_type: str, node_idx: int) -> tuple[str, str]:
        """Return the column and the value of a node."""
        column = next(column for column, (name, _) in self.columns.items() if name == node_type)
        return column, self.values(node_type).name(node_idx)


def row_of(about: Mapping[str, sparse.csr_array], row: int) -> dict[str, tuple[Rows, NDArray[np.float32]]]:
    """Return what is known of one user."""
    bounds = {name: slice(known.indptr[row], known.indptr[row + 1]) for name, known in about.items()}
    return {
        name: (known.indices[bounds[name]], known.data[bounds[name]])
        for name, known in about.items() if bounds[name].start < bounds[name].stop
    }  # fmt: skip


def together(rows: Sequence[About], sizes: Mapping[str, int]) -> dict[str, sparse.csr_array]:
    """Return `History.about` of users given one by one; `sizes` says how many nodes each type has."""
    nothing = (np.empty(0, np.int32), np.empty(0, np.float32))
    found = {}
    for name in sorted({name for row in rows for name in row}):
        cells = [row.get(name, nothing) for row in rows]
        known = copy(_empty(len(rows), sizes[name]))  # checks of parts that are right take longer than all else here
        known.indptr = np.array([0, *accumulate(len(nodes) for nodes, _ in cells)], np.int32)
        known.indices, known.data = (np.concatenate(part) for part in zip(*cells, strict=True))
        found[name] = known
    return found


@lru_cache(maxsize=256)
def _empty(users: int, nodes: int) -> sparse.csr_array:
    parts = np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(users + 1, np.int32)
    return sparse.csr_array(parts, (users, nodes))


def and_nobody(about: Mapping[str, sparse.csr_array]) -> dict[str, sparse.csr_array]:
    """Return the same with one more user at the end, of whom nothing is known."""
    return {
        name: sparse.csr_array(
            (known.data, known.indices, np.append(known.indptr, known.indptr[-1])),
            (known.shape[0] + 1, known.shape[1]),
        )
        for name, known in about.items()
    }
