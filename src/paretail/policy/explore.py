"""Exploration: slates drawn at random near the best, with the exact probability of what was drawn.

    P(i at slot j | slots before) = exp(g_i / τ) / Σ_c exp(g_c / τ),   P(slate) = Π_j P(i_j at j | before)

g_i is the marginal gain of candidate i for the slate so far, over candidates that the rules leave free: the
Plackett-Luce model (R. L. Plackett, "The analysis of permutations", Applied Statistics 24(2), 1975,
doi:10.2307/2346567) where no goal depends on the other items. Draws are by Gumbel noise (W. Kool, H. van Hoof, M.
Welling, "Stochastic beams and where to find them", ICML 2019, arXiv:1903.06059): argmax of g / τ + noise. τ is solved
on a sample of requests, so that exploring costs a given share of the expected clicks, or of a goal that is asked for
(`temperature`); what drawn slates bring is told by `changed`.

Where rules may clash, only what leaves a slate to be filled that breaks no more of them is drawn from (`rules.Ahead`).
Deviations: 1. Gains may depend on the slate so far. 2. What is drawn keeps its slot: no passes follow. A pinned item
has probability 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.policy.compositions import GREEDY, How
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool
from paretail.policy.rules import Free, Rules
from paretail.policy.slate import NO_RULES, Goals, Total, arranged, compose, forward

#: Steps of the search for a temperature, and its bounds as parts of the spread of gains.
HALVINGS: Final = 18
#: Draws of a sample over which what drawing changes is averaged.
DRAWS: Final = 4
COOLEST, HOTTEST = 1e-4, 30.0
TINY: Final = 1e-300


@dataclass(frozen=True, eq=False)
class Drawn:
    """Slates `places[users, slots]`; `propensity[users, slots]` is given the slots before, 1 where a slot is empty."""

    places: Rows
    propensity: NDArray[np.float64]


def draw(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], k: int, temperature: float,
         rng: np.random.Generator, rules: Rules = NO_RULES, how: How = GREEDY) -> Drawn:  # fmt: skip
    """Draw one slate for each user; `temperature` is in units of the weighted gain, 0 draws the best for sure."""
    total = arranged(Total(pool, goals, weights, k, rules), pool, k, how)
    free = forward(pool, goals, weights, k, rules)
    places = np.full((pool.shape[0], k), -1, np.int32)
    propensity = np.ones((pool.shape[0], k))
    for slot in range(k):
        scores = (total.at(slot) + free.at(slot)).astype(np.float64)
        there = np.isfinite(scores).any(axis=1)
        log_p = _log_softmax(scores, temperature)
        chosen = (log_p + rng.gumbel(size=log_p.shape)).argmax(1).astype(np.int32)
        pinned = free.pinned[slot]
        places[:, slot] = np.where(pinned >= 0, pinned, np.where(there, chosen, -1))
        drawn = there & (pinned < 0)
        propensity[drawn, slot] = np.exp(log_p[drawn, chosen[drawn]])
        total.add(places[:, slot], slot)
        free.add(places[:, slot], slot)
    return Drawn(places, propensity)


def likelihood(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], temperature: float, places: Rows,
               rules: Rules = NO_RULES, how: How = GREEDY) -> NDArray[np.float64]:  # fmt: skip
    """Return the probability `[users, slots]` with which `draw` puts `places` there, given the slots before."""
    k = places.shape[1]
    total = arranged(Total(pool, goals, weights, k, rules), pool, k, how)
    free = forward(pool, goals, weights, k, rules)
    found = np.ones(places.shape)
    for slot in range(k):
        log_p = _log_softmax((total.at(slot) + free.at(slot)).astype(np.float64), temperature)
        mine = places[:, slot]
        told = (mine >= 0) & (free.pinned[slot] < 0)
        found[told, slot] = np.exp(log_p[told, mine[told]])
        total.add(mine, slot)
        free.add(mine, slot)
    return found


def chances(pool: Pool, goals: Goals, weights: Mapping[str, float | Values], k: int, temperature: float,
            rng: np.random.Generator, draws: int, how: How = GREEDY) -> NDArray[np.float32]:  # fmt: skip
    """Return how probable each candidate is at each slot `[users, k, cands]`, whatever `draw` puts above it.

    The mean over `draws` slates of what is exact given the slots above. Cost: about `draws` times that of `draw`.
    """
    users, cands = pool.shape
    found, row = np.zeros((users, k, cands), np.float32), np.arange(users)
    for _ in range(draws):
        total, free = arranged(Total(pool, goals, weights, k, NO_RULES), pool, k, how), Free(pool, NO_RULES, k)
        for slot in range(k):
            p = np.exp(_log_softmax((total.at(slot) + free.at(slot)).astype(np.float64), temperature))
            found[:, slot] += p
            mass = p.cumsum(axis=1)
            chosen = (mass <= rng.random((users, 1)) * mass[:, -1:]).sum(axis=1)
            there = (chosen < cands) & (p[row, np.minimum(chosen, cands - 1)] > 0)
            places = np.where(there, chosen, -1).astype(np.int32)
            total.add(places, slot)
            free.add(places, slot)
    return found / np.float32(draws)


def temperature(pool: Pool, goals: Goals, weights: Mapping[str, float], k: int, share: float, seed: int = 0,
                how: How = GREEDY, spans: Mapping[str, float] = MappingProxyType({})) -> float:  # fmt: skip
    """Return τ at which exploring costs `share` of the expected clicks of `pool`'s slates, against the coolest draw.

    `spans[goal]` is how far a goal goes that is asked for: it loses that share of its value or span, whichever is
    more, at most. Found by halving on common random numbers; the hottest where even that costs less.
    """
    if share <= 0:
        return 0.0
    spread = _spread(pool, goals, weights, k, how)

    def means(tau: float) -> Values:
        places = draw(pool, goals, weights, k, tau, np.random.default_rng(seed), how=how).places
        clicks = (pool.at(pool.p_click, places) @ pool.attention[:k]).mean()
        return np.array([clicks, *(goals[name].value(pool, places).mean() for name in spans)])

    best = means(0.0)
    least = best - share * np.maximum(np.abs(best), [0.0, *spans.values()])
    low, high = np.log(COOLEST), np.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if (means(spread * float(np.exp(middle))) >= least).all() else (low, middle)
    return spread * float(np.exp(low))


def changed(pool: Pool, goals: Goals, weights: Mapping[str, float], k: int, temperature: float,
            how: How = GREEDY) -> dict[str, float]:  # fmt: skip
    """Return by how much the mean value of each goal is another where slates are drawn than where they are composed."""
    rng, best = np.random.default_rng(1), compose(pool, goals, weights, k, how=how)
    drawn = [draw(pool, goals, weights, k, temperature, rng, how=how).places for _ in range(DRAWS)]
    return {
        name: float(np.mean([goal.value(pool, places).mean() for places in drawn]) - goal.value(pool, best).mean())
        for name, goal in goals.items()
    }


def _spread(pool: Pool, goals: Goals, weights: Mapping[str, float], k: int, how: How) -> float:
    """Return the usual deviation of gains among a user's candidates."""
    scores = arranged(Total(pool, goals, weights, k, NO_RULES), pool, k, how).at(0)
    kept = np.where(pool.valid, scores, np.nan)
    return float(np.nanmean(np.nanstd(kept, axis=1))) or 1.0


def _log_softmax(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return log probabilities by row; of a row without candidates all -inf. At 0 the best (first of equals) has 1."""
    best = scores.max(axis=1, keepdims=True)
    best = np.where(np.isfinite(best), best, 0.0)
    if temperature <= 0:
        first = np.arange(scores.shape[1]) == scores.argmax(1)[:, None]
        return np.where(first & np.isfinite(scores), 0.0, -np.inf)
    heat = (scores - best) / temperature
    return np.asarray(heat - np.log(np.maximum(np.exp(heat).sum(axis=1, keepdims=True), TINY)))
