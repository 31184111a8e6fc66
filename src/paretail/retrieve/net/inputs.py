"""First vectors: of an item its own, what its attributes say, or both; of a user the profile and the traits.

    x_i = e_i + Σ_c mean of the vectors of item i's nodes of type c + Σ_m W_m c_mi
    x_u = Σ_i w_ui f_i / √(d_u d_i) + Σ_c mean of the vectors of user u's nodes of type c

with f_i vectors like x_i, from tables of their own or the same, and c_m the content matrices (`data/features`). An item
without events has no vector of its own.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from paretail.learn.products import propagate
from paretail.retrieve.net.edges import Edges

#: How far from 0 vectors start, the root of the mean square of their numbers.
SPREAD, SPREAD_OF_ATTRIBUTES = 0.1, 0.03


class Inputs(nn.Module):
    """Tables of one kind of node: a vector each (`ids`), those of the nodes that say something of it, its content."""

    def __init__(
        self, count: int | None, told: Mapping[str, int], dim: int, content: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self.ids = None if count is None else nn.Parameter(SPREAD * torch.randn(count, dim))
        self.names = tuple(told)
        self.tables = nn.ParameterDict(
            {slot(name): nn.Parameter(SPREAD_OF_ATTRIBUTES * torch.randn(size, dim)) for name, size in told.items()}
        )
        self.contents = tuple(content or {})
        self.maps = nn.ParameterDict(
            {slot(name): nn.Parameter(SPREAD * torch.randn(width, dim)) for name, width in (content or {}).items()}
        )

    def forward(
        self,
        told: Mapping[str, Edges],
        known: Bool[Tensor, " nodes"] | None = None,
        content: Mapping[str, Tensor] | None = None,
        rows: Int[Tensor, " nodes"] | None = None,
    ) -> Float[Tensor, "nodes dim"]:
        """Return the first vectors, of all nodes or of `rows`; of those not `known` what is told of them alone."""
        parts = [propagate(told[name].means, table) for name, table in self.states().items()]
        parts += [content[name] @ self.maps[slot(name)] for name in self.contents] if content else []
        if self.ids is not None:
            ids = self.ids if rows is None else self.ids.index_select(0, rows)
            parts.append(ids if known is None else ids * known[:, None])
        return sum(parts[1:], parts[0])

    def kinds(self, own: str) -> dict[str, str]:
        """Return the type of node that the rows of each table are; `own` is that of the nodes themselves."""
        ids = {} if self.ids is None else {"ids": own}
        return ids | {f"tables.{slot(name)}": name for name in self.names}

    def states(
        self, rows: Mapping[str, Int[Tensor, " nodes"]] | None = None
    ) -> dict[str, Float[Tensor, "nodes dim"]]:  # fmt: skip
        """Return the vectors of the nodes that say something, by type: of all, or of `rows`."""
        tables = {name: self.tables[slot(name)] for name in self.names}
        return tables if not rows else {name: table.index_select(0, rows[name]) for name, table in tables.items()}


def slot(name: str) -> str:
    """Return the name of a type or relation as a part of a module: without points, and never that of a method."""
    return "of " + name.replace(".", "·")
