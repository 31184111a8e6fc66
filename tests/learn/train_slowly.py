"""A process to kill: trains the small model with a checkpoint after every step, and says when it is well under way.

python -m train_slowly CHECKPOINT
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from models import SETTINGS, Towers, batches, validate
from torch import Tensor

from paretail.learn.loop import run


def slowly(epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """Yield the batches, and pause before each from the middle of the third epoch on."""
    for number, batch in enumerate(batches(epoch, rng)):
        if epoch >= 2 and number >= 3:
            print("under way", flush=True)
            time.sleep(0.2)
        yield batch


if __name__ == "__main__":
    run(Towers(), slowly, validate, SETTINGS.model_copy(update={"checkpoint_minutes": 0.0}), Path(sys.argv[1]))
