"""Gradient surgery: each gradient loses what conflicts with the others, one after the other.

    for each task i:  d_i = g_i;  for each other task j in an order:  if <d_i, g_j> < 0:  d_i -= <d_i, g_j> / |g_j|² g_j

The direction is sum_i d_i. What is taken away has a negative factor, so that in terms of the Gram matrix a weight of
g_j only grows: the weights are never negative.

T. Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, arXiv:2001.06782, algorithm 1. Deviations: none;
the orders, drawn at random in the paper, are given.
"""

from collections.abc import Sequence

import numpy as np

from paretail.moo.sign import Array


def pcgrad(gram: Array, orders: Sequence[Sequence[int]]) -> Array:
    """Return the weights; `orders[i]` is the order in which task i meets the tasks, itself left out if it is there."""
    return np.asarray(np.sum([_one(gram, task, order) for task, order in enumerate(orders)], axis=0))


def _one(gram: Array, task: int, order: Sequence[int]) -> Array:
    weights = np.zeros(len(gram))
    weights[task] = 1.0
    for other in order:
        conflict = gram[other] @ weights
        if other != task and conflict < 0:
            weights[other] -= conflict / gram[other, other]
    return weights
