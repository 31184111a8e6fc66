"""Impressions: what ids were shown, packed in memory for rankers, within bounds.

An impression is 17 bytes (EVENT). An id enters once it was read from the store (`begin`, then `keep`); what is added
while it is read is not lost. Ids used longest ago leave, and are read again when they are asked for.
"""

from collections import OrderedDict
from typing import Final

import numpy as np

from paretail.data.live import EVENT

#: Ids that are remembered, at most.
MOST_IDS: Final = 100_000
#: The newest impressions of an id: ten for each live event of a user (`[serve] events_per_user`), since of clicks
#: without the impressions between them a ranker would expect too much.
MOST_EACH: Final = 2_000
#: Impressions of all ids together: 85 MB, and up to a quarter of a KB an id beside.
MOST_IN_ALL: Final = 5_000_000
SIZE: Final = EVENT.itemsize


class Impressions:
    """See the module; merges are not followed. Its owner holds a lock around each call."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, bytearray] = OrderedDict()
        self._meanwhile: dict[str, bytearray] = {}  # of ids that are being read, what came since
        self._bytes = 0

    def __contains__(self, one: object) -> bool:
        return one in self._known or one in self._meanwhile

    def of(self, one: str) -> bytes | None:
        """Return the newest MOST_EACH of an id as EVENT, in the order in which they came; None if it must be read."""
        known = self._known.get(one)
        if known is None:
            return None
        self._known.move_to_end(one)
        return bytes(known[-MOST_EACH * SIZE :])

    def add(self, one: str, rows: bytes, once: bool = False) -> None:
        """Add impressions to an id that is remembered or being read; with `once` no row that is there already."""
        known = self._known.get(one)
        if known is None:
            if one in self._meanwhile:
                self._meanwhile[one] += rows
        elif not (once and _holds(known, rows)):
            known += rows
            self._bytes += len(rows)
            if len(known) > 2 * MOST_EACH * SIZE:
                self._bytes -= len(known) - MOST_EACH * SIZE
                del known[: -MOST_EACH * SIZE]
            self._evict()

    def begin(self, one: str, waiting: bytes) -> bytearray:
        """Begin to read an id whose `waiting` impressions the store may lack; return what `keep` asks for."""
        return self._meanwhile.setdefault(one, bytearray(waiting))

    def keep(self, one: str, stored: bytes, meanwhile: bytearray) -> bytes:
        """End to read an id: return what the store has of it and what came meanwhile, each impression once.

        It is remembered, unless it was dropped while it was read.
        """
        known = self.of(one)
        if known is not None:  # somebody else was faster
            return known
        rows = b"".join(dict.fromkeys(np.frombuffer(stored + meanwhile, f"V{SIZE}").tolist()))
        if self._meanwhile.get(one) is meanwhile:
            del self._meanwhile[one]
            self._known[one] = bytearray(rows)
            self._bytes += len(rows)
            self._evict()
        return rows

    def drop(self, one: str) -> None:
        """Forget an id, and do not keep what is being read of it."""
        self._meanwhile.pop(one, None)
        self._bytes -= len(self._known.pop(one, b""))

    def clear(self) -> None:
        """Forget all ids, and do not keep what is being read."""
        self._meanwhile.clear()
        self._known.clear()
        self._bytes = 0

    def _evict(self) -> None:
        while len(self._known) > MOST_IDS or self._bytes > MOST_IN_ALL * SIZE:
            self._bytes -= len(self._known.popitem(last=False)[1])


def _holds(known: bytearray, row: bytes) -> bool:
    """Say whether one of the impressions is `row`; the same bytes across two of them are none."""
    at = known.find(row)
    while at > 0 and at % SIZE:
        at = known.find(row, at + 1)
    return at >= 0
