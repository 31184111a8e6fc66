"""Funnel: a ranker for logs that do not tell what was shown, from lists that the bundle's model would have made.

The model is fitted again, with the settings that were chosen, on the events before each of the last MOMENTS weeks; what
users did in them labels its lists (`rank/boosted`). Where a mode is asked of one moment alone (all history left out, or
no time), the split is the one that the model's own settings were chosen on.

A model that is trained step by step goes on from one week to the next (`retrieve/fitting.fits`), the earliest first, so
that none knows of what came after its moment; of its modes the shop's own is learned alone, and all its fits together
end after the time that was given. Its scores are told in deviations of the user's own: each fit has a scale of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem
from paretail.core.kernels import ONE_AT_A_TIME
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode, kind_row
from paretail.data.types import Events, History
from paretail.graph.shopgraph import ShopGraph
from paretail.rank import RankError
from paretail.rank.boosted.columns import REACH, Columns, Dense, Retrieve, Retrieved
from paretail.rank.boosted.levels import FEWEST, Funnel
from paretail.rank.boosted.money import Money
from paretail.rank.boosted.questions import LEVELS, NEAR, Asked, Moment, blocks, drawn
from paretail.rank.boosted.ranker import BoostedRanker, levels_of, told
from paretail.rank.boosted.trees import Boosting
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.fitting import FitContext, fit, fits
from paretail.retrieve.models import model
from paretail.retrieve.models.blend import items_had
from paretail.retrieve.parts import scored
from paretail.retrieve.question import WINDOW_DAYS, WINDOW_SHARE, held_out, modes_to_learn
from paretail.retrieve.topk import top_k

Ints = NDArray[np.int64]

#: So many times the last weeks are asked, the newest first, each of so many users at most.
MOMENTS: Final = 3
MOST_ASKED: Final = 1500
#: Users who came back and did nothing are asked so seldom, for one who did.
STILL: Final = 0.25
#: With fewer users who took something there is no question.
FEWEST_ASKED: Final = 200
#: Users asked at one moment alone.
MOST_ALONE: Final = 4000


@dataclass(frozen=True)
class Source:
    """The model of a bundle: its name and settings, and what it is asked."""

    name: str
    settings: Any
    question: Question


def learn(graph: ShopGraph, events: Events, source: Source, seed: int, progress: Progress,
          seconds: float | None = None, how: Boosting | None = None) -> BoostedRanker:  # fmt: skip
    """Learn the levels of each mode; raises RankError (RANK-04) where no mode has enough answers.

    `how` says how trees are grown, by default as its class says. Fits of a model that is trained end after `seconds`
    in all.
    """
    target, funnels, asks = source.question.target, dict[Mode, Funnel](), dict[Mode, dict[str, Any]]()
    said: dict[str, None] = {}
    modes = modes_of(graph.history, source.question)
    for mode in modes[:1] if is_trained(source.name) else modes:
        asking = Asking(graph.history, graph.items, target, mode, rng_for(f"rank/asked/{mode}", seed))
        moments, days = asking.moments()
        if not moments:
            continue
        progress(f"Learning to rank ({mode})")
        models = _fitted(graph, moments, source, seed, FitContext(progress, minutes=_minutes(seconds, len(moments))))
        parts, names = zip(*(_drawn(graph, moment, one, source, mode, seed)
                             for moment, one in zip(moments, models, strict=True)), strict=True)  # fmt: skip
        said |= dict.fromkeys(_constant(parts, names[0]))
        timed = graph.history.time == "clock"
        found = Funnel.learn(parts, target, how or Boosting(), rng_for(f"rank/boosted/{mode}", seed), timed)
        if found is not None:
            funnels[mode], asks[mode] = found, {"days": days}
    if not funnels:
        found_text = f"fewer than {FEWEST_ASKED} users could be asked what they took next"
        expected = f"Expected so many, and {FEWEST} of their answers among the {NEAR} best of a list"
        raise RankError(Problem("RANK-04", found_text, expected, "Train on a longer log"))
    money = Money.of(events, graph.nodes["user"], graph.nodes["item"])
    ranker = BoostedRanker(levels_of(funnels), next(iter(funnels)), money, graph.tables["item"], graph.history, target,
                           _unasked)  # fmt: skip
    return replace(ranker, report={"modes": told(funnels, asks), "remarks": [*_remarks(ranker, target), *said]})


def modes_of(history: History, question: Question) -> list[Mode]:
    """Return the modes that lists are made in: the shop's own, and `all` where there are several kinds."""
    modes = modes_to_learn(history, question)
    return [mode for mode in modes if mode == modes[0] or mode == "all"]


