"""What an agent knows of items: principal components of their vectors, and groups of like items.

    φ_i = [z_i | 1(group of i)],   z = principal components of the centred vectors, scaled so that mean ||z_i|| = 1

Where the vectors hold one block of 0s and 1s with a single 1 in each row, as one column a category, those are the
groups; where they are shares of topics (none negative, at least half of them 0), an item's group is its largest; else
groups are found by k-means (S. Lloyd, 1982; seeds by k-means++, D. Arthur, S. Vassilvitskii, 2007). Few items (up to
`SMALL`) have neither: φ is the unit vector of each.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.rng import rng_for

Values = NDArray[np.float32]
SMALL: Final = 32
_ROUNDS: Final = 25
#: Columns up to which they may be categories or topics.
_MOST: Final = 128


@dataclass(frozen=True, eq=False)
class Items:
    """`z[items, components]`, `group[items]` of `groups`; `phi[items, components + groups]`."""

    z: Values
    group: NDArray[np.int64]
    groups: int

    @property
    def phi(self) -> Values:
        """The features of items, rows in the order of the vectors."""
        return np.hstack([self.z, np.eye(self.groups, dtype=np.float32)[self.group]]) if self.groups else self.z

    @property
    def centre(self) -> Values:
        """`[groups, components]`: the mean of each group."""
        count = np.maximum(np.bincount(self.group, minlength=self.groups), 1)[:, None]
        onehot = np.eye(self.groups, dtype=np.float32)[self.group]
        return np.asarray(onehot.T @ self.z / count, np.float32)


def items_of(vectors: NDArray[np.floating], components: int, groups: int) -> Items:
    """Return the features of items with these vectors."""
    if len(vectors) <= SMALL:
        return Items(np.eye(len(vectors), dtype=np.float32), np.zeros(len(vectors), np.int64), 0)
    centred = (vectors - vectors.mean(0)).astype(np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[: min(components, int((size > 1e-6 * max(size[0], 1e-12)).sum()) or 1)]
    z = centred @ (axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]).T
    z /= max(float(np.linalg.norm(z, axis=1).mean()), 1e-12)
    group = _named(vectors)
    if group is None:
        count = min(groups, len(vectors) // 8)
        group = _kmeans(z, count) if count > 1 else np.zeros(len(vectors), np.int64)
    found = int(group.max()) + 1
    return Items(z.astype(np.float32), group, found if found > 1 else 0)


def _named(vectors: NDArray[np.floating]) -> NDArray[np.int64] | None:
    """Return the category, or the largest topic, of each item where columns name them."""
    flags = vectors[:, ((vectors == 0) | (vectors == 1)).all(0) & (vectors != vectors[:1]).any(0)]
    if 2 <= flags.shape[1] <= _MOST and (flags.sum(1) == 1).all():
        return np.asarray(flags.argmax(1), np.int64)
    shares = 2 <= vectors.shape[1] <= _MOST and (vectors >= 0).all() and (vectors == 0).mean() >= 0.5
    return np.unique(vectors.argmax(1), return_inverse=True)[1].astype(np.int64) if shares else None


def _kmeans(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    rng, centres = rng_for("agents/groups", 0), points[:1]
    for _ in range(count - 1):
        far = ((points[:, None] - centres) ** 2).sum(2).min(1)
        at = rng.choice(len(points), p=far / far.sum()) if far.sum() > 0 else 0
        centres = np.vstack([centres, points[at]])
    nearest = np.zeros(len(points), np.int64)
    for _ in range(_ROUNDS):
        nearest = ((points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)).argmin(1)
        for k in np.unique(nearest):
            centres[k] = points[nearest == k].mean(0)
    return np.unique(nearest, return_inverse=True)[1].astype(np.int64)
