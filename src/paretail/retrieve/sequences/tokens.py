"""Tokens: a user's newest events in order, as rows of items, kinds and buckets of the time since the event before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretail.data.types import History

Ints = NDArray[np.int64]
#: Buckets of the time since the event before: powers of two of seconds, up to two years; 0 where nothing is known.
GAPS = 28


@dataclass(frozen=True, eq=False)
class Tokens:
    """Events of users whose sequences are equally long: `item`, `kind` and `gap` are `[users, length]`, oldest first.

    `kind` numbers the kinds that a model knows.
    """

    item: Ints
    kind: Ints
    gap: Ints


@dataclass(frozen=True, eq=False)
class Sequences:
    """The events that a model reads, in CSR by user, with what a token is made of."""

    indptr: Ints
    item: Ints
    kind: Ints
    gap: Ints

    @classmethod
    def of(cls, history: History, kinds: Sequence[str]) -> "Sequences":
        """Read a history; events of other kinds are not there. Without clock time gaps say nothing."""
        known = {kind: row for row, kind in enumerate(kinds)}
        number = np.array([known.get(kind, -1) for kind in history.kinds] or [0], np.int64)
        if (number < 0).any():
            history = history.where(number[history.kind] >= 0)
        return cls(history.indptr, history.item_idx.astype(np.int64), number[history.kind], gaps(history))

    @property
    def counts(self) -> Ints:
        """Events of each user."""
        return np.diff(self.indptr)

    def at(self, events: Ints) -> Tokens:
        """Return the tokens of events `[users, length]`."""
        return Tokens(self.item[events], self.kind[events], self.gap[events])


def gaps(history: History) -> Ints:
    """Return the bucket of each event: 0 for a user's first, else 1 + floor(log2(1 + seconds)), at most GAPS - 1."""
    bucket = np.zeros(len(history.item_idx), np.int64)
    if history.time == "clock" and len(bucket):
        seconds = np.maximum(np.diff(history.ts_ms), 0) / 1000
        bucket[1:] = np.minimum(1 + np.floor(np.log2(1 + seconds)), GAPS - 1).astype(np.int64)
        first = history.indptr[:-1][np.diff(history.indptr) > 0]
        bucket[first] = 0
    return bucket


def windows(indptr: Ints, length: int) -> tuple[Ints, Ints]:
    """Return first events and sizes of windows of up to `length` + 1 events, in which all events but the first follow.

    Each event of a user but the first follows in one window; windows are cut from the newest event backwards.
    """
    starts, counts = indptr[:-1], np.diff(indptr)
    number = np.maximum(-(-(counts - 1) // length), 0)
    user = np.repeat(np.arange(len(counts)), number)
    back = np.arange(len(user)) - np.repeat(np.cumsum(number) - number, number)
    end = indptr[1:][user] - back * length
    first = np.maximum(end - length - 1, starts[user])
    return first.astype(np.int64), (end - first).astype(np.int64)
