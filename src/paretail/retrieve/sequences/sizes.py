"""The family of sizes: how long vectors are and how many layers read them, by the number of parameters in all.

The numbers count 12,000 items: `dim` for each item, and (4 + 2 · 4) dim² + 13 dim for each layer.
"""

from dataclasses import dataclass
from typing import Final, Literal

SizeName = Literal["0.3M", "1M", "3M", "10M", "30M"]


@dataclass(frozen=True)
class Size:
    """Length of the vectors, layers, heads of attention."""

    dim: int
    layers: int
    heads: int


SIZES: Final[dict[SizeName, Size]] = {
    "0.3M": Size(24, 1, 2),
    "1M": Size(64, 2, 2),
    "3M": Size(168, 2, 4),
    "10M": Size(320, 5, 8),
    "30M": Size(672, 4, 8),
}
