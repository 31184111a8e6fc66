"""Architectures drawn at random: what every other strategy has to beat.

J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012. Deviations:
1. without repetition.
"""

from collections.abc import Iterable

import numpy as np

from paretail.search.base import Architecture
from paretail.search.memory import Remembering


class Random(Remembering):
    """Draws uniformly over canonical forms."""

    name = "random"

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Leave everything to the draw that fills up."""
        return ()
