"""How much of a group's a session has clicked lately, and from when on users seem to need a rest from it.

    C_k = clicks on group k among the last `last` clicks of the session, none older than `within` steps
    rule: show so many of k that C_k + each · (slots of k in the slate) does not pass `most`

Boredom often sets in at once: nothing for a while, then all clicks stop. Sums that fade say it badly, and starts at
random rarely hit it. So rules are read off what was played: after the decisions with C_k >= m for some group, O clicks
came where the model of clicks expects E; by Poisson's likelihood ratio (S. S. Wilks, 1938, doi:10.1214/aoms/1177732360)

    gain(m, last, within) = O log(O / E) - (O - E)   for O < E

and the rules of the largest gains, `most` = m - 1, become starts that are tried (`trials.py`). Deviations: 1. Clicks of
one slate count from its top. 2. The model of clicks has learned some of what it lacks already: gains are too small.
"""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from paretail.policy.agents.items import Items
from paretail.policy.agents.sessions import Round, tensors

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Sizes of rules: the newest clicks that count, the steps since, and how many of a group.
LAST: Final = (3, 5, 7, 10, 14, 20, 30)
WITHIN: Final = (2, 3, 4, 5, 7, 10, 14, 20)
MOST: Final = (1, 2, 3, 4, 5, 6, 8, 10)
#: Decisions that rules are read off, at most; clicks expected of those that a rule would have changed, at least.
_DECISIONS: Final = 4000
_EXPECTED: Final = 10.0
#: Gain in nats, at least, for a rule to be tried.
_GAIN: Final = 4.0
Counts = Float[Tensor, "batch groups"]
Rule = tuple[int, int, int]


class Rests(nn.Module):
    """C by a rule's `last` and `within`; without a rule 0."""

    group: Tensor
    rule: Tensor

    def __init__(self, items: Items, slots: int) -> None:
        super().__init__()
        self.groups, self.slots = items.groups, slots
        self.register_buffer("group", torch.from_numpy(np.append(items.group, 0)), persistent=False)
        self.register_buffer("rule", torch.zeros(2, dtype=torch.int64))

    def forward(self, rows: Int[Tensor, "batch kept"], clicked: Float[Tensor, "batch kept"]) -> Counts:
        """Return the clicks on each group that count."""
        last, within = self.rule.tolist()
        if not last or not self.groups:
            return torch.zeros(len(rows), self.groups)
        return self.counts(rows, clicked, last, within)

    def counts(self, rows: Tensor, clicked: Tensor, last: int, within: int) -> Counts:
        """Return C of states whose slots stand newest first; rows of -1 are none."""
        rows, done = rows[:, : within * self.slots].long(), clicked[:, : within * self.slots]
        counted = done * (done.cumsum(1) <= last)
        found: Tensor = torch.zeros(len(rows), self.groups).scatter_add_(1, self.group[rows], counted)
        return found


@torch.no_grad()
def proposed(agent: "Agent", played: Sequence[Round], count: int) -> list[Rule]:
    """Return up to `count` rules `(most, last, within)` that explain clicks that stayed away, best first, one of each
    `most`."""
    rows, clicked, brought, expected = _decisions(agent, played)
    rests = agent.response.scorer.rests
    best: dict[int, tuple[float, Rule]] = {}
    for last, within in product(LAST, WITHIN):
        highest = rests.counts(rows, clicked, last, within).amax(1).numpy()
        for most in MOST:
            above = highest > most
            gain = _gain(float(brought[above].sum()), float(expected[above].sum()))
            if gain > max(_GAIN, best.get(most, (0.0,))[0]):
                best[most] = (gain, (most, last, within))
    return [rule for _, rule in sorted(best.values(), reverse=True)[:count]]


def _gain(happened: float, expected: float) -> float:
    if expected < _EXPECTED or happened >= expected:
        return 0.0
    return float(happened * np.log(max(happened, 1e-9) / expected) - happened + expected)


def _decisions(
    agent: "Agent", played: Sequence[Round]
) -> tuple[Tensor, Tensor, NDArray[np.float64], NDArray[np.float64]]:
    """Return, of the newest decisions, what was shown and clicked before, the clicks that came, and those expected."""
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    count, response = 0, agent.response
    for one in reversed(played):
        assert one.clicks is not None
        which = np.flatnonzero(one.valid.ravel())
        shown, clicks = (part.reshape(-1, agent.slots)[which] for part in (one.rows, one.clicks))
        seen = agent.eyes(tensors(one.states, which))
        expected = (
            response.scorer.at(response.scorer.prepared(seen), torch.from_numpy(shown)) + response.bias
        ).sigmoid()
        parts.append((seen.rows, seen.clicked, torch.from_numpy(clicks.sum(1)), expected.sum(1)))
        if (count := count + len(which)) >= _DECISIONS:
            break
    rows, clicked, brought, told = (torch.cat(part) for part in zip(*parts, strict=True))
    return rows, clicked, brought.double().numpy(), told.double().numpy()
