"""Batches of training: examples with negatives (`pairs`), and with what their vectors hear (`blocks`).

Each follows from seed, epoch and step alone.
"""

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
from paretail.retrieve.batches.blocks import Blocks, Sampled
from paretail.retrieve.batches.pairs import Batch, Batches

__all__ = ["Batch", "Batches", "Blocks", "Sampled"]