def retrieved_by(fitted: Retriever, target: str) -> Retrieve:
    """Return what asks a fitted model."""

    def retrieve(history: History, mode: Mode) -> Retrieved:
        with ONE_AT_A_TIME:
            scores, parts = scored(fitted, history, mode)
            scores = standing(scores) if hasattr(type(fitted), "train") else scores
            left_out = items_had(history, target, mode, scores.shape[1])
            best, _ = top_k(scores, min(REACH, scores.shape[1]), left_out)
        place = np.full(scores.shape, REACH, np.int32)
        user, rank = np.nonzero(best >= 0)
        place[user, best[user, rank]] = rank
        return Retrieved(scores, place, parts)

    return retrieve


def is_trained(name: str) -> bool:
    """Say whether a model of the table is trained step by step."""
    return hasattr(model(name), "train")


def standing(scores: Dense) -> Dense:
    """Return how many deviations above the user's mean each item's score is."""
    centred = scores - scores.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-12), np.float32)


@dataclass(frozen=True, eq=False)
class Asking:
    """What is asked: what users of a log take under the kind `target`, in lists that are made in a mode."""

    history: History
    items: int
    target: str
    mode: Mode
    rng: np.random.Generator

    def moments(self) -> tuple[list[Moment], float | None]:
        """Return when it is asked, the newest first, and for how many days each time (None: what comes next)."""
        history = self.history
        if self.mode != "all" and history.time == "clock" and len(history.ts_ms):
            days = min(WINDOW_DAYS, WINDOW_SHARE * float(np.ptp(history.ts_ms)) / DAY_MS)
            end = int(history.ts_ms.max()) + 1
            found = [self._weeks(end - round(number * days * DAY_MS), days) for number in range(1, MOMENTS + 1)]
            if enough := [moment for moment in found if _answers(moment, self.target) >= FEWEST_ASKED]:
                return enough, days
        split = held_out(history, self.target, self.mode, MOST_ALONE, self.rng)
        rows = np.flatnonzero(split.held.counts)
        alone = self._moment(split.train, rows, np.ones(len(rows)), _without(history, split.train))
        return [alone] if _answers(alone, self.target) >= FEWEST_ASKED else [], None

    def _weeks(self, cut_ms: int, days: float) -> Moment:
        """Ask users of the log before a moment for the `days` after it, those who did something more often."""
        ts_ms = self.history.ts_ms
        log = self.history.where(ts_ms < cut_ms)
        followed = self.history.where((ts_ms >= cut_ms) & (ts_ms < cut_ms + round(days * DAY_MS)))
        known, came = np.diff(log.indptr) > 0, np.diff(followed.indptr) > 0
        rows, stands_for = [], []
        for group, most in ((known & came, MOST_ASKED), (known & ~came, round(STILL * MOST_ASKED))):
            users = np.flatnonzero(group)
            chosen = np.sort(self.rng.choice(users, most, replace=False)) if len(users) > most else users
            rows.append(chosen)
            stands_for.append(np.full(len(chosen), len(users) / max(1, len(chosen))))
        return self._moment(log, np.concatenate(rows), np.concatenate(stands_for), followed)

    def _moment(self, log: History, rows: Ints, stands_for: NDArray[np.float64], followed: History) -> Moment:
        return Moment(log, rows, stands_for, followed, items_had(log, self.target, self.mode, self.items))


