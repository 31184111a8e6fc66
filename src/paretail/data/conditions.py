"""Conditions: what a filter means, as a frozen tree that can be written out, checked and applied to columns.

Logic is two-valued: a comparison with something unknown is false, and `not` is the complement. So `brand != "x"`, which
is `not brand = "x"`, holds for items without a brand, and `a`, `not a` share out all items between them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
#: What a field holds: text; several texts; a number; true or false; a moment; something that no condition can ask for.
Kind = Literal["text", "list", "number", "flag", "time", "other"]
#: A name that needs no backticks, unless it is one of KEYWORDS.
PLAIN: Final = re.compile(r"[^\W\d]\w*\Z")
KEYWORDS: Final = ("and", "or", "not", "in", "between", "is", "null", "true", "false")


class Column(Protocol):
    """One field of all items."""

    @property
    def kind(self) -> Kind:
        """What it holds."""
        ...

    def known(self, rows: int) -> Mask:
        """Return where the first `rows` items have a value."""
        ...

    def among(self, values: Sequence[Any], rows: int) -> Mask:
        """Return where the value, or one of several, is one of `values`."""
        ...

    def within(self, low: Any, high: Any, open_low: bool, open_high: bool, rows: int) -> Mask:
        """Return where the value lies between `low` and `high`; None: no bound; an open bound is left out itself."""
        ...


@dataclass(frozen=True)
class Field:
    """A field by name: of the item itself first, else of its attributes; with `own` of its attributes alone."""

    name: str
    own: bool = False
    at: int = field(default=0, compare=False)  # where it stands in the text, from 0

    def __str__(self) -> str:
        plain = PLAIN.match(self.name) and self.name.lower() not in KEYWORDS
        name = self.name if plain else "`" + self.name.replace("`", "``") + "`"
        return f"attributes.{name}" if self.own else name


@dataclass(frozen=True)
class Value:
    """What a field is compared with. `kind` tells 1 from true, which Python takes for equal."""

    kind: Literal["text", "number", "flag"]
    value: str | float | bool
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if self.kind == "number":
            return repr(self.value).removesuffix(".0")
        return json.dumps(self.value, ensure_ascii=False)


@dataclass(frozen=True)
class Among:
    """The field has one of these values: `=`, `in`."""

    field: Field
    values: tuple[Value, ...]
    depth = 1

    def __str__(self) -> str:
        return self.told("=", "in")

    def told(self, one: str, several: str) -> str:
        """Write the condition with the operator for one value or for another number of them."""
        if len(self.values) == 1:
            return f"{self.field} {one} {self.values[0]}"
        return f"{self.field} {several} [{', '.join(map(str, self.values))}]"

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        return columns.column(self.field).among([value.value for value in self.values], rows)


@dataclass(frozen=True)
class Within:
    """The field lies between two bounds, or beyond one: `<`, `<=`, `>`, `>=`, `between`."""

    field: Field
    low: Value | None = None
    high: Value | None = None
    open_low: bool = False
    open_high: bool = False
    depth = 1

    def __str__(self) -> str:
        if self.low is None:
            return f"{self.field} {'<' if self.open_high else '<='} {self.high}"
        if self.high is None:
            return f"{self.field} {'>' if self.open_low else '>='} {self.low}"
        return f"{self.field} between {self.low} and {self.high}"

    @property
    def values(self) -> tuple[Value, ...]:
        """Its bounds."""
        return tuple(bound for bound in (self.low, self.high) if bound is not None)

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        low, high = (bound and bound.value for bound in (self.low, self.high))
        return columns.column(self.field).within(low, high, self.open_low, self.open_high, rows)


@dataclass(frozen=True)
class Known:
    """The field has a value: `is not null`."""

    field: Field
    values: tuple[Value, ...] = ()
    depth = 1

    def __str__(self) -> str:
        return f"{self.field} is not null"

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        return columns.column(self.field).known(rows)


Leaf = Among | Within | Known


@dataclass(frozen=True)
class Not:
    """The condition is not true."""

    part: "Node"
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        match self.part:
            case Among() as among:
                return among.told("!=", "not in")
            case Known(asked):
                return f"{asked} is null"
            case AllOf() | AnyOf():
                return f"not ({self.part})"
        return f"not {self.part}"

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        return ~self.part.mask(columns, rows)


@dataclass(frozen=True)
class AllOf:
    """Every condition is true: `and`."""

    parts: tuple["Node", ...]
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        return reduce(np.logical_and, (part.mask(columns, rows) for part in self.parts))


@dataclass(frozen=True)
class AnyOf:
    """One condition at least is true: `or`."""

    parts: tuple["Node", ...]
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))

    def mask(self, columns: "Columns", rows: int) -> Mask:
        """Return for which of the first `rows` items it is true."""
        return reduce(np.logical_or, (part.mask(columns, rows) for part in self.parts))


Node = Leaf | Not | AllOf | AnyOf


class Columns(Protocol):
    """Where conditions find their fields."""

    def column(self, asked: Field) -> Column:
        """Return the column of a field that is known to be there."""
        ...

    def kinds(self) -> tuple[Mapping[str, Kind], Mapping[str, Kind]]:
        """Return the kinds of the item's own fields and of its attributes, by name."""
        ...


def leaves(node: Node) -> Iterator[Leaf]:
    """Return the comparisons of a condition, from left to right."""
    match node:
        case Not(part):
            yield from leaves(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield node
