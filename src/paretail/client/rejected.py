"""What becomes of events that the service did not keep: the caller is told, or the queue raises when it is closed."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from paretail.client.errors import NotKeptError
from paretail.client.waiting import NotKept
from paretail.core.errors import Problem
from paretail.pipeline.live.bodies import ErrorDetail, NewEvent

#: Is told each event that was not kept, and why; called where the queue works, so it should be quick.
OnRejected: TypeAlias = Callable[[NewEvent, ErrorDetail], None]

log = logging.getLogger("paretail.client")


class Rejected:
    """Tells `on_rejected`; without one it counts."""

    def __init__(self, on_rejected: OnRejected | None) -> None:
        self._on_rejected = on_rejected
        self._count, self._first = 0, ErrorDetail("", "", "", "")

    def tell(self, events: Sequence[NotKept]) -> None:
        """Tell of events; what a caller does with one must not lose the others."""
        for event, detail in events:
            if self._on_rejected is None:
                self._first = self._first if self._count else detail
                self._count += 1
                continue
            try:
                self._on_rejected(event, detail)
            except Exception:
                log.exception("on_rejected failed for the event %s", event.event_id)

    def check(self, error: BaseException | None) -> None:
        """Raise NotKeptError (CLNT-05) where events were not kept and nobody was told; add it to an error under way."""
        if not self._count:
            return
        found = f"{self._count:,} events were not kept (first: {self._first.found}, {self._first.code})"
        do = "Give the queue `on_rejected`, which is told each of them"
        lost = NotKeptError(Problem("CLNT-05", found, "Events that the service can keep", do))
        if error is None:
            raise lost
        error.add_note(str(lost))
