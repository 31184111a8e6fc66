"""Batches of what users had, with negatives: each follows from seed, epoch and step alone, whoever makes it and when.

An epoch goes through all pairs of user and item once, in a random order of its own. The order is a permutation computed
place by place, so nothing but the batch is in memory, and a run that was killed goes on at its step at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from paretail.core.ids import Rows
from paretail.graph.ahead import ahead
from paretail.graph.chance import AliasTables, draw_entries, key_for, permuted
from paretail.graph.negatives import Negatives
from paretail.retrieve.objective import NegativesConfig

#: How the weights of pairs count: as weights of the loss, or as how often a pair is drawn.
WeightsAs = Literal["loss", "sampling"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples: a user, an item that the user had, and negatives; `rows` is `pairs`, or 1 where all share them.

    `weight` is in (0, 1]. `free` is false where a user has the negative after all; None: all are free. `log_q` is the
    log of how many of an example's negatives are expected to be this item; None where nobody knows: `hard`.
    """

    users: Int[Tensor, " pairs"]
    items: Int[Tensor, " pairs"]
    weight: Float[Tensor, " pairs"]
    negatives: Int[Tensor, "rows negs"]
    free: Bool[Tensor, "pairs negs"] | None = None
    log_q: Float[Tensor, "rows negs"] | None = None

    def hardest(self, scores: Float[Tensor, "pairs pool"], negs: int) -> "Batch":
        """Return the batch with the `negs` negatives that score best of a pool of each example's own."""
        free = torch.ones_like(scores, dtype=torch.bool) if self.free is None else self.free
        best = scores.detach().masked_fill(~free, -torch.inf).topk(min(negs, scores.shape[1]), dim=1).indices
        return replace(self, negatives=self.negatives.gather(1, best), free=free.gather(1, best), log_q=None)


class Batches:
    """The batches of `pairs[users, items]`, columns ascending without repeats, weights above 0.

    `pairs` is what users had (`ShopGraph.interactions`); no negative of a user is among them. With weights as
    `sampling` a pair is drawn as often as it weighs, with replacement, and all weigh 1 in the loss.
    """

    def __init__(
        self, pairs: sparse.csr_array, batch_size: int, config: NegativesConfig, seed: int,
        weights_as: WeightsAs = "loss",
    ) -> None:  # fmt: skip
        self.pairs, self.batch_size, self.config, self._seed = pairs, batch_size, config, seed
        self.steps = -(-pairs.nnz // batch_size)
        self._indptr = pairs.indptr.astype(np.int64)
        self._most = pairs.data.max(initial=0)
        self._tables = AliasTables.of(np.array([0, pairs.nnz]), pairs.data) if weights_as == "sampling" else None
        self.drawn = self._negatives_of(config)

    def __call__(self, epoch: int, rng: np.random.Generator, threads: int = 1) -> Iterator[Batch]:
        """Yield the batches of an epoch, made ahead by `threads`; `rng` is not used, the batches have a seed."""
        return self.left(epoch, 0, threads)

    def left(self, epoch: int, first: int, threads: int = 1) -> Iterator[Batch]:
        """Yield the batches of an epoch from the `first` on."""
        return ahead(lambda step: self.batch(epoch, step), range(first, self.steps), threads)

    def batch(self, epoch: int, step: int) -> Batch:
        """Return one batch of an epoch; the last is shorter. Any number of threads may ask."""
        pair = self._chosen(epoch, step)
        users = (np.searchsorted(self._indptr, pair, side="right") - 1).astype(np.int32)
        items = self.pairs.indices[pair].astype(np.int32, copy=False)
        weight = self.pairs.data[pair] / self._most if self._tables is None else np.ones(len(pair))
        told = _tensors(users, items, weight.astype(np.float32))
        return Batch(*told, *self._negatives(users, items, epoch * self.steps + step))

    def _negatives_of(self, config: NegativesConfig) -> Negatives:
        pairs, popularity, power = self.pairs, None, config.popularity_power
        if config.negatives_from == "popular":
            popularity = np.bincount(pairs.indices, minlength=pairs.shape[1])
        elif config.negatives_from == "batch":  # how often an item is a positive
            often = None if self._tables is None else pairs.data / pairs.data.min(initial=np.inf)
            popularity, power = np.bincount(pairs.indices, often, pairs.shape[1]), 1.0
        return Negatives(pairs.shape[1], self._seed, pairs, popularity, power)

    def _chosen(self, epoch: int, step: int) -> NDArray[np.int64]:
        start = step * self.batch_size
        out = np.empty(min(self.batch_size, self.pairs.nnz - start), np.int64)
        key = key_for("retrieve/batches", self._seed, epoch)
        if self._tables is None:
            permuted(key, start, self.pairs.nnz, out)
        else:
            draw_entries(key, start, self._tables.chance, self._tables.other, out)
        return out

    def _negatives(self, users: Rows, items: Rows, number: int) -> Sequence[Tensor | None]:
        """Return the negatives, which are free, and the log of how many of them are expected to be each."""
        config, drawn = self.config, self.drawn
        if config.negatives_from == "batch":
            free = drawn.unknown(users, items)
            return _tensors(items[None], free, drawn.log_q[items][None] + _log(len(items) - 1))
        if config.negatives_from == "hard":
            pool = drawn.draw(users, config.pool, number)
            return (*_tensors(pool.item_idx), self._free(users, config.pool), None)
        if config.shared:
            one = drawn.draw_shared(config.negatives, number)
            free = drawn.unknown(users, one.item_idx[0])
            return _tensors(one.item_idx, free, one.log_q + _log(config.negatives))
        own = drawn.draw(users, config.negatives, number)
        negatives, log_q = _tensors(own.item_idx, own.log_q + _log(config.negatives))
        return negatives, self._free(users, config.negatives), log_q

    def _free(self, users: Rows, negs: int) -> Tensor | None:
        """Return which negatives of rows drawn for each user are free: all, but of a user who has every item."""
        if not self.drawn.users_without:
            return None
        some = np.diff(self._indptr)[users] < self.pairs.shape[1]
        return torch.from_numpy(np.repeat(some[:, None], negs, axis=1))


def _log(draws: int) -> np.float32:
    return np.float32(np.log(max(draws, 1)))


def _tensors(*arrays: NDArray[np.generic]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
