"""The policy that an agent begins with, found by trying a few on whole sessions.

What is clicked now is known from the model of clicks; by how much what was shown or clicked must rest for the sake of
later is not, and differs by orders of magnitude between environments. A few numbers say it (`Start`), and

    slate = greedy by logit P(click) + start · (what the session had of the group, and of the item)

is played for whole sessions, which are dealt to some candidates (`dealt.py`). On the way the best stay, and others
join: first those with a rule of rests that what was played speaks for (`rests.py`), then changed copies of the best.
The model of clicks learns on.
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
from paretail.policy.agents.rests import LAST, WITHIN, Rule, proposed
from paretail.policy.agents.sessions import Player, Round

if TYPE_CHECKING:
    from paretail.policy.agents.base import Agent

#: Candidates at first; those that go on; the share of the steps before others join: rules, then changed copies, and how
#: many do.
_FIRST: Final = 16
_BEST: Final = 4
_HALF: Final = 0.5
_RULES: Final = 4
_CHANGED: Final = 6
#: What a click above a rule takes from a logit: more than tastes differ by. What a draw of tastes is measured by.
SLOPE: Final = 8.0
_TASTE: Final = 4.0
#: Draws of tastes in some starts: about the spread of a click that is seldom.
DOUBT: Final = 0.25
#: Sizes of the plain starts among the first.
_PLAIN: Final = (0.0, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Start:
    """How much the logit of an item falls for each slot of its group shown, and clicked, at one decay; for each slot of
    the group above it in the slate; for the item itself, shown before; and rises where it was clicked then.

    `doubt`: by how many standard deviations tastes are drawn, slate by slate, from what is believed of them. `most`
    (0: no rule): clicks on a group among the `last` within so many steps, and `each` for its slots in the slate, at
    most.
    """

    shown: float = 0.0
    clicked: float = 0.0
    decay: int = 2
    above: float = 0.0
    again: float = 0.0
    liked: float = 0.0
    doubt: float = 0.0
    each: float = 1.0
    most: int = 0
    last: int = 0
    within: int = 0

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
        scorer.doubt.add_(_TASTE * start.doubt * unit)
    if start.most:
        scorer.rest(start.most, start.last, start.within, start.each, SLOPE * unit)
    return scorer


def merged(scorer: Scorer, start: Start) -> Scorer:
    """Return a copy that scores by both."""
    return begin(deepcopy(scorer), start)


def drawn(rng: np.random.Generator) -> Start:
    """Return a start of any size."""

    def size(least: float, most: float, none: float) -> float:
        return 0.0 if rng.random() < none else float(np.exp(rng.uniform(np.log(least), np.log(most))))

    return Start(size(0.02, 1, 0.4), size(0.05, 2, 0.4), int(rng.integers(1, 4)), size(0.05, 1.5, 0.3),
                 size(0.3, 5, 0.4), size(0.3, 5, 0.5), size(0.05, 0.6, 0.7))  # fmt: skip


def near(start: Start, rng: np.random.Generator) -> Start:
    """Return a start whose sizes are another's times a factor, at a decay of its own."""
    factor = {name: getattr(start, name) * float(np.exp(0.4 * rng.standard_normal())) for name in _SIZES}
    return replace(start, decay=int(rng.integers(1, 4)), **factor)


def changed(start: Start, rng: np.random.Generator) -> Start:
    """Return a start near another, at the same decay, but for one of its numbers, or its rule, which is drawn anew."""
    fresh = replace(near(start, rng), decay=start.decay)
    if start.most and rng.random() < 0.5:
        last, within = (int(rng.choice(sizes)) for sizes in (LAST, WITHIN))
        most = max(1, start.most + int(rng.integers(-1, 2)))
        anew = {"last": last} if rng.random() < 0.5 else {"within": within}
        return replace(fresh, most=most, each=float(rng.uniform(0.4, 1)), **anew)
    name = str(rng.choice([*_SIZES, "decay"]))
    return replace(fresh, **{name: getattr(drawn(rng), name)})


_SIZES: Final = ("shown", "clicked", "above", "again", "liked", "doubt")


def found(agent: "Agent", player: Player, steps: int, rng: np.random.Generator) -> tuple[Start, list[Round]]:
    """Play `steps` of all lanes together; return the best start and what was played."""
    first = [fading(much) for much in _PLAIN]
    first += [near(first[2 + n % 3], rng) if n < _FIRST // 3 else drawn(rng) for n in range(_FIRST - len(_PLAIN))]
    candidates: list[Start] = []
    played: list[Round] = []
    dealt, ways = Dealt(agent, player, rng), partial(_ways, agent, candidates)

    def join(more: list[Start], share: float) -> list[Start]:
        candidates.extend(more)
        dealt.join(len(more))
        played.extend(dealt.play(int(share * steps), ways))
        dealt.keep(_BEST)
        return [candidates[which] for which in dealt.active]

    best = join(first, _HALF)
    if rules := ruled(agent, played, best[0]):
        best = join(rules, _HALF / 2)
    share = _HALF / 2 if rules else _HALF
    return join([changed(best[n % len(best)], rng) for n in range(_CHANGED)], share)[0], played


def ruled(agent: "Agent", played: list[Round], best: Start) -> list[Start]:
    """Return starts with the rules of rests that what was played speaks for, alone and beside the best so far."""
    rules = proposed(agent, played, _RULES)

    def under(start: Start, rule: Rule) -> Start:
        most, last, within = rule
        return replace(start, most=most, last=last, within=within)

    plain = [under(Start(), rule) for rule in rules]
    return plain + [under(start, rule) for rule in rules[:1] for start in (Start(doubt=DOUBT), best)]


def greedy(agent: "Agent", start: Start) -> Way:
    """Return the way to fill slates by the model of clicks and a start."""
    hands = Hands(agent.items, agent.eyes, [merged(agent.response.scorer, start)], lambda parts: parts[0])
    return lambda state: hands.composed(state, agent.slots, None)[0]


def _ways(agent: "Agent", candidates: list[Start]) -> Callable[[int], Way]:
    return cache(lambda which: greedy(agent, candidates[which]))
