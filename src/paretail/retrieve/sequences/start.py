"""Where item vectors start from: the leading eigenvectors of the user-item graph, shared out to items and attributes.

With N = D_u^-1/2 X D_i^-1/2 and V, λ the leading eigenpairs of N^T N, an item starts in the direction of its row of
D_i^-1/2 V diag(λ)^1/2, with length 1. Attributes start where they explain most of it,
T = argmin Σ_i ‖v_i - a_i T‖² + RIDGE ‖T‖² over items with events, with a_i the unit vector of the item's attributes by
how rare they are; an item's own vector is what they leave. So an item without events starts at what its attributes say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import factorized

from paretail.core.eigen import eigenpairs
from paretail.core.rng import rng_for
from paretail.graph.edges import EdgeSet, Relation
from paretail.retrieve.signals.ground import powered, scaled_columns, scaled_rows, totals
from paretail.retrieve.signals.spectral import normalised

Vectors = NDArray[np.float32]
RIDGE = 1.0
ITERATIONS = 2


@dataclass(frozen=True, eq=False)
class Start:
    """Vectors of items: their `own`, and `marks[items, attributes]` times those of attributes, `told`; and biases.

    `known[items]` marks items with events; the others have no vector of their own.
    """

    own: Vectors
    told: Vectors
    marks: sparse.csr_array
    bias: Vectors
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, vectors: Vectors, marks: sparse.csr_array, counts: NDArray[np.int64], bias: float) -> Self:
        """Share vectors out; an item's bias is `bias` times the log of its events, on average 0."""
        known = counts > 0
        told, own = explained(vectors, marks, known)
        biases = bias * np.log1p(counts)
        return cls(own, told, marks, (biases - biases.mean()).astype(np.float32), known)


def spectral(pairs: sparse.csr_array, dim: int, seed: int) -> Vectors:
    """Return a unit vector for each item of `pairs[users, items]`, 0 for items without events.

    A shop with fewer than `dim` directions fills the others with small random numbers.
    """
    rng = rng_for("retrieve/sequences/spectral", seed)
    found = eigenpairs(normalised(pairs), dim, ITERATIONS, rng)
    degree = totals(pairs, 0)
    rows = found.vectors * np.sqrt(found.values).astype(np.float32) * powered(degree, -0.5)[:, None]
    vectors = rng.standard_normal((pairs.shape[1], dim), np.float32)
    vectors *= np.float32(0.02) * (degree > 0)[:, None]
    vectors[:, : rows.shape[1]] += _unit(rows)
    return _unit(vectors)


def random(known: NDArray[np.bool_], dim: int, seed: int) -> Vectors:
    """Return a random unit vector for each item that is known, 0 for others."""
    drawn = rng_for("retrieve/sequences/random", seed).standard_normal((len(known), dim), np.float32)
    return _unit(drawn * known[:, None])


def shortened(vectors: Vectors, dim: int) -> Vectors:
    """Return `[items, dim]` whose products are as near those of `vectors` as can be; further columns are 0.

    C. Eckart, G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1936.
    """
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    short = np.zeros((len(vectors), dim), np.float32)
    kept = axes[:, ::-1][:, :dim]
    short[:, : kept.shape[1]] = vectors @ kept
    return short


def attributes(edges: Mapping[Relation, EdgeSet], items: int) -> sparse.csr_array:
    """Return `[items, attributes]`: what leads from items to other nodes, rows of length 1, rare attributes heavier."""
    found = [edge_set.matrix() for (source, _, target), edge_set in sorted(edges.items())
             if source == "item" and target not in ("item", "user")]  # fmt: skip
    if not found:
        return sparse.csr_array(np.zeros((items, 0), np.float32))
    marks = sparse.csr_array(sparse.hstack(found, "csr"), dtype=np.float32)
    idf = np.log(1 + items / np.maximum(totals(marks, 0), 1)).astype(np.float32)
    weighed = scaled_columns(marks, idf)
    squares = sparse.csr_array(weighed.multiply(weighed))
    return scaled_rows(weighed, powered(np.sqrt(totals(squares, 1)), -1.0))


def explained(vectors: Vectors, told: sparse.csr_array, known: NDArray[np.bool_]) -> tuple[Vectors, Vectors]:
    """Return vectors of the attributes `told[items, attributes]`, and what they leave of the items'; 0 for unknown."""
    if not told.shape[1]:
        return np.zeros((0, vectors.shape[1]), np.float32), vectors
    rows = sparse.csr_array(told[known])
    gram = sparse.csc_array(rows.T @ rows + RIDGE * sparse.eye_array(told.shape[1]))
    solve, right = factorized(gram.astype(np.float64)), (rows.T @ vectors[known]).astype(np.float64)
    of_told = np.stack([solve(column) for column in right.T], axis=1).astype(np.float32)
    left = np.where(known[:, None], vectors - told @ of_told, np.float32(0))
    return of_told, np.asarray(left, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norm, 1e-12), np.float32)
