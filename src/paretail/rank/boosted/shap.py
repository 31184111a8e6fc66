"""SHAP: what each column adds to a sum of trees, exactly: Shapley values of what the trees say when columns are known.

    v(S) = E tree(x) with the columns of S known: a node that asks for another goes both ways, as often as pairs did
    φ_j = Σ_{S without j} |S|! (M - |S| - 1)! / M! (v(S + j) - v(S)),   Σ_j φ_j = tree(x) - v(nothing)

A path to a leaf asks for few distinct columns, M of them at most its depth. With o_k = 1 where x goes the path's way at
every node that asks for k (else 0) and z_k the part of the pairs that do, the leaf's part of v(S) is
leaf Π_S o_k Π_rest z_k, and its part of φ_j is leaf (o_j - z_j) Σ_s s! (M - s - 1)! / M! [y^s] Π_{k ≠ j} (z_k + o_k y).

Source: S. Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature
Machine Intelligence 2020, doi:10.1038/s42256-019-0138-9 (path-dependent TreeSHAP). Deviations: 1. What a leaf adds
follows from o alone, of which a shallow tree has few: it is computed once for each (J. Yang, "Fast TreeSHAP", 2021,
arXiv:2109.09847, version 2), and a row looks it up. 2. Polynomials are multiplied anew for each column instead of
divided: nothing is divided by a small z.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from paretail.core.kernels import parallel_kernel
from paretail.rank.boosted.trees import Dense, Trees

Floats = NDArray[np.float64]


def contributions(trees: Trees, x: Dense) -> Floats:
    """Return `[rows, columns]`, what each column adds to `trees.logits(x)` over `usual(trees)`.

    Cost: 500 rows of 100 trees of depth 5 take .12 s on a thread, 60 ms of them once for all rows.
    """
    slots, columns, adds = _tables(trees)
    out = np.zeros(x.shape)
    _explain(np.ascontiguousarray(x, np.float32), trees.feature, trees.cut, slots, columns, adds, out)
    return out


def usual(trees: Trees) -> float:
    """Return what the trees say of all pairs on average."""
    cover = trees.cover.astype(np.float64)
    whole = np.maximum(cover.sum(1), 1e-300)
    return float(((trees.leaf * cover).sum(1) / whole).sum())


def _tables(trees: Trees) -> tuple[NDArray[np.int8], NDArray[np.int32], Floats]:
    """Return of each leaf's path the place of each node's column among the distinct ones (-1: it asks for nothing),

    those columns, and what the leaf adds to each by o, a bit a column: `[trees, leaves, levels]` twice,
    `[trees, leaves, 2^levels, levels]`.
    """
    count, leaves = trees.leaf.shape
    depth = int(np.log2(leaves))
    slots = np.full((count, leaves, depth), -1, np.int8)
    columns = np.full((count, leaves, depth), -1, np.int32)
    adds = np.zeros((count, leaves, 2**depth, depth))
    _fill(trees.feature, trees.leaf, _covers(trees), _weights(depth), slots, columns, adds)
    return slots, columns, adds


def _covers(trees: Trees) -> Floats:
    """Return the weight of the pairs that reach each node, `[trees, nodes and leaves]`."""
    leaves = trees.leaf.shape[1]
    found = np.zeros((len(trees.leaf), 2 * leaves - 1))
    found[:, leaves - 1 :] = trees.cover
    for node in range(leaves - 2, -1, -1):
        found[:, node] = found[:, 2 * node + 1] + found[:, 2 * node + 2]
    return found


def _weights(depth: int) -> Floats:
    """Return s! (M - s - 1)! / M! as `[M, s]`."""
    found = np.zeros((depth + 1, depth + 1))
    for m in range(1, depth + 1):
        found[m, 0] = 1 / m
        for s in range(1, m):
            found[m, s] = found[m, s - 1] * s / (m - s)
    return found


@parallel_kernel
def _explain(x, feature, cut, slots, columns, adds, out):  # type: ignore[no-untyped-def]
    count, leaves, depth = slots.shape
    for row in prange(len(x)):
        for tree in range(count):
            for place in range(leaves):
                if columns[tree, place, 0] < 0:
                    continue
                met, node = (1 << depth) - 1, leaves - 1 + place
                for level in range(depth):
                    above, slot = (node - 1) // 2, slots[tree, place, level]
                    if slot >= 0 and (x[row, feature[tree, above]] > cut[tree, above]) != (node % 2 == 0):
                        met &= ~(1 << slot)
                    node = above
                for slot in range(depth):
                    if columns[tree, place, slot] < 0:
                        break
                    out[row, columns[tree, place, slot]] += adds[tree, place, met, slot]


@njit(cache=True, nogil=True)
def _fill(feature, leaf, cover, weights, slots, columns, adds):  # type: ignore[no-untyped-def]
    """Fill the tables of `_tables`; leaves that nobody reaches, or that add nothing, stay without columns."""
    count, leaves, depth = slots.shape
    zero = np.empty(depth)
    for tree in range(count):
        for place in range(leaves):
            if leaf[tree, place] == 0.0 or cover[tree, leaves - 1 + place] <= 0.0:
                continue
            distinct = _path(place, feature[tree], cover[tree], slots[tree, place], columns[tree, place], zero)
            for met in range(1 << depth):
                for j in range(distinct):
                    mean = _mean(j, distinct, met, zero, weights)
                    adds[tree, place, met, j] = leaf[tree, place] * ((met >> j & 1) - zero[j]) * mean


@njit(cache=True, nogil=True)
def _path(place, feature, cover, slot, column, zero):  # type: ignore[no-untyped-def]
    """Fill a leaf's row of the tables and z of its distinct columns, from the leaf up; return how many there are."""
    distinct, node = 0, len(feature) + place
    for level in range(len(slot)):
        above = (node - 1) // 2
        if feature[above] >= 0:
            at = 0
            while at < distinct and column[at] != feature[above]:
                at += 1
            if at == distinct:
                column[at], zero[at] = feature[above], 1.0
                distinct += 1
            slot[level] = at
            zero[at] *= cover[node] / cover[above]
        node = above
    return distinct


@njit(cache=True, nogil=True)
def _mean(j, distinct, met, zero, weights):  # type: ignore[no-untyped-def]
    """Return the weighted sum of the coefficients of the product over all columns but j; `met` has the bits of o."""
    product = np.zeros(distinct)
    product[0] = 1.0
    for k in range(distinct):
        if k != j:
            one = met >> k & 1
            for s in range(distinct - 1, 0, -1):
                product[s] = product[s] * zero[k] + product[s - 1] * one
            product[0] *= zero[k]
    return (weights[distinct, :distinct] * product).sum()
