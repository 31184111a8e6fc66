"""Steering: goals asked of a bundle turned into slates, through dials measured on requests of its own log."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import BundleError, Problem
from paretail.core.ids import Rows
from paretail.core.money import minor_per_major
from paretail.core.rng import rng_for
from paretail.data.types import Candidates, History
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.requests import SEGMENTS, Requests, known_events, segments
from paretail.pipeline.wares import wares_of
from paretail.policy import PolicyError
from paretail.policy.compositions import Composition, How
from paretail.policy.config import PolicyConfig
from paretail.policy.dials import Dials, Setting
from paretail.policy.explore import changed, temperature
from paretail.policy.exposure import Exposures
from paretail.policy.goals import Goals, resolved
from paretail.policy.newcomers import Belief, deviates, unfit
from paretail.policy.objectives import OBJECTIVES, Objective, objective
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool, Wares
from paretail.policy.slate import compose
from paretail.rank.boosted.ranker import BoostedRanker

if TYPE_CHECKING:
    from paretail.pipeline.recommender import Recommender

#: All segments together.
EVERYBODY: Final = "everybody"
#: A segment with fewer requests is measured on those of all.
FEWEST: Final = 32
#: The longest slate, and the one for which presets are solved when a bundle is loaded.
USUAL_SLOTS: Final = 20
MOST_SLOTS: Final = 1000
#: Dials are turned in hundredths: what is solved once serves all who ask for about the same.
DIAL_DIGITS: Final = 2
#: Shares of clicks that drawing may cost are told apart in thousandths; so many temperatures are kept.
SHARE_DIGITS: Final = 3
MOST_HEATS: Final = 2000
#: Requests of a segment on which dials are measured where composing is not compiled.
FEW: Final = 128
#: Segments, lengths and compositions of slates of which dials are kept.
MOST_DIALS: Final = 24
#: Settings of each that are solved anew before other dials are taken.
MOST_REFITTED: Final = 20


@dataclass(eq=False)
class Steering:
    """What a bundle's goals are and how far each goes, by segment; safe to share by threads once measured."""

    recommender: "Recommender"
    config: PolicyConfig
    wares: Wares
    exposures: Exposures
    samples: Mapping[str, Pool]
    median: float
    _of_log: Mapping[str, Pool] = field(default_factory=dict)
    _dials: dict[tuple[str, int, How], Dials] = field(default_factory=dict)
    _goals: dict[str, Objective[Any]] = field(default_factory=dict)
    _heats: dict[tuple[str, str, int, float, How], tuple[float, Setting]] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)
    _heating: RLock = field(default_factory=RLock)

    @classmethod
    def of(cls, recommender: "Recommender") -> Self:
        """Draw requests from the log of the bundle; raises BundleError (RANK-05) where it has no ranker.

        BundleError (POL-12) where new items cannot be believed in as `[policy]` says.
        Cost: candidates and predictions of some hundred users, a few seconds.
        """
        config = PolicyConfig.parse(recommender.manifest.config.get("policy", {}), "the bundle")
        ranker, history = recommender.ranker, recommender.history
        if problem := unfit(config.new_items, deviations=not isinstance(ranker, BoostedRanker)):
            raise BundleError(problem)
        wares = wares_of(recommender.catalogue, history, ranker.item_vectors)
        counts = known_events(history)
        median = float(np.median(counts[counts > 0])) if (counts > 0).any() else 0.0
        found = cls(recommender, config, wares, Exposures.none(wares.items), {}, median)
        found.samples = found._of_log = found._sampled(config.requests)
        found._take_all()
        return found

    def pool(self, history: History, known: Rows, lists: Candidates,
             moment_ms: NDArray[np.int64] | None = None) -> Pool:  # fmt: skip
        """Return the candidates of the users of `history` with what the ranker predicts of them at `moment_ms[users]`.

        `known[users]` as in `Ranker.predict`; without moments they ask right after the log.
        """
        user, place = np.nonzero(lists.item_idx >= 0)
        if moment_ms is None:
            moment_ms = np.full(history.users, self._now_ms(history), np.int64)
        item, at = lists.item_idx[user, place], moment_ms[user]
        told = self.recommender.ranker.predict(history, known, user.astype(np.int32), item, at)
        full = np.full((3, *lists.item_idx.shape), np.nan)
        full[:, user, place] = told.p_click, told.following, told.order_value
        return self.filled(lists.item_idx, full, history)

    def filled(self, item_idx: Rows, told: NDArray[np.float64], history: History, wares: Wares | None = None,
               now_ms: int | None = None) -> Pool:  # fmt: skip
        """Return candidates with predictions: `told` is p_click, `following` and order_value, each like `item_idx`.

        `wares` are the items as they are at `now_ms`; by default as in the bundle, right after its log.
        """
        p_click, p_purchase, order_value = told.astype(np.float32)
        return Pool(item_idx, p_click, p_purchase, order_value, wares or self.wares, self.attention, history,
                    self._now_ms(history) if now_ms is None else now_ms, self.exposures)  # fmt: skip

    def _now_ms(self, history: History) -> int:
        """Return the moment right after the log and all that is known of somebody."""
        return max(self.recommender.moment_ms, int(history.ts_ms.max(initial=0)) + 1)

    @cached_property
    def attention(self) -> NDArray[np.float64]:
        """P(seen) of positions, as the ranker has learned it."""
        return self.recommender.ranker.attention(MOST_SLOTS)

    @property
    def hopes(self) -> bool:
        """Whether new items are believed in otherwise than as the ranker expects."""
        return self.config.new_items != "mean"

    def hopeful(self, asked: tuple[History, Rows, Rows, Rows, NDArray[np.int64]], p_click: Values,
                rng: np.random.Generator) -> Belief:  # fmt: skip
        """Return P(click) of candidates, where it `hopes`, those of new items as `[policy] new_items` believes in them.

        `asked` is what `Ranker.predict` is asked, `p_click` what it told.
        """
        ranker, config = self.recommender.ranker, self.config
        assert not isinstance(ranker, BoostedRanker)  # trees with a rule that needs deviations are refused
        moved = deviates(config.new_items, ranker.shown[asked[3]], config.new_items_shown, rng)
        new = np.flatnonzero(moved)
        if not len(new):
            return Belief(p_click, drawn=False)
        history, known, user, item, at = asked
        found = p_click.copy()
        found[new] = ranker.clicks_at(history, known, user[new], item[new], at[new], moved[new])
        return Belief(found, drawn=config.new_items == "thompson")

    @property
    def available(self) -> Mapping[str, Objective[Any]]:
        """The goals that can be had here, by name."""
        return self._goals

    def values(self, pool: Pool, places: Rows) -> dict[str, NDArray[np.float64]]:
        """Return what slates are worth to every goal that can be had, in its own unit, money in minor units."""
        return {name: goal.value(pool, places) for name, goal in self._goals.items()}

    def per(self, goal: str) -> float:
        """Return by what a goal's values are divided for people: minor units of money that make a major one, else 1."""
        return self._minor if self._goals[goal].money else 1.0

    @cached_property
    def _minor(self) -> float:
        return float(minor_per_major(self.recommender.manifest.config["data"]["currency"]))

    def goals(self, goals: Goals) -> Goals:
        """Return what is asked, presets resolved, money in minor units; raises PolicyError for goals not to be had."""
        asked = resolved(goals, self.config.presets)
        for name in asked.names:
            self.goal(name)
        if asked.dial is None:
            kept = {name: bound.text(self.per(name)) for name, bound in asked.bounds.items()}
            return asked.model_copy(update={"keep": kept})
        return asked.model_copy(
            update={"dial": {name: round(share, DIAL_DIGITS) for name, share in asked.dial.items()}}
        )

    def goal(self, name: str) -> Objective[Any]:
        """Return a goal; raises PolicyError POL-01 for an unknown one, POL-02 where the bundle lacks what it reads."""
        if name not in self._goals:
            self._check_own(name)
            found = objective(name, self.config.settings.get(name))
            found.check(next(iter(self.samples.values())))
            self._goals[name] = found
        return self._goals[name]

    def _check_own(self, name: str) -> None:
        """Raise PolicyError (POL-01) for a class that `[policy]` does not name: no question imports what it likes."""
        config = self.config
        named = {*config.base, *config.settings, *(goal for preset in config.presets.values() for goal in preset.names)}
        if ":" in name and name not in named:
            do = "Name it in [policy.settings] and train again"
            raise PolicyError(Problem("POL-01", f"the goal {name!r} is not one of this shop", "Expected a goal that "
                                      "[policy] names", do))  # fmt: skip

    def _take_all(self) -> None:
        """Take every goal of the table that can be had here."""
        for name in (*OBJECTIVES, *(own for own in self.config.settings if own not in OBJECTIVES)):
            with suppress(PolicyError):
                self.goal(name)

    @property
    def base(self) -> dict[str, float]:
        """What is served without goals: those of `[policy] base` that can be had; PolicyError (POL-06) if none."""
        found = {}
        for name, part in self.config.base.items():
            try:
                self.goal(name)
            except PolicyError as error:
                if error.problems[0].code != "POL-02":
                    raise
                continue
            found[name] = part
        if not any(found.values()):
            told = ", ".join(self.config.base) or "nothing"
            raise PolicyError(Problem("POL-06", f"[policy] base: of {told} nothing can be predicted",
                                      "Expected one goal at least", "Name others, such as clicks = 1"))  # fmt: skip
        return found

    @property
    def how(self) -> How:
        """How slates are composed where a question does not say."""
        return self.composed(None)

    def composed(self, composition: Composition | None) -> How:
        """Return how slates are composed, with the balance of `[policy]`; None: as it says."""
        return How(composition or self.config.composition, self.config.balance)

    def dials(self, segment: str, k: int, how: How | None = None) -> Dials:
        """Return the dials of a segment for slates of `k`; too many drop those that were not asked for longest."""
        key = segment, k, how or self.how
        with self._lock:
            found = self._dials.pop(key, None) or self._measuring(self.samples[segment], key)
            while len(self._dials) >= MOST_DIALS:
                del self._dials[next(iter(self._dials))]
            self._dials[key] = found
        return found

    def _measuring(self, sample: Pool, key: tuple[str, int, How]) -> Dials:
        per = {name: self.per(name) for name in self._goals}
        return Dials(_fitting(sample, key[2]), self._goals, self.base, key[1], key[2], per)

    def setting(self, goals: Goals | None, segment: str, k: int, how: How | None = None) -> Setting:
        """Return the weights with which a segment's slates do what is asked, or, without goals, serve the base."""
        asked = None if goals is None else self.goals(goals)
        dials = self.dials(segment, k, how)
        return dials.today if asked is None else dials.setting(asked)

    def refit(self, samples: Mapping[str, Pool]) -> None:
        """Measure the dials of segments on newer requests, with the settings asked for lately, and swap them at once.

        Those of the log stand beside those of a segment until `[policy] requests` are there. Questions are
        answered by the dials before until then. Cost: a second or two a setting.
        """
        samples = {name: self._filled_up(name, sample) for name, sample in samples.items()}
        fresh = {key: self._refitted(key, dials, samples[key[0]]) for key, dials in list(self._dials.items())
                 if key[0] in samples}  # fmt: skip
        with self._lock:
            self.samples = {**self.samples, **samples}
            self._dials |= fresh
            self._heats = {key: heat for key, heat in self._heats.items() if key[1] not in samples}

    def _filled_up(self, segment: str, sample: Pool) -> Pool:
        """Return requests of a segment with those of the log, where it has enough of its own there."""
        of_log, room = self._of_log[segment], self.config.requests - sample.shape[0]
        own = of_log is not self._of_log[EVERYBODY]
        return sample.beside(of_log.rows(np.arange(min(room, of_log.shape[0])))) if own and room > 0 else sample

    def _refitted(self, key: tuple[str, int, How], before: Dials, sample: Pool) -> Dials:
        found = self._measuring(sample, key)
        _ = found.today  # solved here, not by the first who asks
        for asked in before.asked[-MOST_REFITTED:]:
            with suppress(PolicyError):
                found.setting(asked)
        return found

    def warm(self) -> None:
        """Solve the base and the presets ahead of the first question; one that cannot be followed is told when asked.

        What is compiled when it is first needed is compiled now.
        """
        somebody = next(iter(self.samples.values())).rows(np.arange(1))
        compose(somebody, self._goals, {name: 1.0 for name in OBJECTIVES if name in self._goals}, 2)
        for asked in (None, *(Goals(preset=preset) for preset in self.config.presets)):
            for segment in SEGMENTS:
                with suppress(PolicyError):
                    self.setting(asked, segment, USUAL_SLOTS)
                    self.heat(asked, segment, USUAL_SLOTS, self.config.explore)

    def heat(self, goals: Goals | None, segment: str, k: int, share: float, how: How | None = None) -> float:
        """Return the temperature at which a segment's slates are drawn; see `drawn`."""
        return self.drawn(goals, segment, k, share, how)[0]

    def drawn(self, goals: Goals | None, segment: str, k: int, share: float,
              how: How | None = None) -> tuple[float, Setting]:  # fmt: skip
        """Return the temperature at which drawing costs `share`, and the setting with what drawn slates bring.

        That is of the expected clicks; a goal that is asked for loses no greater share of its value or range. Goals
        that slates share (coverage, fairness) are told as composed: each pool is drawn by itself.
        """
        setting = self.setting(goals, segment, k, how)
        if share <= 0:
            return 0.0, setting
        how, share = how or self.how, max(round(share, SHARE_DIGITS), 10**-SHARE_DIGITS)
        asked = None if goals is None else self.goals(goals)
        key = ("" if asked is None else asked.model_dump_json(), segment, k, share, how)
        found = self._heats.get(key)
        if found is None:
            with self._heating:
                found = self._heats.get(key)
                if found is None:
                    found = self._heated(setting, () if asked is None else asked.names, segment, k, share, how)
                    if self.setting(goals, segment, k, how) is not setting:
                        return found  # dials were measured anew meanwhile: the next question has their heat
                    if len(self._heats) >= MOST_HEATS:
                        self._heats = dict(list(self._heats.items())[MOST_HEATS // 2 :])
                    self._heats[key] = found
        return found

    def _heated(self, setting: Setting, asked: tuple[str, ...], segment: str, k: int, share: float,
                how: How) -> tuple[float, Setting]:  # fmt: skip
        sample, dials = _few(self.samples[segment]), self.dials(segment, k, how)  # drawing is not compiled
        spans = {name: dials.curve(name).high - dials.curve(name).low for name in asked}
        heat = temperature(sample, self._goals, setting.weights, k, share, how=how, spans=spans)
        goals = {name: self._goals[name] for name in setting.expected}
        change = changed(sample, goals, setting.weights, k, heat, how)
        expected = {name: value + change[name] for name, value in setting.expected.items()}
        shares = {name: dials.share(expected[name], name) for name in setting.shares}
        return heat, replace(setting, expected=expected, shares=shares)

    def segments(self, history: History) -> NDArray[np.intp]:
        """Return the number of each user's segment in SEGMENTS."""
        return segments(known_events(history), self.median)

    def _sampled(self, most: int) -> dict[str, Pool]:
        """Return the pools of the log's requests by segment; of all where a segment has too few."""
        recommender = self.recommender
        asked = Requests.of(recommender.history, self.median, most, rng_for("policy/requests", 0))
        known = asked.known(recommender.history)
        lists = recommender.recommend(known, CANDIDATES, allowed=recommender.in_stock)
        pool = self.pool(known, asked.user, lists, asked.moment_ms)
        found = {EVERYBODY: pool}
        for number, name in enumerate(SEGMENTS):
            rows = np.flatnonzero(asked.segment == number)
            found[name] = pool.rows(rows) if len(rows) >= FEWEST else pool
        return found


def _fitting(sample: Pool, how: How) -> Pool:
    """Return the requests on which dials are measured: fewer where composing them is slow."""
    return sample if how.composition == "greedy" else _few(sample)


def _few(sample: Pool) -> Pool:
    """Return FEW of many requests."""
    many = sample.shape[0] > FEW
    return sample.rows(np.linspace(0, sample.shape[0] - 1, FEW).astype(int)) if many else sample
