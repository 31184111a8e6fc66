"""Examples: what was shown, and what followed; from it a ranker learns P(click), P(cart | click), P(purchase | click).

Every impression of the log is an example of clicking; those that were clicked are examples of what follows from a
click, and those that were bought have a value. Together with p_click this covers the entire space of impressions
(X. Ma et al., "Entire Space Multi-Task Model", SIGIR 2018, doi:10.1145/3209978.3210104, name the bias of training on
clicks alone: `click_power` of the settings and the vectors that tasks share answer it).

Events are tied to impressions by `data/attribution`. An example that was put in the cart, bought or made a favourite
counts as clicked. Where clicks or views tell how long somebody stayed, a click is a long view from `long_view_seconds`
on: half a minute is the usual sign that what was clicked satisfied (S. Fox et al., "Evaluating implicit measures to
improve web search", TOIS 2005, doi:10.1145/1059981.1059982). A share of clicks and not seconds, because whoever leaves
a page open stays for hours.

Deviations: 1. Ma et al. fit P(click and purchase) to all impressions; here what follows a click is told of clicks
alone, and `spaces/esmm.py` is theirs; 2. of the measures of Fox et al. the seconds alone count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.ids import Rows, Vocabulary
from paretail.data.attribution import following, outcomes, refunds, tie, window_ms
from paretail.data.types import Events
from paretail.rank import RankError
from paretail.rank.waits import Waits

#: Tasks in the order in which they happen; `value` is money, the others are yes or no.
TASKS: Final = ("click", "long_view", "favourite", "cart", "purchase", "value")
#: An answer that nothing is known of.
UNKNOWN: Final = np.nan
#: A task is learned from so many positives at least.
FEWEST: Final = 20
WINDOW_HOURS: Final = 168.0
LONG_VIEW_SECONDS: Final = 30.0
#: The kinds by which a task is answered, beside favourites and how long somebody stayed.
ANSWERS: Final = {
    "click": ("click", "cart", "purchase"), "cart": ("cart", "purchase"), "purchase": ("purchase",),
    "value": ("purchase",),
}  # fmt: skip
#: The kind that a task's examples are; of clicks a `view` where the shop tells no clicks.
KINDS_OF: Final = {"click": ("click", "view"), "long_view": ("click", "view")}


@dataclass(frozen=True, eq=False)
class Examples:
    """One row an impression, oldest first. `labels[task]` are 0 or 1, of `value` minor units, NaN where not known.

    A purchase that came back whole is one, of value 0.
    `position` counts from 1, 0 unknown; `propensity` is NaN where nobody told it; `waits` are those for answers.
    """

    user_idx: Rows
    item_idx: Rows
    ts_ms: NDArray[np.int64]
    position: NDArray[np.int32]
    propensity: NDArray[np.float32]
    labels: dict[str, NDArray[np.float32]]
    waits: Waits = field(default_factory=Waits)

    @classmethod
    def of(cls, events: Events, users: Vocabulary, items: Vocabulary, window_hours: float = WINDOW_HOURS,
           long_view_seconds: float = LONG_VIEW_SECONDS) -> Self:  # fmt: skip
        """Tie the events to the impressions of a log; impressions of unknown users or items are left out.

        Cost: a few joins; 1 million impressions take about two seconds.
        """
        shown = shown_of(events.frame, users, items)
        window, told = window_ms(window_hours), following([events.frame])
        found = shown.join(outcomes(shown, told, window), on="impression", how="left", maintain_order="left")
        rarer = tie(shown, _rarer(events.frame), window)
        more = rarer.group_by("impression").agg(
            favourite=(pl.col("kind") == "favourite").any(), dwell_ms=pl.col("dwell_ms").max()
        )
        tied = tie(shown, told.filter(pl.col("kind") != "refund"), window)
        back = refunds(shown, told, tied, window)
        returned = back.select("impression", returned=pl.lit(value=True)).unique("impression")
        found = found.join(more, on="impression", how="left", maintain_order="left")
        found = found.join(returned, on="impression", how="left", maintain_order="left")
        found = found.sort("ts_ms", maintain_order=True)
        delays = _delays(tied, rarer, back)
        span = [int(moment or 0) for moment in (shown["ts_ms"].min(), events.frame["ts_ms"].max())]  # type: ignore[arg-type]
        return cls(
            found["user_idx"].to_numpy(), found["item_idx"].to_numpy(), found["ts_ms"].to_numpy(),
            found["position"].fill_null(0).to_numpy(),
            found["propensity"].fill_null(UNKNOWN).cast(pl.Float32).to_numpy(),
            _labels(found, long_view_seconds), Waits.found(delays, (span[0], span[1]), window),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.user_idx)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of which there are examples."""
        return tuple(self.labels)

    @property
    def paid(self) -> NDArray[np.float64]:
        """What was paid for each in minor units, 0 where all of it came back; NaN where nothing is known of it."""
        return self.labels.get("value", np.full(len(self), UNKNOWN)).astype(np.float64)

    @property
    def paid_until(self) -> int:
        """The place up to which it is known whether something was bought, and whether it came back."""
        return min(self.waits.known(task, self.ts_ms) for task in ("purchase", "value"))

    @property
    def unweighed(self) -> tuple[str, ...]:
        """Say how many have no propensity where others have one."""
        missing = int(np.isnan(self.propensity).sum())
        if not 0 < missing < len(self):
            return ()
        share = f"{missing:,} of {len(self):,} impressions ({100 * missing / len(self):.0f} %)"
        return (f"{share} have no propensity: each weighs as much as the others do in the mean",)

    def where(self, keep: NDArray[Any]) -> Self:
        """Return the examples where `keep`, or in that order."""
        return replace(
            self, user_idx=self.user_idx[keep], item_idx=self.item_idx[keep], ts_ms=self.ts_ms[keep],
            position=self.position[keep], propensity=self.propensity[keep],
            labels={task: label[keep] for task, label in self.labels.items()},
        )  # fmt: skip

    def settled(self) -> Self:
        """Return those whose answers are known by the end of the log (`waits.py`), the oldest first as they are.

        Where it is not known whether there will be a click an example is left out, of another task its label.
        """
        places = np.arange(len(self))
        labels = {task: np.where(places < self.waits.known(task, self.ts_ms), label, UNKNOWN).astype(np.float32)
                  for task, label in self.labels.items()}  # fmt: skip
        return replace(self, labels=labels).where(places < self.waits.known("click", self.ts_ms))

    def apart(self, later: float) -> dict[str, int]:
        """Return the place behind which each task has the share `later` of the examples that it knows, the newest."""
        return {task: round((1 - later) * self.waits.known(task, self.ts_ms)) for task in ("click", *self.tasks)}

    def held(self, later: float) -> NDArray[np.bool_]:
        """Return which examples some task is calibrated on: those behind its place of `apart`, as far as it knows."""
        held = np.zeros(len(self), bool)
        for task, place in self.apart(later).items():
            held[place : self.waits.known(task, self.ts_ms)] = True
        return held

    def with_tasks(self, tasks: Sequence[str]) -> Self:
        """Return the same with these tasks alone."""
        return replace(self, labels={task: self.labels[task] for task in tasks})


