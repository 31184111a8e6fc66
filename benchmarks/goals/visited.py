"""Forecasts against the truth of the visited shop (`sim/visits.py`): one slate a visit, logged with exact odds.

A shop's ranker is off: its logits of clicks and purchases have errors by pair and item and a shift, its order values
a factor. Its slates of ten from each user's hundred best are drawn near the best at an exploring share of the clicks.
Forecasts are made by `pipeline/forecast.py` as `paretail forecast` makes them; the truth of a setting, drawn as it
would be served, is computed (`Visits.chances`), and knows what the estimator does not: an item is clicked less below
others of its category. `released`: settings go through `Forecasts.release` on such a log, worse and better in truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.rng import rng_for
from paretail.data.types import History
from paretail.pipeline.forecast import TOLD, Forecasts
from paretail.pipeline.listed import Lists
from paretail.policy.compositions import GREEDY
from paretail.policy.config import PolicyConfig
from paretail.policy.dials import Dials, Setting
from paretail.policy.explore import draw, temperature
from paretail.policy.exposure import Exposures
from paretail.policy.goals import Goals
from paretail.policy.objectives import Objective, objective
from paretail.policy.pool import Pool, Wares
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import State, VisitConfig, Visits

USERS, ITEMS, CANDS, SLOTS, LISTS = 500, 300, 100, 10, 10_000
EXPLORE = 0.05
#: Draws over which the truth of a setting is averaged, and users on whom temperatures are solved.
DRAWN, FEW = 8, 128
#: Settings that ask the gate, the goals by which each is judged, the margin, and from when on one is good.
TRIED = (("clicks", 0.5), ("clicks", 0.6), ("clicks", 0.7), ("purchases", 0.3), ("revenue", 0.3), ("profit", 0.2),
         ("profit", 0.3), ("profit", 0.35))  # fmt: skip
JUDGED, MARGIN, BETTER = ("clicks", "profit"), 0.02, 0.03
#: Places of clicks, kept purchases, revenue and profit among the goals of the simulator.
PLACES = {"clicks": 0, "purchases": 1, "revenue": 2, "profit": 3}


@dataclass(eq=False)
class Steered:
    """What `Forecasts` asks of a bundle's steering."""

    available: dict[str, Objective[Any]]
    pool: Pool
    how = GREEDY
    base: Mapping[str, float] = field(default_factory=lambda: {"clicks": 1.0, "purchases": 1.0, "revenue": 1.0})
    config: PolicyConfig = field(default_factory=lambda: PolicyConfig(explore=EXPLORE))
    _heats: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dials = Dials(self.pool, self.available, self.base, SLOTS)

    def setting(self, goals: Goals | None, segment: str, k: int) -> Setting:
        return self.dials.today if goals is None else self.dials.setting(goals)

    def heat(self, goals: Goals | None, segment: str, k: int, share: float) -> float:
        name = "" if goals is None else goals.model_dump_json()
        if name not in self._heats:
            weights, few = self.setting(goals, segment, k).weights, self.pool.rows(np.arange(FEW))
            self._heats[name] = temperature(few, self.available, weights, k, share)
        return self._heats[name]

    def segments(self, history: History) -> NDArray[np.intp]:
        return np.zeros(history.users, np.intp)

    def goal(self, name: str) -> Objective[Any]:
        return self.available[name]

    def per(self, name: str) -> float:
        return 100.0 if self.available[name].money else 1.0


class VisitedShop:
    """One shop, its wrong ranker, and a log of what it showed."""

    def __init__(self, seed: int) -> None:
        truth = grow(SimConfig(users=USERS, items=ITEMS), rng_for("sim/truth", seed))
        self.shop = Visits(truth, VisitConfig(longest=1, slots=SLOTS))
        self.users = self.shop.start(np.arange(USERS, dtype=np.int32))
        rng = rng_for("benchmarks/goals/forecasts", seed)
        goals = {name: objective(name) for name in ("clicks", "purchases", "revenue", "profit", "diversity")}
        pool = _pool(self.shop, self.users, rng)
        steering = Steered(goals, pool)
        self.forecasts = self._log(steering, pool, rng)

    def truth(self, goals: Goals | None) -> dict[str, float]:
        """Return what a setting brings in truth, drawn as it is served, a list of the log."""
        steering, pool = self.forecasts.steering, self.forecasts.pool
        weights, heat = steering.setting(goals, "", SLOTS).weights, steering.heat(goals, "", SLOTS, EXPLORE)
        worth: Any = 0.0
        for seed in range(DRAWN):
            drawn = draw(pool, steering.available, weights, SLOTS, heat, rng_for("benchmarks/goals/truth", seed))
            worth = worth + self.shop.chances(self.users, pool.items(drawn.places)).goals() / DRAWN
        worth = worth[self.forecasts.user].mean(axis=0)
        return {name: float(worth[place]) for name, place in PLACES.items()}

    def _log(self, steering: Steered, pool: Pool, rng: np.random.Generator) -> Forecasts:
        weights = steering.dials.today.weights
        heat = steering.heat(None, "", SLOTS, EXPLORE)
        user = np.sort(rng.integers(0, USERS, LISTS))
        drawn = draw(pool.rows(user), steering.available, weights, SLOTS, heat, rng)
        shown = pool.rows(user).items(drawn.places)
        brought = _lived(self.shop, self.users.pick(user), shown, rng)
        ids = pl.Series([f"u{one}" for one in user.tolist()])
        never = np.ones(ITEMS, bool)
        never[shown[shown >= 0]] = False
        lists = Lists(ids, shown, drawn.propensity, brought)
        return Forecasts(steering, lists, pool, user.astype(np.int64), never)  # type: ignore[arg-type]  # all it asks


