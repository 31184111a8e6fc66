"""Forecasts: what settings of the goals would have brought on a log of what was shown, and whether one may go live.

A setting's slates are those that the bundle composes for the users of the log, knowing no more of them than it was
trained on. What they would have brought is estimated doubly robust, item by position (item_position of
`evaluate/offpolicy/slates.py`):

    V = mean of Σ_j q(target_j) a_j + Σ_j (Σ rho_j (r_j - q(shown_j) a_j)) / (Σ rho_j),   sums and mean over lists
    rho_j = [target_j = shown_j] / propensity_j, given what was shown above

q is the ranker's prediction at position 1, a_j how far position j is looked at, r_j what happened. Where the ranker
is right the second sum is noise about 0; where it is wrong it corrects. A user's lists are one case. Propensities are
given the items above, as they are logged: where the target's item was among those it could not be shown again, which
dividing by the sum of weights makes good; where rewards depend on the items above too, that is not told. Guards
refuse what the log cannot tell (`evaluate/offpolicy/guards.py`); `model` is the first sum alone, which no log has
checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.progress import Progress, silent
from paretail.data.attribution import following, outcomes, window_ms
from paretail.data.types import Events
from paretail.evaluate.offpolicy.estimate import Estimate, judged
from paretail.evaluate.offpolicy.guards import Weights, looked_at
from paretail.evaluate.offpolicy.terms import Terms
from paretail.evaluate.release import Release, gate
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.steering import SEGMENTS, Steering
from paretail.policy.goals import Goals
from paretail.policy.pool import Pool
from paretail.policy.slate import compose
from paretail.rank.config import RankConfig

#: Goals of which a log tells what happened.
TOLD: Final = ("clicks", "purchases", "revenue", "profit")
#: The setting without goals.
TODAY: Final = "today"
#: What was shown, whatever made it: what its lists brought needs no weights.
LIVE: Final = "live"
FEWEST_LISTS: Final = 100
#: A bundle that has learned from more of the log than this is not judged by it.
MOST_LEARNED: Final = 0.01
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One setting and goal: what the model says (NaN: nothing), what the log says; `refused` names guards and why."""

    setting: str
    goal: str
    model: float
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists that were shown, `[lists, slots]`: items (-1: none), propensities (NaN: not told), what each brought."""

    user_ids: pl.Series
    item_idx: NDArray[np.int32]
    propensity: Floats
    brought: Mapping[str, Floats]
    left_out: int = 0  # lists of which the log does not tell the odds, where it does of others

    @property
    def slots(self) -> int:
        """Length of the longest list."""
        return int(self.item_idx.shape[1])

    @classmethod
    def of(cls, events: Events, recommender: Recommender, window_hours: float, slots: int) -> "Lists":
        """Gather lists by request id, up to `slots` positions; raises DataError (POL-11) where there are too few."""
        shown = events.frame.filter((pl.col("kind") == "impression") & pl.col("position").is_between(1, slots))
        shown = shown.filter(pl.col("request_id").is_not_null()).with_row_index("impression")
        followed = outcomes(shown, following([events.frame]), window_ms(window_hours))
        found = shown.join(followed, on="impression", how="left", maintain_order="left")
        lists = found.select("request_id", "user_id").unique("request_id", maintain_order=True)
        if lists.height < FEWEST_LISTS:
            told = f"the log has {lists.height:,} lists with request ids and positions"
            expected = f"Expected {FEWEST_LISTS} at least"
            do = "Log what is shown (a store's: paretail events export --impressions), with request_id and position"
            raise DataError(Problem("POL-11", told, expected, do))
        at = found["request_id"].rank("dense").to_numpy().astype(np.int64)
        order = lists.sort("request_id")
        row, slot = at - 1, found["position"].to_numpy() - 1
        shape = (lists.height, slots)

        def spread(values: Any, empty: float) -> Any:
            full = np.full(shape, empty)
            full[row, slot] = values
            return full

        clicked = (found["clicked"] | found["carted"] | found["purchased"]).fill_null(False)
        item = recommender.items.rows(found["item_id"])
        revenue = found["revenue_minor"].fill_null(0).to_numpy().astype(np.float64)
        margin = np.nan_to_num(recommender.steering.wares.margin)[np.maximum(item, 0)]
        happened = {"clicks": clicked.to_numpy(), "purchases": found["purchased"].fill_null(False).to_numpy(),
                    "revenue": revenue, "profit": revenue * margin}  # fmt: skip
        propensity = found["propensity"].to_numpy().astype(np.float64)
        whole = cls(order["user_id"], spread(item, -1).astype(np.int32), spread(propensity, np.nan),
                    {goal: spread(values, 0.0) for goal, values in happened.items()})  # fmt: skip
        return whole.with_odds()

    def with_odds(self) -> "Lists":
        """Return the lists of which all odds are told; all, where too few are."""
        told = ~(np.isnan(self.propensity) & (self.item_idx >= 0)).any(axis=1)
        if told.all() or told.sum() < FEWEST_LISTS:
            return self
        brought = {goal: values[told] for goal, values in self.brought.items()}
        users = self.user_ids.filter(pl.Series(told))
        return Lists(users, self.item_idx[told], self.propensity[told], brought, int((~told).sum()))


@dataclass(frozen=True, eq=False)
class Forecasts:
    """A bundle and a log, ready to be asked about settings."""

    steering: Steering
    lists: Lists
    pool: Pool  # one row a user of the log
    user: NDArray[np.int64]  # of each list
    never: NDArray[np.bool_]  # items that the log never shows
    learned: float = 0.0  # the share of what was shown that the bundle may have learned from

    @classmethod
    def of(cls, recommender: Recommender, events: Events, slots: int, progress: Progress = silent) -> "Forecasts":
        """Draw candidates for every user of the log; raises DataError (POL-11), BundleError (RANK-05)."""
        progress("Reading what was shown")
        steering = recommender.steering
        hours = RankConfig.parse(recommender.manifest.config.get("rank", {}), "the bundle").attribution_hours
        lists = Lists.of(events, recommender, hours, slots)
        users = lists.user_ids.unique(maintain_order=True)
        place = pl.DataFrame({"user_id": users, "place": np.arange(len(users))})
        user = lists.user_ids.to_frame("user_id").join(place, on="user_id", how="left", maintain_order="left")["place"]
        history = recommender.history_of(users)
        progress("Drawing candidates")
        drawn = recommender.recommend(history, CANDIDATES, ["none"], allowed=recommender.in_stock, progress=progress)
        never = np.ones(len(recommender.items), bool)
        never[lists.item_idx[lists.item_idx >= 0]] = False
        pool = steering.pool(history, recommender.users.rows(users), drawn)
        learned = _learned(events, recommender)
        return cls(steering, lists, pool, user.to_numpy().astype(np.int64), never, learned)

    @property
    def is_logged(self) -> bool:
        """Whether the log tells with which probability each item was shown."""
        return bool(np.isfinite(self.lists.propensity[self.lists.item_idx >= 0]).all())

    @property
    def explored(self) -> bool:
        """Whether anything was shown that could have been something else."""
        return bool((self.lists.propensity[self.lists.item_idx >= 0] < 1).any())

    @property
    def remarks(self) -> list[str]:
        """What to know of the log before believing what it says."""
        told = [] if self.learned <= MOST_LEARNED else [str(_known(self.learned))]
        left = self.lists.left_out
        return [*told, f"{left:,} lists are left out: their odds are not told"] if left else told

    def live(self, level: float = 0.95) -> list[Line]:
        """Return what the lists of the log brought, whatever made them."""
        found = []
        for goal in self.goals:
            told = judged(Terms.mean(self.lists.brought[goal].sum(1)), None, level=level, groups=self.user)
            found.append(Line(LIVE, goal, np.nan, _in_units(told, self.steering.per(goal))))
        return found

    def lines(self, settings: Mapping[str, Goals | None], level: float = 0.95) -> list[Line]:
        """Return what each setting would have brought in every goal that the log tells of, a list."""
        found = []
        for name, goals in settings.items():
            target = self._target(goals)
            matched = self._matched(target)
            for goal in self.goals:
                terms, seen, model = self._terms(target, goal, matched)
                per = self.steering.per(goal)
                none = Estimate(np.nan, np.nan, np.nan, None, (_unlogged(),))
                told = judged(terms, seen, level=level, groups=self.user) if self.is_logged else none
                told = replace(told, refused=self._why(told.refused))
                found.append(Line(name, goal, model / per, _in_units(told, per)))
        return found

    def release(self, candidate: Goals | None, goal: str, margin: float, candidates: int = 1) -> Release:
        """Say whether slates under `candidate` may replace the log's.

        Where the log has no odds, or the bundle has learned from it, the log cannot tell: `experiment`, with the
        model's own word as the candidate's value. Raises PolicyError for goals that cannot be followed.
        """
        terms, seen, model = self._terms(self._target(candidate), goal)
        incumbent = Terms.mean(self.lists.brought[goal].sum(1))
        if doubts := self.doubts:
            return Release("experiment", model, incumbent.value, np.nan, np.nan, doubts)
        found = gate(terms, incumbent, seen, margin, candidates=candidates, groups=self.user)
        return replace(found, refused=self._why(found.refused))

    @property
    def doubts(self) -> tuple[Problem, ...]:
        """Why this log can judge nothing, whatever the setting."""
        unlogged = () if self.is_logged else (_unlogged(),)
        return unlogged if self.learned <= MOST_LEARNED else (*unlogged, _known(self.learned))

    @property
    def goals(self) -> list[str]:
        """The goals that the bundle predicts and the log tells of."""
        return [goal for goal in TOLD if goal in self.steering.available]

    def _why(self, refused: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """Return why the log cannot tell: what guards found, unless all of it follows from never exploring."""
        return (_certain(),) if refused and self.is_logged and not self.explored else refused

    def _target(self, goals: Goals | None) -> NDArray[np.int32]:
        """Return the items of each user's slate under a setting, `[users, slots]`."""
        segment, k = self.steering.segments(self.pool.past), self.lists.slots
        solved = [self.steering.setting(goals, name, k) for name in SEGMENTS]
        names = dict.fromkeys(name for one in solved for name in one.weights)
        weights = {name: np.array([solved[s].weights.get(name, 0.0) for s in segment]) for name in names}
        return compose(self.pool, self.steering.available, weights, k, how=self.steering.how)

    def _terms(self, target: NDArray[np.int32], goal: str,
               matched: tuple[Floats, Weights] | None = None) -> tuple[Terms, Weights, float]:  # fmt: skip
        """Return the terms of a goal's estimate, a row a list, what its weights look like, and the model's word."""
        pool, shown = self.pool, self.lists.item_idx
        rho, seen = matched or self._matched(target)
        q = self.steering.goal(goal).gains(pool, self.lists.slots).now.astype(np.float64)
        attention = pool.attention[: self.lists.slots]
        told = (pool.at(q, target) @ attention)[self.user]
        expected = self._expected(q, shown) * attention
        terms = Terms(told, rho * (self.lists.brought[goal] - expected), rho)
        return terms, seen, float(told.mean())

    def _matched(self, target: NDArray[np.int32]) -> tuple[Floats, Weights]:
        """Return the weight of each place where the log shows what the target has there, and what guards look at."""
        shown, items = self.lists.item_idx, self.pool.items(target)[self.user]
        rho = np.where((items == shown) & (shown >= 0), 1 / np.where(shown >= 0, self.lists.propensity, 1.0), 0.0)
        rho = np.nan_to_num(rho)
        return rho, self._seen(rho, items)

    def _seen(self, rho: Floats, items: NDArray[np.int32]) -> Weights:
        """Return what guards look at; the mean counts what was shown above, so that it is 1 where odds are right."""
        shown = self.lists.item_idx
        unsupported = (self.never[np.maximum(items, 0)] & (items >= 0)).astype(np.float64)
        above = np.zeros(rho.shape)
        for slot in range(1, rho.shape[1]):
            above[:, slot] = (shown[:, :slot] == items[:, slot : slot + 1]).any(axis=1)
        whole = looked_at(rho + above, None, self.user)
        return replace(looked_at(rho, unsupported, self.user), mean=whole.mean, mean_error=whole.mean_error)

    def _expected(self, q: Floats, shown: NDArray[np.int32]) -> Floats:
        """Return q of what was shown, 0 of what is no candidate of its user."""
        items = len(self.never)
        table = np.zeros((len(q), items), np.float32)
        rows = np.broadcast_to(np.arange(len(q))[:, None], q.shape)
        there = self.pool.valid
        table[rows[there], self.pool.item_idx[there]] = q[there]
        return np.asarray(np.where(shown >= 0, table[self.user[:, None], np.maximum(shown, 0)], 0.0), np.float64)


