"""Forecasts: what settings of the goals would have brought on a log of what was shown, and whether one may go live.

A setting's slates are those that the bundle would serve to the users of the log (`served.py`): the same candidates,
exclusions and exploring, knowing no more of users than it was trained on. What they would have brought is estimated
doubly robust, item by position (item_position of `evaluate/offpolicy/slates.py`):

    V = mean of Σ_j a_j Σ_i pi_j(i) q(i) + Σ_j n_j (Σ rho_j (r_j - q(shown_j) a_j)) / (Σ rho_j),   over lists
    rho_j = pi_j(shown_j) / (propensity_j s_j)

Sums over j go over the places that a list has, n_j is the share of lists that have j. q is the ranker's prediction at
position 1, a_j how far position j is looked at, r_j what happened. Where the ranker is right the second sum is noise
about 0; where it is wrong it corrects. A user's lists are one case. Propensities are given the items above, so that an
item that is shown above cannot be shown again: s_j is the share of the user's lists of that length that do not have
shown_j above j, which makes rho exact for users with many lists; of others the sum of weights makes good a part (in a
shop whose model was 12 % off, `today` on its own log was told 1 % too high with one list a user, .2 % with ten).
Where rewards depend on the items above too, that is not told. Guards refuse what the log cannot tell
(`evaluate/offpolicy/guards.py`); `model` is the first sum alone, which no log has checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.progress import Progress, silent
from paretail.data.types import Events
from paretail.evaluate.offpolicy.estimate import Estimate, judged
from paretail.evaluate.offpolicy.guards import Weights, looked_at
from paretail.evaluate.offpolicy.terms import Terms
from paretail.evaluate.release import Release, gate
from paretail.pipeline import hard_rules
from paretail.pipeline.listed import OWN, Lists, placements
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.served import Served, Shown, served
from paretail.pipeline.steering import Steering
from paretail.policy import PolicyError
from paretail.policy.goals import Goals
from paretail.policy.pool import Pool
from paretail.rank.config import RankConfig

#: Goals of which a log tells what happened.
TOLD: Final = ("clicks", "purchases", "revenue", "profit")
#: Of settings that nobody names: how far each goal alone is turned up, as shares of its range.
GRID: Final = (0.25, 0.5)
#: What was shown, whatever made it: what its lists brought needs no weights.
LIVE: Final = "live"
#: A bundle that has learned from more of the log than this is not judged by it.
MOST_LEARNED: Final = 0.01
#: Standard errors by which weights must lack for a setting to show users what they cannot have been shown.
SURELY: Final = 3.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One setting and goal: what the model says (NaN: nothing), what the log says; `refused` names guards and why."""

    setting: str
    goal: str
    model: float
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Forecasts:
    """A bundle and a log, ready to be asked about settings."""

    steering: Steering
    lists: Lists
    pool: Pool  # one row a user of the log
    user: NDArray[np.int64]  # of each list
    never: NDArray[np.bool_]  # items that the log never shows
    learned: float = 0.0  # the share of what was shown that the bundle may have learned from
    mixed: tuple[str, ...] = ()

    @classmethod
    def of(cls, recommender: Recommender, events: Events, slots: int, progress: Progress = silent,
           placement: str | None = None) -> "Forecasts":  # fmt: skip
        """Draw candidates for every user of the log; raises DataError (POL-11), BundleError (RANK-05)."""
        progress("Reading what was shown")
        steering = recommender.steering
        hours = RankConfig.parse(recommender.manifest.config.get("rank", {}), "the bundle").attribution_hours
        lists = Lists.of(events, recommender, hours, slots, placement)
        users = lists.user_ids.unique(maintain_order=True)
        place = pl.DataFrame({"user_id": users, "place": np.arange(len(users))})
        user = lists.user_ids.to_frame("user_id").join(place, on="user_id", how="left", maintain_order="left")["place"]
        history = recommender.history_of(users)
        progress("Drawing candidates")
        drawn = hard_rules.one_of_each(
            lambda room: recommender.recommend(history, room, allowed=recommender.in_stock, progress=progress),
            CANDIDATES, recommender.shelf().parents,
        )  # fmt: skip
        never = np.ones(len(recommender.items), bool)
        never[lists.item_idx[lists.item_idx >= 0]] = False
        pool = steering.pool(history, recommender.users.rows(users), drawn)
        mixed = _mixed(placements(events, own=False), placement)
        return cls(steering, lists, pool, user.to_numpy().astype(np.int64), never, _learned(events, recommender), mixed)

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
        return [*told, *self.lists.remarks, *self.mixed]

    def live(self, level: float = 0.95) -> list[Line]:
        """Return what the lists of the log brought, whatever made them."""
        found = []
        for goal in self.goals:
            told = judged(Terms.mean(self.lists.brought[goal].sum(1)), None, level=level, groups=self.user)
            found.append(Line(LIVE, goal, np.nan, _in_units(told, self.steering.per(goal))))
        return found

    @property
    def grid(self) -> dict[str, Goals | None]:
        """Settings to look at first: each goal that can be had, alone, at the shares of GRID."""
        return {f"{goal}={share:g}": Goals(dial={goal: share}) for goal in self.steering.available for share in GRID}

    def lines(self, settings: Mapping[str, Goals | None], level: float = 0.95) -> list[Line]:
        """Return what each setting would have brought in every goal that the log tells of, a list."""
        found = []
        for name, goals in settings.items():
            target = self.served(goals)
            rho, seen = self._weights(target)
            for goal in self.goals:
                terms, model = self._terms(target, goal, rho)
                per = self.steering.per(goal)
                none = Estimate(np.nan, np.nan, np.nan, None, (_unlogged(),))
                told = judged(terms, seen, level=level, groups=self.user) if self.is_logged else none
                told = replace(told, refused=self._why(told.refused))
                found.append(Line(name, goal, model / per, _in_units(told, per)))
        return found

    def release(self, candidate: Goals | None, goal: str, margin: float, candidates: int = 1) -> Release:
        """Say whether slates under `candidate` may replace the log's.

        Where the log has no odds, or the bundle has learned from it, the log cannot tell: `experiment`, with the
        model's own word as the candidate's value. Raises PolicyError for goals that cannot be followed, POL-02 for a
        `goal` that the bundle does not predict.
        """
        if goal not in self.goals:
            raise PolicyError(_untold(goal, self.goals))
        target = self.served(candidate)
        rho, seen = self._weights(target)
        terms, model = self._terms(target, goal, rho)
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

    def served(self, goals: Goals | None) -> Served:
        """Return what a setting would serve to the lists of the log; raises PolicyError."""
        return served(self.steering, goals, self.pool, self._shown, self._q, self.never)

    @cached_property
    def _shown(self) -> Shown:
        return Shown.of(self.pool, self.user, self.lists.item_idx, len(self.never))

    @cached_property
    def _q(self) -> Mapping[str, Floats]:
        """What the ranker expects of each candidate at position 1 in every goal, `[users, cands]`."""
        found = {goal: self.steering.goal(goal).gains(self.pool, self.lists.slots).now for goal in self.goals}
        return {goal: np.where(self.pool.valid, q, 0.0).astype(np.float64) for goal, q in found.items()}

    @cached_property
    def _seldom(self) -> Floats:
        """The share of the user's lists of the same length that do not have the item above, `[lists, slots]`."""
        shown, there = self.lists.item_idx, self.lists.there
        length = self.lists.slots - there[:, ::-1].argmax(axis=1)
        alike, kin = np.unique(self.user * (self.lists.slots + 1) + length, return_inverse=True)
        lists = np.bincount(kin, minlength=len(alike))[kin]
        pair = kin[:, None] * np.int64(len(self.never) + 1) + np.maximum(shown, -1) + 1
        _, at = np.unique(pair, return_inverse=True)
        at = at.reshape(shown.shape)
        count = np.zeros(at.max() + 1, np.int64)
        found = np.ones(shown.shape)
        for slot in range(self.lists.slots):
            found[:, slot] = 1 - count[at[:, slot]] / lists
            count += np.bincount(at[:, slot], minlength=len(count))
        return np.where(shown >= 0, found, 1.0)

    def _terms(self, target: Served, goal: str, rho: Floats) -> tuple[Terms, float]:
        """Return the terms of a goal's estimate, a row a list, and the model's word."""
        there, attention = self.lists.there, self.pool.attention[: self.lists.slots]
        told = ((target.expected[goal] * attention)[self.user] * there).sum(axis=1)
        q = np.take_along_axis(self._q[goal][self.user], np.maximum(self._shown.place, 0), 1)
        expected = np.where(self._shown.place >= 0, q, 0.0) * attention
        has = there.any(axis=0)
        gain = rho * (self.lists.brought[goal] - expected) * there.mean(axis=0)
        return Terms(told, gain[:, has], rho[:, has]), float(told.mean())

    def _weights(self, target: Served) -> tuple[Floats, Weights]:
        """Return the weight of each place, and what guards look at.

        The mean counts what was shown above as it would have been shown here, so that it is 1 where odds are right and
        users can be shown what the setting shows them; what it surely lacks to 1 is no support.
        """
        there, has = self.lists.there, self.lists.there.any(axis=0)
        ratio = np.where(target.odds > 0, target.odds / np.where(there, self.lists.propensity, 1.0), 0.0)
        ratio = np.nan_to_num(ratio)
        rho = ratio / self._seldom
        whole = looked_at(np.where(there, ratio + target.above, 1.0)[:, has], None, self.user)
        never = (target.lacking[self.user] * there).sum() / there.sum()
        lacking = max(never, 1 - whole.mean - SURELY * whole.mean_error)
        seen = looked_at(rho[:, has], np.array([lacking]), self.user)
        return rho, replace(seen, mean=whole.mean, mean_error=whole.mean_error)


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