def _lived(shop: Visits, state: State, slate: NDArray[np.int32], rng: np.random.Generator) -> dict[str, Any]:
    """Return what happened at each place of each list: clicks, kept purchases, money and margin in minor units."""
    chances = shop.chances(state, slate)
    clicked = rng.random(slate.shape) < chances.click
    kept = clicked & (rng.random(slate.shape) < chances.buy) & (rng.random(slate.shape) >= chances.back)
    money = 100 * kept * chances.worth
    return {"clicks": clicked.astype(float), "purchases": kept.astype(float), "revenue": money,
            "profit": money * chances.margin}  # fmt: skip


def _pool(shop: Visits, state: State, rng: np.random.Generator) -> Pool:
    """Return each user's candidates with what a ranker that is off says of them."""
    tastes, shape = state.tastes, (USERS, ITEMS)

    def off(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        wrong = 0.3 * rng.normal(size=shape) + 0.2 * rng.normal(size=ITEMS) + 0.15 * rng.normal()
        return np.asarray(1 / (1 + np.exp(-(logits + wrong))))

    p_click = off(tastes.appeal)
    p_purchase = off(tastes.want - shop.config.anchor * shop.dear)
    value = 100 * tastes.worth * np.exp(0.2 * rng.normal(size=shape))
    best = np.argsort(-(p_click * (1 + 5 * p_purchase)), axis=1)[:, :CANDS].astype(np.int32)
    at = np.arange(USERS)[:, None], best
    goods = shop.truth.goods
    wares = Wares(
        labels={"category": shop.leaf.astype(np.int32)}, parents=np.arange(ITEMS, dtype=np.int32),
        margin=goods.margin.astype(np.float32), kept=np.ones(ITEMS, np.float32),
        seen_by=np.full(ITEMS, 0.1, np.float32), created_ts_ms=np.zeros(ITEMS, np.int64),
        vectors=np.zeros((ITEMS, 4), np.float32),
    )  # fmt: skip
    none = np.zeros(0)
    past = History(np.zeros(USERS + 1, np.int64), none.astype(np.int32), none.astype(np.uint8), none.astype(np.int64),
                   none.astype(np.float32), ("view",), "clock")  # fmt: skip
    told = (each[at].astype(np.float32) for each in (p_click, p_purchase, value))
    return Pool(best, *told, wares, shop.bias, past, 0, Exposures.none(ITEMS))


def held(seeds: int, shares: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return by goal how many of the forecasts of `shares` of five dials are told, and hold the truth."""
    dials = ("clicks", "purchases", "revenue", "profit", "diversity")
    settings = {f"{name}={share:.2f}": Goals(dial={name: share}) for name in dials for share in shares}
    counts = {goal: np.zeros(5) for goal in TOLD}  # told, held, asked, width, held by the model alone within 2 %
    for seed in range(seeds):
        made = VisitedShop(seed)
        truths = {name: made.truth(goals) for name, goals in settings.items()}
        for line in made.forecasts.lines(settings):
            true, told = truths[line.setting][line.goal], line.estimate
            near = abs(line.model / true - 1) < 0.02
            there = not told.refused
            width = (told.high - told.low) / 2 / true if there else 0.0
            counts[line.goal] += there, there and told.low <= true <= told.high, 1, width, near
    return [_row(goal, each, seeds) for goal, each in (counts | {"all": sum(counts.values())}).items()]


def verdicts(seed: int) -> list[tuple[float, str, tuple[str, ...]]]:
    """Return of settings of one shop by goal: how it truly is beside what is live, the verdict, and its guards."""
    made, found = VisitedShop(seed), []
    live = made.truth(None)
    for name, share in TRIED:
        goals = Goals(dial={name: share})
        true = made.truth(goals)
        for goal in JUDGED:
            told = made.forecasts.release(goals, goal, MARGIN)
            found.append((true[goal] / live[goal] - 1, told.verdict, tuple(one.code for one in told.refused)))
    return found


def released(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return how many settings the gate ships that are truly worse than the margin allows, and that are better."""
    every = [one for seed in seeds for one in verdicts(seed)]
    kinds = {
        "bad: worse than the margin": lambda change: change < -MARGIN,
        "between": lambda change: -MARGIN <= change < BETTER,
        "good: better by 3 % and more": lambda change: change >= BETTER,
    }  # fmt: skip
    return [_released(name, [one for one in every if of(one[0])]) for name, of in kinds.items()]


def _released(name: str, those: list[tuple[float, str, tuple[str, ...]]]) -> dict[str, Any]:
    counts = {verdict: sum(one[1] == verdict for one in those) for verdict in ("ship", "experiment", "keep")}
    refused = sum(bool(one[2]) for one in those)
    return {"settings": name, "verdicts": len(those), **counts, "of these experiments: refused by a guard": refused}


def _row(goal: str, counts: NDArray[np.float64], seeds: int) -> dict[str, Any]:
    told, held, asked, width, near = counts
    return {
        "goal": goal, "forecasts": int(asked), "shops": seeds, "told": f"{told / asked:.1%}",
        "hold the truth": f"{held / told:.1%}" if told else "-",
        "half width, of the value": f"{width / told:.1%}" if told else "-",
        "the model's own word within 2 %": f"{near / asked:.1%}",
    }  # fmt: skip