def _learned(events: Events, recommender: Recommender) -> float:
    """Return the share of what was shown that lies before the bundle's newest event; 0 where times are not told."""
    shown = events.frame.filter(pl.col("kind") == "impression")["ts_ms"]
    if recommender.history.time != "clock" or events.time != "clock" or not len(shown):
        return 0.0
    return float((shown < recommender.moment_ms).mean())  # type: ignore[arg-type]


def _known(share: float) -> Problem:
    found = f"{share:.0%} of what the log shows is older than the newest event that the bundle has learned"
    expected = "Expected a log that it has not learned from: of its own lists it is too sure"
    return Problem(
        "OFFP-11", found, expected, "Take the log of the days after its training, or train it on days before"
    )


#: How a log comes to tell of other settings.
_START: Final = "Set [policy] explore = 0.02 in shop.toml, train, and serve slates: they log their odds for next time"
#: What a log without odds can still tell.
_STILL: Final = (
    "What was shown brought what it did (live), and the model says what it expects (in brackets); nothing else can be "
    "told"
)


def _unlogged() -> Problem:
    return Problem("OFFP-02", "the log does not tell with which probability items were shown", _STILL, _START)


def _certain() -> Problem:
    return Problem(
        "OFFP-12", "everything in the log was shown with certainty: other settings were never tried", _STILL, _START
    )


def _in_units(told: Estimate, per: float) -> Estimate:
    return replace(told, value=told.value / per, low=told.low / per, high=told.high / per)