def learnable(examples: Examples, events: pl.DataFrame | None = None) -> tuple[Examples, tuple[str, ...]]:
    """Return the examples with the tasks that can be learned, and what is said of each that cannot.

    `events` are those of the log: with them it is said whether a kind never occurs, or never follows from what was
    shown. Raises RankError (RANK-04) where not even clicking can: without clicks there is nothing to rank by.
    """
    counts = {} if events is None else dict(events["kind"].value_counts().iter_rows())
    told, tasks = [], []
    for task in TASKS:
        label = examples.labels.get(task, np.zeros(0, np.float32))
        positives = int((label > 0).sum())
        if positives >= FEWEST:
            tasks.append(task)
        else:
            told.append(f"the task `{task}` is left out: {_lacks(task, positives, examples, counts)}")
    if "click" not in tasks:
        expected = f"Expected {FEWEST} impressions at least that were clicked"
        do = "Map the shop's word for clicks in [data.kinds], or set [rank] enabled = false"
        raise RankError(Problem("RANK-04", f"{len(examples)} impressions; {told[0]}", expected, do))
    return examples.with_tasks(tasks), tuple(told)


def _lacks(task: str, positives: int, examples: Examples, counts: dict[str, int]) -> str:
    """Say why a task cannot be learned: its kind never occurs, never follows from what was shown, has no prices."""
    few = f"{positives} positive examples, {FEWEST} are needed"
    if task == "value":
        bought = int(np.nansum(examples.labels.get("purchase", np.zeros(1)) == 1))
        return (
            f"{positives} of {bought:,} purchases that followed from what was shown have a price, {FEWEST} are needed"
        )
    if task == "long_view":
        return few if task in examples.labels else f"{few}; no click or view tells how long somebody stayed"
    events = sum(counts.get(kind, 0) for kind in KINDS_OF.get(task, (task,)))
    if not counts or positives > 0:
        return few
    return (
        f"{few}; {events:,} events of that kind follow from nothing shown"
        if events
        else f"{few}; no event of that kind"
    )


