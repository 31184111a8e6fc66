"""A shop of slates whose truth is exact: 40 contexts, 8 items, slates of 3, so that all 336 slates can be listed.

Three goals have scores g_k(x, i) ~ N(0, 1); a setting w of dials shows slates drawn without replacement with chances
proportional to exp(1.5 sum_k w_k g_k) (Plackett-Luce). The incumbent has w = (.6, .2, .2); the 60 settings are drawn
from a Dirichlet distribution of that mean. An item at position k is attractive with .5 .8^k sigmoid(g_1 - 1). Of two
clients, one clicks what is attractive (`positions`), the other leaves after the first click (`cascade`). The reward is
the clicks of a slate.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from paretail.evaluate.offpolicy import slates
from paretail.evaluate.offpolicy.logged import Values
from paretail.evaluate.offpolicy.terms import Terms

CONTEXTS, ITEMS, SLOTS, SHARP = 40, 8, 3, 1.5
SLATES = np.array(list(permutations(range(ITEMS), SLOTS)))
INCUMBENT = np.array([0.6, 0.2, 0.2])


@dataclass(frozen=True, eq=False)
class Policy:
    """`chance[contexts, slates]`; `steps` given the items above and `marginals`, `[contexts, slates, slots]`."""

    chance: Values
    steps: Values
    marginals: Values


@dataclass(frozen=True, eq=False)
class SlateLog:
    """Which context and slate a row had, and its clicks `[rows, slots]`."""

    context: NDArray[np.int64]
    slate: NDArray[np.int64]
    clicks: Values


class SlateShop:
    """The shop with one kind of client."""

    def __init__(self, client: str) -> None:
        rng = np.random.default_rng(30)
        self.goals = rng.normal(size=(CONTEXTS, ITEMS, 3))
        self.settings = rng.dirichlet(5 * INCUMBENT, size=60)
        likes = 0.5 / (1 + np.exp(1 - self.goals[:, :, 0]))
        self.attracts = likes[:, SLATES] * 0.8 ** np.arange(SLOTS)
        self.stays = client == "positions"
        self.incumbent = self.policy(INCUMBENT)

    def policy(self, dials: Values) -> Policy:
        odds = np.exp(SHARP * self.goals @ dials)[:, SLATES]
        whole = np.exp(SHARP * self.goals @ dials).sum(axis=1)[:, None, None]
        steps = odds / (whole - np.cumsum(odds, axis=2) + odds)
        chance = steps.prod(axis=2)
        marginals = np.empty_like(steps)
        for k in range(SLOTS):
            at = np.stack([np.bincount(SLATES[:, k], row, ITEMS) for row in chance])
            marginals[:, :, k] = at[:, SLATES[:, k]]
        return Policy(chance, steps, marginals)

    def truth(self, policy: Policy) -> float:
        seen = np.ones_like(self.attracts)
        if not self.stays:
            seen[:, :, 1:] = np.cumprod(1 - self.attracts, axis=2)[:, :, :-1]
        return float((policy.chance * (seen * self.attracts).sum(axis=2)).sum(axis=1).mean())

    def log(self, rows: int, rng: np.random.Generator) -> SlateLog:
        context = rng.integers(CONTEXTS, size=rows)
        ends = np.cumsum(self.incumbent.chance, axis=1)[:, :-1]
        slate = np.array([np.searchsorted(ends[c], u) for c, u in zip(context, rng.random(rows), strict=True)])
        clicks = (rng.random((rows, SLOTS)) < self.attracts[context, slate]).astype(float)
        if not self.stays:
            clicks *= np.cumsum(clicks, axis=1) == clicks  # nothing after the first
        return SlateLog(context, slate, clicks)

    def pseudo_weights(self, policy: Policy) -> Values:
        """Return `[contexts, slates]`."""
        pairs = zip(self.incumbent.chance, policy.chance, strict=True)
        return np.stack([slates.listed_weights(SLATES, logged, asked) for logged, asked in pairs])


def estimates(log: SlateLog, logged: Policy, asked: Policy, pseudo: Values) -> dict[str, tuple[Terms, Values]]:
    """Return the terms of each estimator and the weights that its guards look at."""
    at = (log.context, log.slate)
    steps, marginals = asked.steps[at] / logged.steps[at], asked.marginals[at] / logged.marginals[at]
    whole = pseudo[at]
    return {
        "standard": (slates.standard(log.clicks, steps), steps.prod(axis=1)),
        "item_position": (slates.item_position(log.clicks, marginals), marginals),
        "cascade": (slates.cascade(log.clicks, steps), np.cumprod(steps, axis=1)),
        "pseudo_inverse": (slates.pseudo_inverse(log.clicks.sum(axis=1), whole), whole),
    }
