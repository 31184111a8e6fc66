"""Signals: each says of every item how much a history speaks for it, as a profile times a matrix.

A signal is named `matrix|profile`. Which signals a shop has follows from what its events tell: kinds, time, orders,
attributes, size. Which of them count, and how much, is learned on a split of the events (`retrieve/models/blend.py`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from paretail.core.errors import nearest
from paretail.data.held import Mode
from paretail.data.kinds import FRIEND, PRODUCT
from paretail.retrieve.signals import (
    attributes,
    cooccurrence,
    freshness,
    friends,
    nearness,
    own,
    popularity,
    social,
    spectral,
)
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.matrix import Matrix
from paretail.retrieve.signals.profiles import PROFILES, profile

#: From this share of target events that share user and moment with another on, moments are orders.
BASKET_SHARE: Final = 0.3
#: What a person turned to, where lists hold people.
OF_PRODUCTS: Final = f"about {PRODUCT}"
#: A user's friends.
OF_FRIENDS: Final = "about user"
#: The matrices whose rows are neither items nor one for all, and the profile that each is multiplied with.
ROWS: Final = {
    "pop day": "then",
    "friends had": OF_FRIENDS,
    **dict.fromkeys(("taste", "taste rare", "friends of taste"), OF_PRODUCTS),
}


#: Of more kinds of traits, or blocks of content, the first ones by name have signals.
MOST_TRAITS: Final = 8


@dataclass(frozen=True)
class Setting:
    """What a shop's events tell, and the question asked."""

    kinds: tuple[str, ...]
    ordered: bool
    timed: bool
    baskets: bool
    attributes: bool
    mode: Mode
    people: bool = False
    products: bool = False
    friends: bool = False
    traits: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    fleeting: bool = False

    @classmethod
    def of(cls, ground: Ground, mode: Mode) -> "Setting":
        """Read the setting off the ground."""
        has_attributes, people = ground.attributes is not None, ground.target == FRIEND
        return cls(
            ground.kinds, ground.ordered, ground.timed, has_baskets(ground), has_attributes, mode, people,
            people and PRODUCT in ground.known, "user" in ground.known,
            () if people else tuple(sorted({*ground.known} - {"user"})[:MOST_TRAITS]),
            () if people else tuple(sorted(ground.content)[:MOST_TRAITS]),
            freshness.fleeting(ground),
        )  # fmt: skip

    @property
    def several(self) -> bool:
        """Whether there are kinds beside the target."""
        return len(self.kinds) > 1

    @property
    def in_order(self) -> bool:
        """Whether the order of single events means something: not within the lines of an order."""
        return self.ordered and not self.baskets

    @property
    def clocked(self) -> bool:
        """Whether minutes between events mean something."""
        return self.timed and not self.baskets

    @property
    def main(self) -> tuple[str, ...]:
        """The profiles of a whole history."""
        return ("short", "all") if self.in_order else ("all",)

    @property
    def by_kind(self) -> tuple[str, ...]:
        """The profile of each kind apart, where there are several."""
        return tuple(f"kind {kind}" for kind in self.kinds) if self.several else ()


@dataclass(frozen=True)
class Family:
    """A matrix, and the profiles that it is multiplied with in a setting (none: it is left out)."""

    build: Callable[[Ground], Matrix]
    profiles: Callable[[Setting], tuple[str, ...]]


def _anyone(when: Callable[[Setting], bool]) -> Callable[[Setting], tuple[str, ...]]:
    return lambda at: ("anyone",) if when(at) else ()


#: The matrices by name; those of one kind of event (`own KIND rate`) are made by `family`.
FAMILIES: Final[dict[str, Family]] = {
    "co target": Family(cooccurrence.to_target, lambda at: (*at.main, *at.by_kind)),
    "co all": Family(cooccurrence.to_all, lambda at: (*at.main, *at.by_kind) if at.several else ()),
    "co soft": Family(cooccurrence.softened, lambda at: () if at.several else at.main[:1]),
    "co recent": Family(cooccurrence.to_recent, lambda at: ("all",) if at.timed else ()),
    "after 1": Family(partial(nearness.after, tau_events=1.0), lambda at: ("short", "last") if at.in_order else ()),
    "after 3": Family(partial(nearness.after, tau_events=3.0), lambda at: ("short", "last") if at.in_order else ()),
    "near 2m": Family(partial(nearness.around, tau_minutes=2), lambda at: ("all",) if at.clocked else ()),
    "near 10m": Family(partial(nearness.around, tau_minutes=10), lambda at: ("all", *at.by_kind) if at.clocked else ()),
    "near 1h": Family(partial(nearness.around, tau_minutes=60), lambda at: ("all",) if at.clocked else ()),
    "near 1d": Family(partial(nearness.around, tau_minutes=1440), lambda at: ("all",) if at.clocked else ()),
    "before 1d": Family(partial(nearness.before, tau_days=1.0), lambda at: ("all",) if at.clocked else ()),
    "basket": Family(nearness.basket, lambda at: ("all", "recent") if at.baskets else ()),
    "low pass": Family(spectral.low_pass, lambda at: at.main),
    "regress": Family(spectral.regress, lambda at: at.main if at.several else ()),
    "plateau": Family(spectral.plateau, lambda at: () if at.several or at.ordered else ("all",)),
    "ridge": Family(spectral.ridge, lambda at: () if at.several else ("all",)),
    "alike": Family(attributes.alike, lambda at: at.main[:1] if at.attributes else ()),
    "own": Family(own.same, lambda at: _own_profiles(at)),
    "own demand": Family(own.in_demand, lambda at: ("age 60",) if at.mode == "none" and at.timed else ()),
    "friends had": Family(friends.had, lambda at: (OF_FRIENDS,) if at.friends else ()),
    "mutual": Family(social.mutual, lambda at: ("all",) if at.people else ()),
    "allocation": Family(social.allocation, lambda at: ("all",) if at.people else ()),
    "walk": Family(social.walk, lambda at: ("all",) if at.people else ()),
    "taste": Family(social.taste, lambda at: (OF_PRODUCTS,) if at.products else ()),
    "taste rare": Family(social.taste_rare, lambda at: (OF_PRODUCTS,) if at.products else ()),
    "taste of friends": Family(social.taste_of_friends, lambda at: ("all",) if at.products else ()),
    "friends of taste": Family(social.friends_of_taste, lambda at: (OF_PRODUCTS,) if at.products else ()),
    "pop target": Family(popularity.of_target, _anyone(lambda at: True)),
    "pop all": Family(popularity.of_all, _anyone(lambda at: at.several)),
    "pop 1d": Family(partial(popularity.lately, tau_days=1.0), _anyone(lambda at: at.fleeting)),
    "new 1d": Family(partial(freshness.young, half_life_days=1.0), _anyone(lambda at: at.fleeting)),
    "new 3d": Family(partial(freshness.young, half_life_days=3.0), _anyone(lambda at: at.fleeting)),
    "new 10d": Family(partial(freshness.young, half_life_days=10.0), _anyone(lambda at: at.fleeting)),
    "pop 7d": Family(partial(popularity.lately, tau_days=7.0), _anyone(lambda at: at.timed)),
    "pop 30d": Family(partial(popularity.lately, tau_days=30.0), _anyone(lambda at: at.timed)),
    "pop people 30d": Family(partial(popularity.people_lately, tau_days=30.0), _anyone(lambda at: at.timed)),
    "pop first 30d": Family(partial(popularity.at_first, tau_days=30.0), _anyone(lambda at: at.timed)),
    "pop first 90d": Family(partial(popularity.at_first, tau_days=90.0), _anyone(lambda at: at.timed)),
    "pop day": Family(popularity.by_day, lambda at: ("then",) if at.clocked else ()),
}


