"""Friends: who is near in the graph of links, and who turns to the same things.

With A[people, people] the links, d how many each person has, X[people, products] what people turned to, c how many
people turned to each product, x a person's row of A and y of X:

    mutual             x -> x diag(1 / log d) A                                   Adamic-Adar
    allocation         x -> x diag(1 / d) A                                       resource allocation
    walk               x -> x sum_k (1 - RESTART)^k (D^-1 A)^k,  k = 0 .. STEPS   personalised PageRank
    taste              y -> y diag(1 / log c) X^T                                 Adamic-Adar through products
    taste rare         y -> y diag(1 / c) X^T                                     resource allocation through products
    taste of friends   x -> x D^-1 S,  S the NEAREST largest of each row of X diag(1 / c) X^T
    friends of taste   y -> y diag(1 / c) X^T A diag(d)^-1/2

Sources: L. Adamic, E. Adar, "Friends and neighbors on the Web", 2003, doi:10.1016/S0378-8733(03)00009-1; T. Zhou,
L. Lü, Y.-C. Zhang, "Predicting missing links via local information", 2009, arXiv:0901.0553; G. Jeh, J. Widom, "Scaling
personalized web search", 2003, doi:10.1145/775152.775191; as predictors of links D. Liben-Nowell, J. Kleinberg, "The
link-prediction problem for social networks", 2007, doi:10.1002/asi.20591. Deviations: 1. Walks start from the friends,
so that somebody whom the graph does not know is served alike; they end after STEPS, and rows are pruned. 2. Products
count log2(1 + quantity). 3. log 1 counts as log 2.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.rng import rng_for
from paretail.core.sparse import pruned_product, transposed
from paretail.data.kinds import PRODUCT
from paretail.retrieve.signals.cooccurrence import MOST
from paretail.retrieve.signals.ground import Ground, capped, powered, scaled_rows, totals
from paretail.retrieve.signals.matrix import Matrix, Sparse

#: The probability that a walk ends at each step, and the most steps that it takes.
RESTART: Final = 0.15
STEPS: Final = 8
#: People of like taste that count for `taste of friends`.
NEAREST: Final = 50


def mutual(ground: Ground) -> Matrix:
    """From a friend to that one's friends, fewer of them counting more each, by logarithm."""
    return Sparse(scaled_rows(ground.targets, _per_log(totals(ground.targets, 1))))


def allocation(ground: Ground) -> Matrix:
    """From a friend to that one's friends, fewer of them counting more each, by number."""
    return Sparse(_steps(ground))


def walk(ground: Ground) -> Matrix:
    """From a friend to wherever a walk along links leads that may end at each step."""
    step = scaled_rows(_steps(ground), np.full(ground.items, 1 - RESTART, np.float32))
    reached = further = step
    for _ in range(STEPS - 1):
        further = pruned_product(further, step, np.ones(ground.items, np.float32), MOST, diagonal=True)
        reached = sparse.csr_array(reached + further)
    return Sparse(capped(reached, rng_for("retrieve/social", ground.seed), MOST))


def taste(ground: Ground) -> Matrix:
    """From a product to the people who turned to it, fewer of them counting more each, by logarithm."""
    takers = transposed(_products(ground))
    return Sparse(scaled_rows(takers, _per_log(np.diff(takers.indptr))))


def taste_rare(ground: Ground) -> Matrix:
    """From a product to the people who turned to it, fewer of them counting more each, by number."""
    return Sparse(_takers(ground))


def taste_of_friends(ground: Ground) -> Matrix:
    """From a friend to the people of most like taste."""
    products = _products(ground)
    alike = pruned_product(products, _takers(ground), np.ones(ground.items, np.float32), NEAREST)
    return Sparse(scaled_rows(alike, powered(totals(ground.targets, 1), -1.0)))


def friends_of_taste(ground: Ground) -> Matrix:
    """From a product to the friends of the people who turned to it."""
    popular = powered(totals(ground.targets, 1), -0.5)
    return Sparse(pruned_product(_takers(ground), ground.targets, popular, MOST, diagonal=True))


def _steps(ground: Ground) -> sparse.csr_array:
    """D^-1 A."""
    return scaled_rows(ground.targets, powered(totals(ground.targets, 1), -1.0))


def _products(ground: Ground) -> sparse.csr_array:
    return ground.known[PRODUCT]


def _takers(ground: Ground) -> sparse.csr_array:
    """diag(1 / c) X^T."""
    takers = transposed(_products(ground))
    return scaled_rows(takers, powered(np.diff(takers.indptr), -1.0))


def _per_log(count: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float32]:
    """1 / log of a count, 0 for none."""
    return np.where(count > 0, 1 / np.log(np.maximum(count, 2)), 0).astype(np.float32)
