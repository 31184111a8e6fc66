"""What agents observe of a shop's visitors: the same from a log as at work.

- `user` [width]: what the user did before the visit (`pipeline/sessions.py`).
- `slate` [slots]: rows of the list shown before in this visit, -1 where there was none.
- `clicked` [slots]: 1 where it was clicked on.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

#: No number of an observation is larger.
LARGEST = 10.0


def shop_space(width: int, items: int, slots: int) -> spaces.Dict[Any]:
    """Return the space of one visitor's observations."""
    return spaces.Dict(
        {
            "user": spaces.Box(-LARGEST, LARGEST, (width,), np.float32),
            "slate": spaces.Box(-1, items - 1, (slots,), np.int64),
            "clicked": spaces.MultiBinary(slots),
        }
    )