def shown_of(frame: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> pl.DataFrame:
    """Return one row an impression, as `data.attribution` wants them, with the rows of user and item."""
    shown = frame.filter(pl.col("kind") == "impression")
    rows = shown.with_columns(
        user_idx=pl.Series(users.rows(shown["user_id"])), item_idx=pl.Series(items.rows(shown["item_id"]))
    )
    names = ("request_id", "item_id", "user_id", "ts_ms", "position", "propensity", "user_idx", "item_idx")
    return rows.filter((pl.col("user_idx") >= 0) & (pl.col("item_idx") >= 0)).select(names).with_row_index("impression")


def _rarer(frame: pl.DataFrame) -> pl.DataFrame:
    """Return favourites, and clicks and views that tell how long somebody stayed, with their number `event`."""
    stayed = pl.col("kind").is_in(KINDS_OF["click"]) & pl.col("dwell_ms").is_not_null()
    return frame.filter((pl.col("kind") == "favourite") | stayed).with_row_index("event")


def _delays(tied: pl.DataFrame, rarer: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    """Return `task`, `shown_ms` and `delay_ms` of the first answer of each impression, as `Waits` wants them.

    Of values the last word: what was paid is known once it has come `back` or no longer will.
    """
    of = {task: tied.filter(pl.col("kind").is_in(kinds)) for task, kinds in ANSWERS.items()}
    of["favourite"] = rarer.filter(pl.col("kind") == "favourite")
    of["long_view"] = rarer.filter(pl.col("kind") != "favourite")
    of["value"] = pl.concat([of["value"], back.select(tied.columns)])
    first = (part.group_by("impression")
             .agg(pl.col("ts_ms").max() if task == "value" else pl.col("ts_ms").min(), pl.col("shown_ms").first())
             .select(pl.lit(task).alias("task"), "shown_ms", delay_ms=pl.col("ts_ms") - pl.col("shown_ms"))
             for task, part in of.items())  # fmt: skip
    return pl.concat(first)


def _labels(found: pl.DataFrame, long_view_seconds: float) -> dict[str, NDArray[np.float32]]:
    names = ("clicked", "carted", "purchased", "favourite")
    flags = {name: found[name].fill_null(False).to_numpy() for name in names}
    carted = flags["carted"] | flags["purchased"]
    clicked = flags["clicked"] | carted | flags["favourite"]
    seconds = found["dwell_ms"].cast(pl.Float64).fill_null(UNKNOWN).to_numpy() / 1000
    revenue = found["revenue_minor"].fill_null(0).to_numpy()
    returned = found["returned"].fill_null(value=False).to_numpy()
    paid = flags["purchased"] & ((revenue > 0) | returned)
    labels = {
        "click": clicked.astype(np.float32),
        "long_view": np.where(clicked & np.isfinite(seconds), seconds >= long_view_seconds, UNKNOWN).astype(np.float32),
        "favourite": np.where(clicked, flags["favourite"], UNKNOWN).astype(np.float32),
        "cart": np.where(clicked, carted, UNKNOWN).astype(np.float32),
        "purchase": np.where(clicked, flags["purchased"], UNKNOWN).astype(np.float32),
        "value": np.where(paid, np.maximum(revenue, 0), UNKNOWN).astype(np.float32),
    }
    never = {"cart": not flags["carted"].any(), "favourite": not flags["favourite"].any(),
             "long_view": not np.isfinite(labels["long_view"]).any()}  # fmt: skip
    return {task: label for task, label in labels.items() if not never.get(task, False)}
