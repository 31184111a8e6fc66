"""The table of compositions: how a slate is put together from what candidates are worth and how alike they are.

`greedy` takes the weighted goals as they are (`policy/slate.py`); `mmr` and `dpp` weigh that worth, as a share of each
user's range, against likeness to what the slate holds: rivals and shops with habits of their own.
"""

from typing import Final, Literal, NamedTuple

from paretail.policy.compositions.arranging import Arranging
from paretail.policy.compositions.dpp import Dpp
from paretail.policy.compositions.mmr import Mmr

__all__ = ["COMPOSITIONS", "GREEDY", "Arranging", "Composition", "How"]

#: How slates are composed.
Composition = Literal["greedy", "mmr", "dpp"]
#: What arranges slates beside the greedy way.
COMPOSITIONS: Final[dict[str, type[Arranging]]] = {"mmr": Mmr, "dpp": Dpp}


class How(NamedTuple):
    """A composition and its balance: 1 is worth alone, 0 difference alone; the greedy one has none."""

    composition: Composition = "greedy"
    balance: float = 0.7


GREEDY: Final = How()
