"""What a caller wants of goals: dials, a goal to maximise while others are kept, or a preset by name.

As JSON `{"dial": {"revenue": 0.7, "diversity": 0.3}}`, `{"maximise": "diversity", "keep": {"revenue": ">= -2%"}}`,
`{"preset": "spring"}`; as a line `revenue=0.7,diversity=0.3`, `maximise=diversity,revenue>=-2%`, `preset=spring`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, field_validator, model_validator

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem, nearest
from paretail.policy import PolicyError

_BOUND: Final = re.compile(r"\s*>=\s*([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*(%?)\s*", re.ASCII)
_TERM: Final = re.compile(r"\s*([A-Za-z_][\w.:]*)\s*(>=|=)\s*(.+?)\s*", re.ASCII)
EXPECTED: Final = "Expected dials such as revenue=0.5,diversity=0.2, or maximise=diversity,revenue>=-2%, or preset=NAME"


@dataclass(frozen=True)
class Bound:
    """The least value of a goal: in its own unit, or, where `relative`, a change of what is served without goals."""

    least: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> "Bound":
        """Read `>= -2%` or `>= 0.3`; raises ValueError."""
        found = _BOUND.fullmatch(text)
        if found is None:
            raise ValueError("a bound such as '>= -2%' (of what is served without goals) or '>= 0.3' (in its unit)")
        percent = found[2] == "%"
        return cls(float(found[1]) / (100 if percent else 1), percent)

    def text(self, per: float = 1.0) -> str:
        """Return the bound as it is asked for, in a unit of which there are `per` in that of this one."""
        return f">= {100 * self.least:.12g}%" if self.relative else f">= {per * self.least:.12f}"

    def of(self, today: float) -> float:
        """Return the least value in the goal's own unit."""
        return today + self.least * abs(today) if self.relative else self.least


#: What is served without goals, `[policy] base`, where settings are named.
TODAY: Final = "today"


class Goals(Config):
    """One setting of the goals: exactly one of `dial`, `maximise` (with `keep`) and `preset`."""

    dial: dict[str, float] | None = Field(
        None, description="Goals and how far each is turned up: the fraction of its reachable range, 0 to 1."
    )
    maximise: str | None = Field(None, description="The goal of which as much as possible is wanted.")
    keep: dict[str, str] = Field(
        default_factory=dict,
        description="Least values of other goals, such as '>= -2%' of what is served without goals.",
    )
    preset: str | None = Field(None, description="The name of a setting in `[policy.presets]`.")

    @field_validator("dial")
    @classmethod
    def _are_fractions(cls, dial: dict[str, float] | None) -> dict[str, float] | None:
        if dial is not None and not dial:
            raise ValueError("one dial at least")
        wrong = [f"{name} = {value}" for name, value in (dial or {}).items() if not 0 <= value <= 1]
        if wrong:
            raise ValueError(f"dials from 0 to 1, not {', '.join(wrong)}")
        return dial

    @field_validator("keep")
    @classmethod
    def _are_bounds(cls, keep: dict[str, str]) -> dict[str, str]:
        for text in keep.values():
            Bound.parse(text)
        return keep

    @model_validator(mode="after")
    def _is_one(self) -> "Goals":
        if sum(part is not None for part in (self.dial, self.maximise, self.preset)) != 1:
            raise ValueError("exactly one of dial, maximise and preset")
        if self.keep and self.maximise is None:
            raise ValueError("keep goes with maximise")
        if self.maximise is not None and self.maximise in self.keep:
            raise ValueError(f"another goal to keep than {self.maximise}, which is maximised")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The goals that are named."""
        wanted = () if self.maximise is None else (self.maximise, *self.keep)
        return (*(self.dial or {}), *wanted)

    @property
    def bounds(self) -> dict[str, Bound]:
        """What `keep` asks for."""
        return {name: Bound.parse(text) for name, text in self.keep.items()}


def read(told: Mapping[str, Any], where: str = "goals") -> Goals:
    """Read goals from plain values; raises PolicyError (POL-03) for what they cannot be."""
    try:
        return Goals.parse(_floats(told), where)
    except ConfigError as error:
        told_apart = [Problem("POL-03", p.found.replace(":  = ", " = "), p.expected, p.do) for p in error.problems]
        raise PolicyError(told_apart) from None


def parse(line: str) -> Goals:
    """Read goals from a line; raises PolicyError (POL-03), for what is told twice too."""
    told: dict[str, Any] = {}
    terms = set()
    for part in line.split(","):
        term = _TERM.fullmatch(part)
        if term is None:
            raise _unreadable(line)
        name, sign, value = term.groups()
        if (name, sign) in terms:
            raise PolicyError(Problem("POL-03", f"the goals {line!r} tell {name} twice", EXPECTED, "Keep one of them"))
        terms.add((name, sign))
        if sign == ">=":
            told.setdefault("keep", {})[name] = f">= {value}"
        elif name in ("maximise", "preset"):
            told[name] = value
        else:
            told.setdefault("dial", {})[name] = _number(value, line)
    return read(told, line)


def resolved(goals: Goals, presets: Mapping[str, Goals]) -> Goals:
    """Return what a preset means; raises PolicyError (POL-04) for one that does not exist."""
    if goals.preset is None:
        return goals
    if goals.preset not in presets:
        expected = f"Expected {nearest(goals.preset, presets)}" if presets else "The bundle has no presets"
        do = "Name one of [policy.presets], or add it there and train again"
        raise PolicyError(Problem("POL-04", f"the preset {goals.preset!r} is unknown", expected, do))
    return resolved(presets[goals.preset], {name: other for name, other in presets.items() if name != goals.preset})


def _floats(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same with whole numbers as dials understood: JSON tells 1 for 1.0."""
    dial = told.get("dial")
    if not isinstance(dial, Mapping):
        return dict(told)
    numbers = {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in dial.items()}
    return {**told, "dial": numbers}


def _number(text: str, line: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _unreadable(line) from None


def _unreadable(line: str) -> PolicyError:
    return PolicyError(Problem("POL-03", f"the goals {line!r} cannot be read", EXPECTED, "Correct them"))