def _mixed(there: Mapping[str, int], placement: str | None) -> tuple[str, ...]:
    """Return what to know of a log whose lists are of several placements, or of one with candidates of its own."""
    if placement in OWN:
        return (f"lists of {placement} choose among candidates of their own, and are judged as if they were all",)
    if placement is not None or len(there) < 2:
        return ()
    told = ", ".join(f"{name} ({count:,})" for name, count in there.items())
    return (f"lists of all placements count alike: {told}; --placement takes those of one",)


#: How a log comes to tell of other settings.
_START: Final = (
    'Set [policy] explore = 0.02 and [serve] goals = "today" in shop.toml, train and serve: lists log their odds for '
    "next time"
)
#: What a log without odds can still tell.
_STILL: Final = (
    "What was shown brought what it did (live), and the model says what it expects (in brackets); nothing else can be "
    "told"
)


def _unlogged() -> Problem:
    return Problem("OFFP-02", "the log does not tell with which probability items were shown", _STILL, _START)


def _untold(goal: str, goals: list[str]) -> Problem:
    found = f"the bundle does not predict {goal}: what a setting brings of it cannot be told"
    expected = f"Expected {' or '.join(goals)}" if goals else "It predicts nothing that logs tell of"
    return Problem("POL-02", found, expected, "Name another with --goal, or train on a log that tells it")


def _certain() -> Problem:
    return Problem(
        "OFFP-12", "everything in the log was shown with certainty: other settings were never tried", _STILL, _START
    )


def _in_units(told: Estimate, per: float) -> Estimate:
    return replace(told, value=told.value / per, low=told.low / per, high=told.high / per)
