"""The policy that an agent begins with, found by trying a few on whole sessions.

What is clicked now is known from the model of clicks; by how much what was shown or clicked must rest for the sake of
later is not, and differs by orders of magnitude between environments. Six numbers say it (`Start`), and

    slate = greedy by logit P(click) + start · (what the session had of the group, and of the item)

is played for whole sessions, which are dealt to some candidates (`dealt.py`); half-way the best stay, and changed
copies of them join. The model of clicks learns on.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from paretail.policy.agents.dealt import Dealt, Way
from paretail.policy.agents.hands import Hands
from paretail.policy.agents.networks import Scorer
from paretail.policy.agents.sessions import Player, Round

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Candidates at first, and those of them near the plain ones; those that go on; the share of the steps after which
#: changed copies join these, and their number.
_FIRST: Final = 16
_NEAR: Final = 5
_BEST: Final = 4
_HALF: Final = 0.5
_CHANGED: Final = 6
#: Sizes of the plain starts among the first.
_PLAIN: Final = (0.0, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Start:
    """How much the logit of an item falls for each slot of its group shown, and clicked, at one decay; for each slot of
    the group above it in the slate; for the item itself, shown before; and rises where it was clicked then."""

    shown: float = 0.0
    clicked: float = 0.0
    decay: int = 2
    above: float = 0.0
    again: float = 0.0
    liked: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return asdict(self)


def fading(much: float) -> Start:
    """Return the start in which all that was shown rests by one number."""
    return Start(shown=much, above=much, again=2 * much)


def begin(scorer: Scorer, start: Start, unit: float = 1.0) -> Scorer:
    """Add the start to a scorer's scores, times `unit`, and return it."""
    with torch.no_grad():
        rests = torch.tensor([start.shown, start.clicked]) * unit / scorer.slot_weight
        scorer.omega_group[start.decay] = scorer.omega_group[start.decay] - rests
        scorer.above_group.sub_(start.above * unit)
        scorer.own[:, 1] = scorer.own[:, 1] + torch.tensor([-start.again, start.liked]) * unit
    return scorer


def merged(scorer: Scorer, start: Start) -> Scorer:
    """Return a copy that scores by both."""
    return begin(deepcopy(scorer), start)


def drawn(rng: np.random.Generator) -> Start:
    """Return a start of any size."""

    def size(least: float, most: float, none: float) -> float:
        return 0.0 if rng.random() < none else float(np.exp(rng.uniform(np.log(least), np.log(most))))

    return Start(size(0.02, 1, 0.4), size(0.05, 2, 0.4), int(rng.integers(1, 4)), size(0.05, 1.5, 0.3),
                 size(0.3, 5, 0.4), size(0.3, 5, 0.5))  # fmt: skip


def near(start: Start, rng: np.random.Generator) -> Start:
    """Return a start whose sizes are another's times a factor, at a decay of its own."""
    factor = {name: getattr(start, name) * float(np.exp(0.4 * rng.standard_normal())) for name in _SIZES}
    return replace(start, decay=int(rng.integers(1, 4)), **factor)


def changed(start: Start, rng: np.random.Generator) -> Start:
    """Return a start near another, at the same decay, but for one of its numbers, which is drawn anew."""
    anew = str(rng.choice([*_SIZES, "decay"]))
    return replace(near(start, rng), **({"decay": start.decay} | {anew: getattr(drawn(rng), anew)}))


_SIZES: Final = ("shown", "clicked", "above", "again", "liked")


def found(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> tuple[Start, list[Round]]:
    """Play `steps` of all lanes together; return the best start and what was played."""
    candidates = [fading(much) for much in _PLAIN]
    candidates += [
        near(candidates[2 + n % 3], rng) if n < _FIRST // 3 else drawn(rng) for n in range(_FIRST - len(_PLAIN))
    ]
    dealt, ways = Dealt(agent, player, rng), partial(_ways, agent, candidates)
    dealt.join(_FIRST)
    played = dealt.play(int(_HALF * steps), ways)
    dealt.keep(_BEST)
    candidates += [changed(candidates[dealt.active[n % len(dealt.active)]], rng) for n in range(_CHANGED)]
    dealt.join(_CHANGED)
    played += dealt.play(int((1 - _HALF) * steps), ways)
    dealt.keep(1)
    return candidates[dealt.active[0]], played


def greedy(agent: "Agent", start: Start) -> Way:
    """Return the way to fill slates by the model of clicks and a start."""
    hands = Hands(agent.items, agent.eyes, [merged(agent.response.scorer, start)], lambda parts: parts[0])
    return lambda state: hands.composed(state, agent.slots, None)[0]


def _ways(agent: "Agent", candidates: list[Start]) -> Callable[[int], Way]:
    return cache(lambda which: greedy(agent, candidates[which]))
