"""Turns: how many readers see columns between two changes of one writer, without a lock.

A sequence lock: the count of ticks is odd while a change is being made, and a reader whose count has moved reads again
(Lameter, "Effective Synchronization on Linux/NUMA Systems", 2005). Deviation: a reader that lost three times waits for
the writer, so that it always ends.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Final, NamedTuple, TypeVar

from paretail.data.conditions import Mask

T = TypeVar("T")

TRIES: Final = 3
#: Masks are kept for so many filters, and for fewer where they would take more than these bytes.
MOST_MASKS: Final = 256
MOST_BYTES: Final = 64 << 20


class Moment(NamedTuple):
    """What is told in one piece: the count of ticks, and how many rows there are."""

    ticks: int
    rows: int

    @property
    def version(self) -> int:
        """How many changes were finished."""
        return self.ticks // 2


class Turns:
    """Whose turn it is; `writing` is held by whoever changes the columns."""

    def __init__(self, rows: int) -> None:
        self.now, self.writing = Moment(0, rows), RLock()

    @contextmanager
    def change(self, rows: Callable[[], int]) -> Iterator[None]:
        """Make a change while holding `writing`; `rows()` is asked at its end."""
        self.now = Moment(self.now.ticks + 1, self.now.rows)
        try:
            yield
        finally:
            self.now = Moment(self.now.ticks + 1, rows())

    def steady(self, read: Callable[[int], T]) -> tuple[Moment, T]:
        """Return what `read(rows)` finds between two changes, and when that was."""
        for _ in range(TRIES):
            now = self.now
            if now.ticks % 2:
                continue
            try:
                found = read(now.rows)
            except (IndexError, KeyError):  # what a code stands for had not been written, or moved
                if self.now is now:
                    raise
                continue
            if self.now is now:
                return now, found
        with self.writing:
            return self.now, read(self.now.rows)


class Masks:
    """Masks by what they answer, each of one version; those used longest ago are dropped."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self._kept: OrderedDict[str, tuple[int, Mask]] = OrderedDict()
        self._keeping = Lock()

    def get(self, key: str, read: Callable[[int], Mask]) -> Mask:
        """Return the mask of the version at hand, made by `read(rows)` unless it is kept; it cannot be written to."""
        with self._keeping:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == self.turns.now.version:
                self._kept.move_to_end(key)
                return kept[1]
        moment, mask = self.turns.steady(read)
        mask.flags.writeable = False
        with self._keeping:
            self._kept[key] = (moment.version, mask)
            self._kept.move_to_end(key)
            while len(self._kept) > max(8, min(MOST_MASKS, MOST_BYTES // max(1, moment.rows))):
                self._kept.popitem(last=False)
        return mask

    def clear(self) -> None:
        """Keep none."""
        with self._keeping:
            self._kept.clear()
