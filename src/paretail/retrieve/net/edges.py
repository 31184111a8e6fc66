"""Edges of one relation as messages go along them: from sources to targets, weighted, in one direction.

The same class holds the whole graph, a sampled block, and the events of users who are folded in: degrees are those of
the whole graph, whatever part of it the edges are.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor

from paretail.learn.products import Csr


@dataclass(frozen=True, eq=False)
class Edges:
    """`csr[targets, sources]` has the weight of each edge, above 0; degrees are the weights of a node summed.

    Where edges are left out of a step, the others weigh `grown` times what they did, so that sums keep their mean.
    """

    csr: Csr
    target_degree: Float[Tensor, " targets"]
    source_degree: Float[Tensor, " sources"]
    grown: float = 1.0

    @classmethod
    def of(cls, matrix: sparse.csr_array, source_degree: np.ndarray | None = None) -> Self:
        """Take over weights `[targets, sources]`; `source_degree` is that of the whole graph."""
        heard = matrix.sum(axis=0) if source_degree is None else source_degree
        target, source = (torch.from_numpy(np.asarray(degree, np.float32)) for degree in (matrix.sum(axis=1), heard))
        return cls(Csr.of(matrix), target, source)

    @cached_property
    def symmetric(self) -> Csr:
        """The weights divided by the roots of both ends' degrees."""
        return self.csr.with_values(
            self.csr.by_row.values * self._at(_root(self.target_degree), _root(self.source_degree))
        )

    @cached_property
    def means(self) -> Csr:
        """The weights divided by their target's degree."""
        inverse = torch.where(self.target_degree > 0, 1 / self.target_degree, 0.0)
        return self.csr.with_values(self.csr.by_row.values * inverse[self.targets])

    @cached_property
    def looped(self) -> tuple[Csr, Float[Tensor, " targets"]]:
        """The symmetric weights where each node has an edge of weight 1 to itself, and that of this edge."""
        own, others = torch.rsqrt(self.target_degree + 1), torch.rsqrt(self.source_degree + 1)
        return self.csr.with_values(self.csr.by_row.values * self._at(own, others)), own.square()

    @cached_property
    def targets(self) -> Int[Tensor, " edges"]:
        """The target of each edge."""
        counts = torch.diff(self.csr.by_row.indptr)
        rows = torch.arange(len(counts), device=counts.device)
        return torch.repeat_interleave(rows, counts.long(), output_size=len(self.csr.by_row.values))

    @property
    def sources(self) -> Int[Tensor, " edges"]:
        """The source of each edge."""
        return self.csr.by_row.indices

    def dropped(self, share: float) -> "Edges":
        """Return the edges without a random `share`, from torch's own randomness; the others weigh more."""
        if not share:
            return self
        return replace(self, csr=self.csr.dropped(share), grown=self.grown / (1 - share))

    def without(
        self, targets: Bool[Tensor, " targets"] | None = None, sources: Bool[Tensor, " sources"] | None = None
    ) -> "Edges":
        """Return the edges without those of the nodes that are true, which then neither hear nor are heard."""
        values = self.csr.by_row.values
        for gone, at in ((targets, self.targets), (sources, self.sources)):
            values = values if gone is None else torch.where(gone[at], 0.0, values)
        return replace(self, csr=self.csr.with_values(values))

    @cached_property
    def turned(self) -> "Edges":
        """The same edges in the other direction."""
        return Edges(self.csr.transposed(), self.source_degree, self.target_degree, self.grown)

    def _at(self, own: Tensor, others: Tensor) -> Tensor:
        return own[self.targets] * others[self.sources]


def _root(degree: Tensor) -> Tensor:
    return torch.where(degree > 0, torch.rsqrt(degree), 0.0)
