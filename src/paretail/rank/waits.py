"""Waits: how long the answers of a task take to come, so that what is not bought yet does not pass for not bought.

    wait_t = the time within which SHARE of the answers of task t came, of lists shown `longest` or more before the end
    an answer is known where   time of the list + wait_t <= end_t,   longest = min(window, half of the time of lists)

The time of lists begins with the first impression: what was bought before anything was shown says nothing of waits.
end_t is the end of the log, or the task's last answer where it has been silent since for SILENT times as long as ever
before: orders may be exported less far than impressions. A task with too few answers waits as long as the slowest.

Lists of which a task's answer is not known are no examples of that task: not those without an answer, and not those
with one, or answers would be too many. A window longer than half of that time cannot be waited for: answers that come
later than that are not expected, which is said. What was paid is known once it has come back or no longer will: of a
purchase and its refund the later one is the answer of `value`.

The delay of conversions as a model of its own: O. Chapelle, "Modeling delayed feedback in display advertising", KDD
2014, doi:10.1145/2623330.2623634. Deviations: 1. Lists are left out and nothing is modelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

HOUR_MS: Final = 3_600_000
#: Of the answers that come in all, so many are waited for, where so many have come.
SHARE: Final = 0.98
FEWEST: Final = 20
#: Fewer lists than this share of all are not worth leaving out.
WORTH: Final = 0.001
#: A silence so many times as long as any before is no chance.
SILENT: Final = 3
#: A wait that ends so near the longest that can be seen says that there are longer ones.
NEAR: Final = 0.9


@dataclass(frozen=True)
class Waits:
    """The wait of each task and the end of its answers in milliseconds; `longest_ms` is the most that can be seen."""

    of: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    end_ms: int = 0
    longest_ms: int = 0
    window_ms: int = 0

    @classmethod
    def found(cls, delays: pl.DataFrame, span: tuple[int, int], window_ms: int) -> Self:
        """Read waits off answers, a row each: `task`, `shown_ms`, `delay_ms`; `span`: the first list, the log's end."""
        start, end = span
        longest = min(window_ms, (end - start) // 2)
        seen = delays.filter((pl.col("shown_ms") <= end - longest) & (pl.col("delay_ms") <= longest))
        waits = seen.group_by("task").agg(pl.len(), wait=pl.col("delay_ms").quantile(SHARE, "higher")).sort("task")
        of = {task: int(max(wait, 0)) for task, count, wait in waits.iter_rows() if count >= FEWEST}
        slowest = max(of.values(), default=0)
        tasks = delays["task"].unique().sort().to_list()
        return cls({task: of.get(task, slowest) for task in tasks}, _ends(delays, end), end, longest, window_ms)

    def known(self, task: str, ts_ms: NDArray[np.int64]) -> int:
        """Return how many of the lists, in the order of time, have an answer that is known; all but a few are all."""
        if task not in self.of:
            return len(ts_ms)
        until = int(np.searchsorted(ts_ms, self.ends.get(task, self.end_ms) - self.of[task], side="right"))
        return until if until < (1 - WORTH) * len(ts_ms) else len(ts_ms)

    def remarks(self, tasks: Sequence[str], ts_ms: NDArray[np.int64]) -> tuple[str, ...]:
        """Say how many lists are no examples of each task, and which answers come later than can be waited for."""
        every = len(ts_ms)
        told = [
            f"the newest {every - until:,} of {every:,} impressions are no examples of `{task}`, whose answers are "
            f"waited for {self.of[task] / HOUR_MS:.1f} hours{self._silent(task)}"
            for task in tasks if (until := self.known(task, ts_ms)) < every
        ]  # fmt: skip
        late = [f"`{task}`" for task in tasks if self.of.get(task, 0) > NEAR * self.longest_ms > 0]
        if late and self.longest_ms < self.window_ms:
            told.append(
                f"answers of {', '.join(late)} that come later than {self.longest_ms / HOUR_MS:.1f} hours are not "
                f"waited for: the log is shorter than twice [rank] attribution_hours"
            )
        return tuple(told)

    def _silent(self, task: str) -> str:
        before = self.end_ms - self.ends.get(task, self.end_ms)
        return (
            f", and none came in the last {before / HOUR_MS:.0f} hours of the log: are they all there?"
            if before
            else ""
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the hours of each task."""
        return {task: wait / HOUR_MS for task, wait in self.of.items()}


def _ends(delays: pl.DataFrame, end: int) -> dict[str, int]:
    """Return when the answers of each task end: with the log, or earlier where they fell silent."""
    ends = {}
    for (task,), part in delays.group_by("task"):
        came = np.sort((part["shown_ms"] + part["delay_ms"]).to_numpy())
        silent = len(came) >= FEWEST and end - came[-1] > SILENT * np.diff(came).max()
        ends[str(task)] = int(came[-1]) if silent else end
    return ends
