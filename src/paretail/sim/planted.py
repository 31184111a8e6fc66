"""Planted worlds: small histories whose best possible ranking is computed, so that a learner has a share to reach.

`planted`: users and items have latent vectors in blocks; the items of a user are drawn one after the other without
replacement, P(next = i | had) ∝ exp(oracle[u, i]) over the items not had (R. Plackett, "The analysis of
permutations", 1975, doi:10.2307/2346567). Whatever was drawn so far, the items left are ordered by `oracle`: no
ranking does better in expectation on Recall, NDCG, HR, MRR or MAP. Deviations: a draw ends before all are ranked.

`planted_sequence`: the next item depends on the last one alone, P(next = j | last = i) ∝ transitions[i, j] over the
items not had; the oracle of a user is the row of the user's last item.

`planted_labels`: an item is what its category and its brand are; every second one is new, and what users do next is
with new items alone. So events say nothing of the items that are asked for, and labels say all.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows, Vocabulary
from paretail.core.rng import rng_for
from paretail.data.held import Held
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, History, Shop, Users

Matrix = NDArray[np.float64]
_START_MS: Final = 1_756_684_800_000  # 2025-09-01
_HOUR_MS: Final = DAY_MS // 24
_BLOCKS: Final = 8
_DIM: Final = 4
_STEEP: Final = 2.0


@dataclass(frozen=True, eq=False)
class Planted:
    """A world: the shop to learn from, what each user does next, and the scores that rank it best.

    Row r of `history`, `held` and `oracle[users, items]` is the r-th id of the shop's vocabularies. `block[items]` is
    the item's category.
    """

    shop: Shop
    history: History
    held: Held
    oracle: Matrix
    block: Rows

    def had(self) -> NDArray[np.bool_]:
        """Return `[users, items]`: what each user has in the history."""
        had = np.zeros(self.oracle.shape, dtype=bool)
        had[self.history.user_idx, self.history.item_idx] = True
        return had

    def lists(self, scores: NDArray[np.floating], k: int) -> Rows:
        """Return the best `k` items of each user by `scores[users, items]`, without those that the user had."""
        unseen = np.where(self.had(), -np.inf, scores)
        top = np.argsort(-unseen, axis=1, kind="stable")[:, :k]
        return np.where(np.isinf(np.take_along_axis(unseen, top, axis=1)), -1, top).astype(np.int32)

    def ndcg(self, scores: NDArray[np.floating], k: int = 10) -> float:
        """Return the mean NDCG@k of the lists that `scores` make, as `evaluate/ranking.py` defines it."""
        wanted = np.zeros(self.oracle.shape, dtype=bool)
        wanted[self.held.user_idx, self.held.item_idx] = True
        lists = self.lists(scores, k)
        hit = np.take_along_axis(wanted, lists, axis=1) & (lists >= 0)
        discount = 1.0 / np.log2(np.arange(2, hit.shape[1] + 2))
        ideal = np.cumsum(discount)[np.minimum(self.held.counts, hit.shape[1]) - 1]
        return float((hit @ discount / ideal).mean())

    def oracle_share(self, scores: NDArray[np.floating], k: int = 10) -> float:
        """Return which part of the oracle's NDCG@k `scores` reach; in expectation nothing is above 1."""
        return self.ndcg(scores, k) / self.ndcg(self.oracle, k)


def planted(users: int = 1000, items: int = 200, events_per_user: int = 30, seed: int = 0, held: int = 5) -> Planted:
    """Plant users and items in eight blocks of tastes; the last `held` draws of each user are held out.

    Needs events_per_user + held below items / 2, else the oracle has nothing left to tell apart.
    """
    rng = rng_for("sim/planted", seed)
    centre = rng.standard_normal((_BLOCKS, _DIM))
    user_block, block = rng.integers(_BLOCKS, size=users), rng.integers(_BLOCKS, size=items)
    user = 0.9 * centre[user_block] + 0.45 * rng.standard_normal((users, _DIM))
    item = 0.9 * centre[block] + 0.45 * rng.standard_normal((items, _DIM))
    oracle = _STEEP * user @ item.T / np.sqrt(_DIM) + 0.5 * rng.standard_normal(items)
    noisy = oracle + rng.gumbel(size=oracle.shape)  # the order of logit + Gumbel is a draw without replacement
    drawn = np.argsort(-noisy, axis=1)[:, : events_per_user + held]
    return _world(drawn.astype(np.int32), held, oracle, block.astype(np.int32))


