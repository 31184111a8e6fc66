"""Named random streams: a new consumer of randomness changes nobody else's numbers."""

from hashlib import blake2b

import numpy as np


def rng_for(name: str, seed: int) -> np.random.Generator:
    """Return the generator of the stream `name` (a path such as `"retrieve/negatives"`) under `seed`.

    The stream depends on the name and the seed alone, on every platform.
    """
    digest = blake2b(name.encode(), digest_size=16).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])
