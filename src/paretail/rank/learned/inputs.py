"""Inputs: which columns the network of the features reads, and the names under which explanations sum them."""

from collections.abc import Mapping, Sequence
from typing import Final

from paretail.data.features.pairs import GROUPS
from paretail.rank import earlier
from paretail.rank.config import RankConfig
from paretail.rank.learned import recent

RETRIEVER: Final = "retriever"
RECENT: Final = "recent events"


def groups_of(config: RankConfig, retrieved: Sequence[str] = earlier.NAMES) -> Mapping[str, tuple[str, ...]]:
    """Return the groups of features, and the columns of each, in the order in which the network reads them.

    `retrieved` are the columns that the retriever tells, where the settings ask for them.
    """
    found = dict(GROUPS)
    if config.retrieved:
        found[RETRIEVER] = tuple(retrieved)
    if config.recent:
        found[RECENT] = recent.NAMES
    return found


def width(config: RankConfig, retrieved: Sequence[str] = earlier.NAMES) -> int:
    """Return how many columns there are."""
    return sum(map(len, groups_of(config, retrieved).values()))
