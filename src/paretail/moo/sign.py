"""The one place where losses become gains."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def gains(losses: Array) -> Array:
    """Return the objectives that grow as the losses fall."""
    return -np.asarray(losses, np.float64)
