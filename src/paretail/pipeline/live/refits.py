"""Refits: dials are measured anew, in the background, on the requests that the service has had.

The newest slates' candidates are kept by segment, as many as `[policy] requests`; once there are FEWEST_LIVE new ones
of a segment, its dials are measured on them, with those of the log beside them, the settings that were asked for most
lately are solved, and all is swapped at once. A question meanwhile is answered by the dials before.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from paretail.core.clock import now_ms
from paretail.core.ids import Rows
from paretail.graph.traits import About
from paretail.pipeline.requests import SEGMENTS
from paretail.pipeline.steering import Steering
from paretail.policy.pool import Pool

if TYPE_CHECKING:
    from paretail.pipeline.live.engine import Engine, Past

#: New requests of a segment before its dials are measured anew.
FEWEST_LIVE: Final = 128

log = structlog.get_logger()


class Request(NamedTuple):
    """One request: who asked (None: somebody unknown), and `told`: p_click, `following` and order_value, `[3, cands]`.

    As the bundle knows them: `rows` are of items that it has learned.
    """

    user_id: str | None
    rows: Rows
    told: NDArray[np.float32]
    past: "Past"
    about: About


class Requests:
    """The newest requests of one engine by segment; safe to share by threads."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Request]] = {}
        self._new = dict.fromkeys(SEGMENTS, 0)
        self._lock = Lock()

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._kept.values())

    def note(self, segment: str, request: Request, most: int) -> None:
        """Keep a request, at most `most` of a segment."""
        with self._lock:
            self._kept.setdefault(segment, deque(maxlen=most)).append(request)
            self._new[segment] += 1

    def forget(self, user_ids: Sequence[str]) -> None:
        """Drop the requests of users."""
        gone = set(user_ids)
        with self._lock:
            for segment, kept in self._kept.items():
                self._kept[segment] = deque((one for one in kept if one.user_id not in gone), kept.maxlen)

    def taken(self) -> dict[str, list[Request]]:
        """Return the requests of segments that have enough new ones."""
        with self._lock:
            return {name: list(kept) for name, kept in self._kept.items()
                    if min(self._new[name], len(kept)) >= FEWEST_LIVE}  # fmt: skip

    def measured(self, segments: Iterable[str]) -> None:
        """Count the requests of segments as seen."""
        with self._lock:
            self._new |= dict.fromkeys(segments, 0)


def pool_of(engine: "Engine", steering: Steering, requests: Sequence[Request]) -> Pool:
    """Return the candidates of requests, one row each, items as they are now."""
    cands = max(len(one.rows) for one in requests)
    item_idx, told = np.full((len(requests), cands), -1, np.int32), np.full((3, len(requests), cands), np.nan)
    for place, one in enumerate(requests):
        item_idx[place, : len(one.rows)], told[:, place, : len(one.rows)] = one.rows, one.told
    history = engine.histories([one.past for one in requests], [one.about for one in requests])
    return steering.filled(item_idx, told, history, engine.wares.now(steering.wares), engine.latest_ms)


class Refits:
    """The thread that measures dials anew; `engine` returns the one that answers now."""

    def __init__(self, engine: "Callable[[], Engine]") -> None:
        self._engine = engine
        self.count, self.last_ms = 0, 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="paretail-refit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; one that is under way is left in the end."""
        self._stop.set()

    def gauges(self) -> dict[str, float]:
        """Return numbers to watch."""
        age = (now_ms() - self.last_ms) / 1000 if self.last_ms else -1.0
        return {"dial_requests": float(len(self._engine().requests)), "dial_refits": float(self.count),
                "dial_refit_age_seconds": age}  # fmt: skip

    def refit(self) -> list[str]:
        """Measure the dials of segments with enough new requests; returns which."""
        engine = self._engine()
        taken = engine.requests.taken()
        if taken:
            steering = engine.recommender.steering
            steering.refit({name: pool_of(engine, steering, requests) for name, requests in taken.items()})
            engine.requests.measured(taken)
            self.count, self.last_ms = self.count + 1, now_ms()
            log.info("dials_refitted", segments=list(taken), version=engine.version)
        return list(taken)

    def _run(self) -> None:
        while not self._stop.wait(60 * self._minutes()):
            try:
                if self._minutes() < NEVER:
                    self.refit()
            except Exception as error:  # the dials before go on
                log.error("refit_failed", exc_info=error)

    def _minutes(self) -> float:
        engine = self._engine()
        if "steering" not in vars(engine.recommender):  # nobody asked for goals
            return CHECK_MINUTES
        return engine.recommender.steering.config.refit_minutes or NEVER


#: How often it is looked whether there are goals, and a wait that nobody sees the end of.
CHECK_MINUTES, NEVER = 1.0, 60.0 * 24 * 365
