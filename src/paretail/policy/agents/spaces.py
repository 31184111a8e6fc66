"""Observation and action spaces: what an agent accepts, and observations as flat rows of numbers.

A row has two forms. `raw` holds every number of the observation in the order of the space, for reading clicks from it.
`features` is what networks see: item rows are left out (an agent knows its own slates, and a row number is no
quantity), what holds one number an item is projected onto the items' features, and categories become flags.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.policy.agents import AgentError

Values = NDArray[np.float32]
#: Discrete spaces up to this size become flags.
_FLAGS: Final = 64
_BIG: Final = 1e6


@dataclass(frozen=True)
class Leaf:
    """One array of an observation: its keys, the numbers in it, and how networks see it."""

    keys: tuple[Any, ...]
    size: int
    form: str
    flags: int = 0
    #: Of `by item`: how many numbers each item has, and whether those of one item stand together.
    planes: int = 1
    together: bool = False


def leaves_of(space: spaces.Space[Any], items: int, keys: tuple[Any, ...] = ()) -> list[Leaf]:
    """Return the arrays of an observation; raises AgentError (AGENT-02) for a space that agents cannot read."""
    if isinstance(space, spaces.Dict):
        return [leaf for key, inner in space.spaces.items() for leaf in leaves_of(inner, items, (*keys, key))]
    if isinstance(space, spaces.Tuple):
        return [leaf for key, inner in enumerate(space.spaces) for leaf in leaves_of(inner, items, (*keys, key))]
    if isinstance(space, spaces.Discrete):
        start, end = int(space.start), int(space.start + space.n)
        if items > _FLAGS and end in (items, items + 1):
            return [Leaf(keys, 1, "rows")]
        small = start == 0 and space.n <= _FLAGS
        return [Leaf(keys, 1, "flags", int(space.n)) if small else Leaf(keys, 1, "numbers")]
    if isinstance(space, spaces.MultiBinary):
        return [Leaf(keys, int(np.prod(space.shape)), "numbers")]
    if isinstance(space, spaces.MultiDiscrete):
        rows = items > _FLAGS and bool((space.nvec >= items).all() and (space.nvec <= items + 1).all())
        return [Leaf(keys, int(np.prod(space.shape)), "rows" if rows else "numbers")]
    if isinstance(space, spaces.Box):
        size = int(np.prod(space.shape))
        whole = np.issubdtype(space.dtype, np.integer)
        rows = items > _FLAGS and whole and bool(size) and space.high.max() in (items - 1, items)
        if not rows and items > _FLAGS and size and size % items == 0:
            together = len(space.shape) > 1 and space.shape[0] == items and space.shape[-1] != items
            return [Leaf(keys, size, "by item", 0, size // items, together)]
        return [Leaf(keys, size, "rows" if rows else "numbers")]
    raise AgentError(
        Problem(
            "AGENT-02", f"the observation space is {space}",
            "Expected Box, Discrete, MultiBinary, MultiDiscrete, or Dict or Tuple of these",
            "Wrap the environment (gymnasium.ObservationWrapper)",
        )
    )  # fmt: skip


class Reader:
    """Turns observations, one or a batch, into rows of numbers."""

    def __init__(self, space: spaces.Space[Any], phi: Values) -> None:
        self.space, self.phi, self.leaves = space, phi, leaves_of(space, len(phi))
        self.width = sum(self._width(leaf) for leaf in self.leaves)
        self.raw_width = sum(leaf.size for leaf in self.leaves)

    def lanes(self, observation: Any) -> int:
        """Return of how many sessions a batch of observations is: the length of its first array."""
        for key in self.leaves[0].keys if self.leaves else ():
            observation = observation[key]
        return len(observation)

    def raw(self, observation: Any, lanes: int) -> Values:
        """Return `[lanes, raw_width]`; raises AgentError (AGENT-03) where the observation does not fit the space."""
        parts = [self._part(observation, leaf, lanes) for leaf in self.leaves]
        row = np.concatenate(parts, axis=1) if parts else np.zeros((lanes, 0), np.float32)
        if not np.isfinite(row).all():
            raise self._unfit(f"one that holds {row[~np.isfinite(row)][0]}")
        return row

    def features(self, raw: Values) -> Values:
        """Return `[lanes, width]`: what networks see of rows from `raw`."""
        parts, at = [np.zeros((len(raw), 0), np.float32)], 0
        for leaf in self.leaves:
            part, at = raw[:, at : at + leaf.size], at + leaf.size
            if leaf.form == "flags":
                parts.append(np.eye(leaf.flags, dtype=np.float32)[part[:, 0].astype(int)])
            elif leaf.form != "rows":
                parts.append(self._projected(part, leaf) if leaf.form == "by item" else part)
        return np.concatenate(parts, axis=1)

    def _width(self, leaf: Leaf) -> int:
        by_form = {"rows": 0, "numbers": leaf.size, "flags": leaf.flags, "by item": leaf.planes * self.phi.shape[1]}
        return int(by_form[leaf.form])

    def _projected(self, part: Values, leaf: Leaf) -> Values:
        shape = (len(part), len(self.phi), leaf.planes) if leaf.together else (len(part), leaf.planes, len(self.phi))
        planes = part.reshape(shape).transpose(0, 2, 1) if leaf.together else part.reshape(shape)
        return (planes @ self.phi).reshape(len(part), -1)

    def _part(self, observation: Any, leaf: Leaf, lanes: int) -> Values:
        found = observation
        try:
            for key in leaf.keys:
                found = found[key]
            rows = np.asarray(found, dtype=np.float32).reshape(lanes, leaf.size)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self._unfit(f"{_told(observation)} ({type(error).__name__}: {error})") from None
        if leaf.form == "flags" and not ((rows >= 0) & (rows < leaf.flags)).all():
            raise self._unfit(f"one that holds {rows.min():g} to {rows.max():g}")
        return np.clip(rows, -_BIG, _BIG) if np.isfinite(rows).all() else rows

    def _unfit(self, found: str) -> AgentError:
        return AgentError(
            Problem("AGENT-03", f"the observation is {found}", f"Expected one of {self.space}",
                    "Give the agent observations of the environment that it was made for")
        )  # fmt: skip


def slots_of(space: spaces.Space[Any], items: int, slots: int) -> bool:
    """Return whether actions are single numbers; raises AgentError (AGENT-04) where the space takes no such slates."""
    if isinstance(space, spaces.Discrete) and slots == 1 and space.n == items and space.start == 0:
        return True
    if isinstance(space, spaces.MultiDiscrete) and space.shape == (slots,) and (space.nvec == items).all():
        return False
    box = isinstance(space, spaces.Box) and space.shape == (slots,) and np.issubdtype(space.dtype, np.integer)
    if box and _holds(space, items):
        return False
    raise AgentError(
        Problem(
            "AGENT-04", f"the action space is {space}",
            f"Expected slates of this agent: {'Discrete(' + str(items) + ') or ' if slots == 1 else ''}"
            f"MultiDiscrete([{items}] * {slots})",
            "Make the agent with the item vectors and slate_size of this environment",
        )
    )  # fmt: skip


def _holds(space: Any, items: int) -> bool:
    """Return whether the bounds of a Box hold the rows of all items."""
    return bool((space.low <= 0).all() and (space.high >= items - 1).all())


def same(one: spaces.Space[Any], other: spaces.Space[Any]) -> bool:
    """Return whether observations of one space can be read as those of the other: shapes and kinds, not bounds."""
    if isinstance(one, spaces.Dict) and isinstance(other, spaces.Dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, spaces.Discrete) and isinstance(other, spaces.Discrete):
        return bool(one.n == other.n)
    return type(one) is type(other) and one.shape == other.shape


def _told(observation: Any) -> str:
    if isinstance(observation, Mapping):
        return "a mapping of " + ", ".join(f"{key} {np.shape(value)}" for key, value in observation.items())
    return f"of shape {np.shape(observation)}"