def _fitted(graph: ShopGraph, moments: Sequence[Moment], source: Source, seed: int,
            context: FitContext) -> Iterator[Retriever]:  # fmt: skip
    """Yield the model as of each moment, the newest first; those that are trained are so before the first is there."""
    model_type = model(source.name)
    if not is_trained(source.name):
        return (fit(model_type, graph.with_history(one.log), source.settings, seed, context) for one in moments)
    warm = fits(model_type, graph, source.settings, seed, context)
    return reversed([warm(one.log) for one in reversed(moments)])


def _minutes(seconds: float | None, fitted: int) -> float | None:
    return None if seconds is None else seconds / 60 / fitted


def _drawn(graph: ShopGraph, moment: Moment, fitted: Retriever, source: Source, mode: Mode,
           seed: int) -> tuple[Asked, tuple[str, ...]]:  # fmt: skip
    """Draw pairs of the lists that a moment's model makes; return the names of their last columns too."""
    target = source.question.target
    retrieve = retrieved_by(fitted, target)
    columns = Columns.of(graph.tables["item"], moment.log, target)
    rng = rng_for(f"rank/drawn/{mode}/{moment.at_ms}", seed)
    parts = []
    for block in blocks(len(moment.rows), 12 * graph.items):
        retrieved = retrieve(moment.log.of_users(moment.rows[block]), mode)
        parts.append(drawn(moment, block, retrieved, columns, target, rng))
    return Asked.together(parts), columns.names


def _answers(moment: Moment, target: str) -> int:
    """Count the users asked who took something under the target kind afterwards."""
    followed = moment.followed.of_users(moment.rows)
    took = followed.kind == kind_row(followed, target)
    return len(np.unique(followed.user_idx[took]))


def _without(history: History, train: History) -> History:
    """Return the events of a log that are not in a part of it; equal events are in it or not, all of them."""
    whole, part = (
        pl.DataFrame({"user": log.user_idx, "item": log.item_idx, "kind": log.kind, "ts": log.ts_ms})
        for log in (history, train)
    )
    left = whole.with_row_index("event").join(part.unique(), on=["user", "item", "kind", "ts"], how="anti")
    keep = np.zeros(whole.height, bool)
    keep[left["event"].to_numpy()] = True
    return history.where(keep)


def _remarks(ranker: BoostedRanker, target: str) -> list[str]:
    """Say which tasks there are not, and why."""
    levels, kinds, said = ranker.modes[ranker.mode], ranker.log.kinds, []
    if target == "purchase" and len(levels) == 1:
        said.append("the tasks `cart` and `purchase` given a click are left out: nothing tells clicks from purchases")
    else:
        said += [
            f"the task `{level}` is left out: {_lacks(level, kinds)}" for level in LEVELS[1:] if level not in levels
        ]
    if "value" not in ranker.tasks:
        said.append("the task `value` is left out: fewer than 20 purchases have a price")
    return said


def _constant(parts: Sequence[Asked], names: Sequence[str]) -> list[str]:
    """Say which of the last columns, those of `names`, are the same for all pairs."""
    low, high = (take([take(part.x[:, -len(names) :], axis=0) for part in parts], axis=0) for take in (np.min, np.max))
    same = [name for name, a, b in zip(names, low, high, strict=True) if a == b]
    return [f"the same for every pair, and so without a say: {', '.join(same)}"] if same else []


def _lacks(level: str, kinds: Sequence[str]) -> str:
    few = f"fewer than {FEWEST} of the pairs asked reached it alone"
    return few if level in kinds else f"{few}; no event of that kind"


def _unasked(*_: Any) -> Any:
    raise AssertionError("a ranker is asked when it is read from its bundle")