def family(name: str) -> Family:
    """Return the family of a matrix's name."""
    if name.startswith("own ") and name.endswith(" rate"):
        kind = name.removeprefix("own ").removesuffix(" rate")
        return Family(partial(own.converting, kind=kind), lambda at: (f"kind {kind}",))
    if name.startswith("among "):
        trait = name.removeprefix("among ")
        return Family(partial(popularity.among, name=trait), lambda at: (f"about {trait}",))
    if name.startswith("like "):
        return Family(partial(attributes.like, name=name.removeprefix("like ")), lambda at: at.main[:1])
    if name not in FAMILIES and (found := re.fullmatch(r"new (\d+(?:\.\d+)?)d", name)) and float(found[1]) > 0:
        return Family(partial(freshness.young, half_life_days=float(found[1])), _anyone(lambda at: at.fleeting))
    return FAMILIES[name]


def check_signal(signal: str) -> None:
    """Raise ValueError where `signal` is no `matrix|profile`, or its profile has other rows than its matrix."""
    matrix, _, name = signal.partition("|")
    try:
        family(matrix)
    except KeyError:
        raise ValueError(f"{signal!r} names no matrix: {nearest(matrix, FAMILIES)}") from None
    try:
        profile(name)
    except (KeyError, ValueError):
        raise ValueError(f"{signal!r} names no profile: {nearest(name, PROFILES)}") from None
    rows = (
        f"about {matrix[6:]}"
        if matrix.startswith("among ")
        else ROWS.get(matrix, "anyone" if matrix.startswith(("pop ", "new ")) else "a profile of items")
    )
    if rows != (name if name in ("then", "anyone") or name.startswith("about ") else "a profile of items"):
        raise ValueError(f"{signal!r}: {matrix!r} is multiplied with {rows}")


def signals_of(at: Setting) -> dict[str, tuple[str, ...]]:
    """Return the matrices of a setting, each with its profiles."""
    found = {name: family.profiles(at) for name, family in FAMILIES.items()}
    if at.mode == "target":
        found |= {f"own {kind} rate": (f"kind {kind}",) for kind in at.kinds[1:]}
    found |= {f"among {name}": (f"about {name}",) for name in at.traits}
    found |= {f"like {name}": at.main[:1] for name in at.content}
    return {name: profiles for name, profiles in found.items() if profiles}


def of_nobody(signals: Iterable[str]) -> list[str]:
    """Return those of the signals that say something of a user without events."""
    return [signal for signal in signals if signal.partition("|")[2].startswith(("anyone", "then", "about "))]


def build(ground: Ground, names: Mapping[str, object]) -> dict[str, Matrix]:
    """Fit the named matrices."""
    return {name: family(name).build(ground) for name in names}


def has_baskets(ground: Ground) -> bool:
    """Say whether target events come as orders of several lines: same user, same moment."""
    if not ground.timed:
        return False
    history = ground.history
    target = history.where(history.kind == history.kinds.index(ground.target))
    user, ts_ms = target.user_idx, target.ts_ms  # a user's events are in order of time
    same = (user[1:] == user[:-1]) & (ts_ms[1:] == ts_ms[:-1])
    together = np.zeros(len(user) + 1, bool)
    together[1:-1] = same
    return bool((together[1:] | together[:-1]).mean() > BASKET_SHARE) if len(user) else False


def _own_profiles(at: Setting) -> tuple[str, ...]:
    if at.mode == "target":
        return at.by_kind[1:]
    if at.mode == "none":
        return ("times", *(("age 60", "age 120", "age 240", "fading") if at.timed else ()), *at.by_kind[1:])
    return ()
