"""Losses of models that learn by gradient, a loss a file: pure functions of what a model makes of a batch.

A loss reads scores or vectors (`base.Scored`) and its settings (`objective.LossConfig`); it knows no model. `alignment`
reads no negatives, the others no vectors; a batch has both.
"""

from typing import Final

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
from paretail.retrieve.losses.alignment import alignment
from paretail.retrieve.losses.base import Loss, Scored
from paretail.retrieve.losses.bce import bce
from paretail.retrieve.losses.bpr import bpr
from paretail.retrieve.losses.contrast import contrast, noised
from paretail.retrieve.losses.fused import fused_softmax
from paretail.retrieve.losses.margin import margin
from paretail.retrieve.losses.softmax import softmax
from paretail.retrieve.objective import LossName

__all__ = ["LOSSES", "Loss", "Scored", "contrast", "fused_softmax", "noised"]

LOSSES: Final[dict[LossName, Loss]] = {
    "bpr": bpr,
    "softmax": softmax,
    "bce": bce,
    "alignment": alignment,
    "margin": margin,
}
