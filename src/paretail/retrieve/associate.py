"""Associations: which items go with an item, with support, confidence and lift, counted exactly from the data.

A transaction is a set of items. With N transactions, n_a of them holding a, and n_ab both a and b:

    support = n_ab / N          confidence = n_ab / n_a = P(b | a)          lift = n_ab N / (n_a n_b) = P(b | a) / P(b)

    relation      a transaction is                                     lists are ordered by
    similar       all that one user did, any kind                      cosine with shrinkage
    also-bought   all that one user bought                             surprise
    together      one order; a user's day where orders are unknown     surprise
    alternative   one visit (a user's looks without a pause of half    surprise of being looked at together,
                  an hour); all of a user's looks without clock time   less what was bought together

Surprise is the signed root of the log-likelihood ratio (`retrieve/pairs.py`): it grows with the lift and with the
number of transactions that prove it, so that one shared purchase of two rare items does not lead the list.
How an alternative's score falls with being bought together is in `retrieve/alternatives.py`.

Sources: R. Agrawal, T. Imielinski, A. Swami, "Mining association rules between sets of items in large databases",
SIGMOD 1993, doi:10.1145/170035.170072; lift of S. Brin et al., SIGMOD 1997, doi:10.1145/253262.253325; surprise of
T. Dunning, 1993. Deviations: pairs only.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Self, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import DataError, Problem, UsageError, nearest
from paretail.core.ids import Rows
from paretail.data.kinds import NOT_TARGETS, strongest
from paretail.data.types import Shop
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.alternatives import SPARE, alternatives
from paretail.retrieve.base import Arrays
from paretail.retrieve.pairs import Measure, Neighbours, neighbours
from paretail.retrieve.transactions import Transactions, of_orders, of_users, of_visits, without_giants

Relation = Literal["similar", "also-bought", "together", "alternative"]
RELATIONS: Final[tuple[Relation, ...]] = get_args(Relation)


class AssociationConfig(Config):
    """How associations are counted."""

    most: int = Field(30, ge=1, description="Others kept of each item and relation.")
    least: int = Field(2, ge=1, description="Transactions that must hold both items (not for `similar`).")
    shrinkage: float = Field(5.0, ge=0, description="Shrinkage of the cosine of `similar`.")
    largest: int = Field(2000, ge=2, description="Transactions of more items (robots) are not counted at all.")


@dataclass(frozen=True, eq=False)
class Table:
    """The best others of each item, in CSR by item, best first, and what their figures follow from."""

    indptr: NDArray[np.int64]
    other: Rows
    both: Rows  # transactions that hold both
    score: NDArray[np.float32]
    size: NDArray[np.int32]  # transactions that hold each item
    transactions: int

    def of(self, items: Rows, k: int) -> pl.DataFrame:
        """Return the first `k` others of each of `items` with their figures."""
        count = np.minimum(np.diff(self.indptr)[items], k)
        rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        item, place = np.repeat(items, count), np.repeat(self.indptr[items], count) + rank
        other, both = self.other[place], self.both[place].astype(np.float64)
        confidence = both / self.size[item]
        return pl.DataFrame(
            {
                "item_idx": item.astype(np.int32),
                "rank": (rank + 1).astype(np.int32),
                "other_idx": other,
                "score": self.score[place],
                "count": self.both[place],
                "support": both / max(self.transactions, 1),
                "confidence": confidence,
                "lift": confidence * self.transactions / self.size[other],
            }
        )


@dataclass(frozen=True, eq=False)
class Associations:
    """A table for each relation that the data can tell."""

    tables: dict[Relation, Table]

    @classmethod
    def build(
        cls, shop: Shop, graph: ShopGraph, config: AssociationConfig | None = None, target: str | None = None
    ) -> Self:
        """Count. `target` is the kind that means bought, by default the strongest that occurs."""
        config = config or AssociationConfig()
        bought = target or strongest(graph.history.kinds) or "purchase"
        done = [kind for kind in graph.history.kinds if kind not in NOT_TARGETS]
        orders = of_orders(shop, graph.nodes["item"], bought)
        counted = partial(without_giants, largest=config.largest)
        everything = counted(of_users(graph.history, graph.items, done))
        tables: dict[Relation, Table] = {"similar": _packed(_neighbours(everything, "cosine", config), everything)}
        buyers = everything if done == [bought] else counted(of_users(graph.history, graph.items, [bought]))
        seen = _looks(graph, bought)
        looks = buyers if seen is None else counted(seen)
        near = neighbours(looks, "surprise", SPARE * config.most, least=config.least)
        also = near.first(config.most) if looks is buyers else _neighbours(buyers, "surprise", config)
        tables["also-bought"] = _packed(also, buyers)
        if orders is not None:
            tables["together"] = _packed(_neighbours(counted(orders), "surprise", config), counted(orders))
        categories = graph.edges.get(("item", "in", "category"))
        tables["alternative"] = _packed(alternatives(near, orders, categories, config.most), looks)
        return cls(tables)

    def top(self, items: NDArray[np.integer], relation: str, k: int = 20) -> pl.DataFrame:
        """Return `item_idx, rank, other_idx, score, count, support, confidence, lift`, best first, of each of `items`.

        An item that nothing goes with has no row. Raises UsageError (RETR-04) for an unknown relation, DataError
        (RETR-05) for one that these data cannot tell.
        """
        if relation not in RELATIONS:
            expected = f"Expected {nearest(relation, RELATIONS)}"
            raise UsageError(Problem("RETR-04", f"{relation!r} is no relation", expected, "Correct the relation"))
        if relation not in self.tables:
            found = f"the events do not tell what was bought {relation}"
            expected = "Orders (a column order_id) or clock time are needed"
            raise DataError(Problem("RETR-05", found, expected, "Map one of them, or ask for also-bought"))
        return self.tables[relation].of(np.asarray(items, np.int32), k)

    def arrays(self) -> Arrays:
        """Return all tables as named arrays for a bundle."""
        return {
            f"{relation}/{name}": np.asarray(getattr(table, name))
            for relation, table in self.tables.items()
            for name in Table.__dataclass_fields__
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        present = [relation for relation in RELATIONS if f"{relation}/indptr" in arrays]
        return cls({relation: _rebuilt(arrays, relation) for relation in present})


def _rebuilt(arrays: Arrays, relation: Relation) -> Table:
    parts: dict[str, Any] = {name: arrays[f"{relation}/{name}"] for name in Table.__dataclass_fields__}
    return Table(**parts | {"transactions": int(parts["transactions"])})


def _neighbours(counted: Transactions, measure: Measure, config: AssociationConfig) -> Neighbours:
    least = 1 if measure == "cosine" else config.least
    return neighbours(counted, measure, config.most, config.shrinkage, least)


def _packed(found: Neighbours, counted: Transactions) -> Table:
    kept = found.other >= 0
    return Table(
        indptr=np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64),
        other=found.other[kept],
        both=found.shared[kept].astype(np.int32),
        score=found.score[kept],
        size=np.bincount(counted.indices, minlength=counted.shape[1]).astype(np.int32),
        transactions=counted.shape[0],
    )


def _looks(graph: ShopGraph, bought: str) -> Transactions | None:
    """Return what was looked at together; None where nothing weaker than a purchase is known."""
    looks = [kind for kind in graph.history.kinds if kind not in (bought, *NOT_TARGETS)]
    if looks and graph.history.time == "clock":
        return of_visits(graph.history, graph.items, looks)
    return of_users(graph.history, graph.items, looks) if looks else None
