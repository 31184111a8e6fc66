"""Sorted runs: a growing table from hash to event, in memory, 16 bytes an entry.

New entries become a short sorted run; runs are joined when a newer one has grown to the size of the older, so that n
entries lie in about log2(n) runs and each is moved about log2(n) times (O'Neil, Cheng, Gawlick, O'Neil: The
log-structured merge-tree, Acta Informatica 33, 1996, in memory alone).
"""

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Seqs = NDArray[np.int64]


class Runs:
    """A map from hash to the seqs of events; readers see the runs as they were when they looked."""

    def __init__(self) -> None:
        self._runs: tuple[tuple[Hashes, Seqs], ...] = ()

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._runs)

    def add(self, keys: Hashes, seqs: Seqs) -> None:
        """Add entries, in any order; not from two threads at once."""
        if not len(keys):
            return
        runs = [*self._runs, _ordered(keys, seqs)]
        while len(runs) > 1 and len(runs[-2][0]) <= 2 * len(runs[-1][0]):
            (older, younger) = runs[-2:]
            runs[-2:] = [_ordered(np.concatenate([older[0], younger[0]]), np.concatenate([older[1], younger[1]]))]
        self._runs = tuple(runs)

    def contains(self, keys: Hashes) -> NDArray[np.bool_]:
        """Say which of `keys` are there."""
        there = np.zeros(len(keys), dtype=np.bool_)
        for run, _ in self._runs:
            there |= contains(run, keys)
        return there

    def find(self, keys: Hashes) -> Seqs:
        """Return the seqs of all entries with one of `keys`, ascending."""
        found: Seqs = np.concatenate([np.empty(0, np.int64), *(_under(run, seqs, keys) for run, seqs in self._runs)])
        found.sort()
        return found

    def after(self, seq: int) -> "Runs":
        """Return the entries beyond `seq` alone."""
        kept = Runs()
        for keys, seqs in self._runs:
            beyond = seqs > seq
            kept.add(keys[beyond], seqs[beyond])
        return kept


def contains(ordered: Hashes, keys: Hashes) -> NDArray[np.bool_]:
    """Say which of `keys` are in the ascending array `ordered`."""
    if not len(ordered):
        return np.zeros(len(keys), dtype=np.bool_)
    place = np.searchsorted(ordered, keys)
    return np.asarray(ordered[np.minimum(place, len(ordered) - 1)] == keys)


def _under(run: Hashes, seqs: Seqs, keys: Hashes) -> Seqs:
    """Return the seqs of a run's entries with one of `keys`."""
    first, last = np.searchsorted(run, keys, "left"), np.searchsorted(run, keys, "right")
    starts = np.cumsum(last - first) - (last - first)
    found: Seqs = seqs[np.repeat(first - starts, last - first) + np.arange(np.sum(last - first))]
    return found


def _ordered(keys: Hashes, seqs: Seqs) -> tuple[Hashes, Seqs]:
    order = np.argsort(keys, kind="stable")
    return keys[order], seqs[order]