def planted_sequence(
    users: int = 600, items: int = 100, events_per_user: int = 15, seed: int = 0, successors: int = 4
) -> tuple[Planted, Matrix]:
    """Plant chains: after an item, one of its few `successors` follows nine times out of ten; one event is held out.

    Returns the world and `transitions[items, items]`, rows summing to 1 before the items that the user had are taken
    out. Popularity and symmetric co-occurrence know little of it: the transitions have a direction.
    """
    rng = rng_for("sim/planted_sequence", seed)
    transitions = np.full((items, items), 0.1 / items)
    after = np.argsort(rng.random((items, items)), axis=1)[:, :successors]
    share = rng.dirichlet(np.full(successors, 2.0), size=items)
    np.put_along_axis(transitions, after, 0.9 * share + 0.1 / items, axis=1)
    drawn = np.empty((users, events_per_user + 1), dtype=np.int32)
    drawn[:, 0] = rng.integers(items, size=users)
    left = np.ones((users, items), dtype=bool)
    for step in range(events_per_user):
        left[np.arange(users), drawn[:, step]] = False
        chance = np.where(left, np.log(transitions[drawn[:, step]]), -np.inf)
        drawn[:, step + 1] = np.argmax(chance + rng.gumbel(size=chance.shape), axis=1)
    oracle = transitions[drawn[:, -2]]
    return _world(drawn, 1, oracle, np.zeros(items, dtype=np.int32)), transitions


def planted_labels(
    users: int = 600, items: int = 200, events_per_user: int = 30, seed: int = 0, held: int = 5, brands: int = 6
) -> Planted:
    """Plant items that are the sum of their category and their brand; nobody had the odd rows yet, which are asked for.

    The oracle of items that are not new is -inf: they are no part of the question. Needs events_per_user below
    items / 4.
    """
    rng = rng_for("sim/planted_labels", seed)
    centre, side = rng.standard_normal((_BLOCKS, _DIM)), rng.standard_normal((brands, _DIM))
    user_block, block = rng.integers(_BLOCKS, size=users), rng.integers(_BLOCKS, size=items)
    brand = rng.integers(brands, size=items)
    user = 0.9 * centre[user_block] + 0.3 * rng.standard_normal((users, _DIM))
    item = 0.9 * centre[block] + 0.45 * side[brand]
    taste = _STEEP * user @ item.T / np.sqrt(_DIM) + 0.25 * rng.standard_normal(brands)[brand]
    new = np.arange(items) % 2 == 1
    parts = [(np.where(new, -np.inf, taste), events_per_user), (np.where(new, taste, -np.inf), held)]
    drawn = np.hstack([np.argsort(-(odds + rng.gumbel(size=odds.shape)), axis=1)[:, :count] for odds, count in parts])
    world = _world(drawn.astype(np.int32), held, parts[1][0], block.astype(np.int32))
    catalogue = world.shop.catalogue.frame.with_columns(brand=pl.Series([f"brand {b}" for b in brand]))
    return replace(world, shop=replace(world.shop, catalogue=Catalogue(catalogue)))


def _world(drawn: Rows, held: int, oracle: Matrix, block: Rows) -> Planted:
    """Make the shop of `drawn[users, events]`, oldest first, of which the last `held` are kept apart."""
    users, items = oracle.shape
    known = drawn.shape[1] - held
    user_ids, item_ids = (_ids(letter, n) for letter, n in (("u", users), ("i", items)))
    frame = pl.DataFrame(
        {
            "user_id": user_ids.gather(np.repeat(np.arange(users), known)),
            "item_id": item_ids.gather(drawn[:, :known].ravel()),
            "kind": pl.repeat("purchase", users * known, eager=True),
            "ts_ms": np.tile(_START_MS + _HOUR_MS * np.arange(known), users),
        }
    )
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in EVENT_COLUMNS.items() if name not in frame.columns]
    events = Events(frame.with_columns(absent).select(list(EVENT_COLUMNS)), "clock")
    category = [[f"block {b}"] for b in block]
    catalogue = Catalogue(pl.DataFrame({"item_id": item_ids, "category": category}))
    shop = Shop(events, catalogue, Users(pl.DataFrame({"user_id": user_ids})))
    history = History.of(events, Vocabulary(user_ids), Vocabulary(item_ids))
    owner = np.repeat(np.arange(users, dtype=np.int32), held)
    return Planted(shop, history, Held.of(owner, drawn[:, known:].ravel(), users), oracle, block)


def _ids(letter: str, count: int) -> pl.Series:
    """Return ids whose order as text is their order as numbers."""
    return pl.Series([f"{letter}{row:06d}" for row in range(count)])
