"""Columns of the shelf: one field of all items in an array that can be filtered, changed in place and grown.

A column is written by one thread at a time. A reader that took an array keeps a valid one: growth makes a new array,
and the old one only stops being changed. Each array has room for more rows than there are; `rows` says how many count.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.conditions import Kind, Mask
from paretail.data.filter_checks import moment_ms

#: Bounds of what a whole number can be.
_WHOLE: Final = np.iinfo(np.int64)


class Cells:
    """The array of a column; `nothing` stands for unknown."""

    def __init__(self, values: NDArray[Any], nothing: Any) -> None:
        self.values, self.nothing = values, nothing

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows."""
        wider = np.full(capacity, self.nothing, self.values.dtype)
        wider[: len(self.values)] = self.values
        self.values = wider


class FieldCells(Cells):
    """A column that conditions can ask; one whose kind has no order is never asked `within`."""

    kind: Kind

    def put(self, row: int, value: Any) -> None:
        """Set one value, None: unknown."""
        raise NotImplementedError

    def get(self, row: int) -> Any:
        """Return one value as a document holds it."""
        raise NotImplementedError

    def known(self, rows: int) -> Mask:
        """See `conditions.Column`."""
        mask: Mask = self.values[:rows] != self.nothing
        return mask

    def among(self, values: Sequence[Any], rows: int) -> Mask:
        """See `conditions.Column`."""
        raise NotImplementedError

    def within(self, low: Any, high: Any, open_low: bool, open_high: bool, rows: int) -> Mask:
        """See `conditions.Column`."""
        raise NotImplementedError


class Numbers(FieldCells):
    """Fractions; NaN where unknown, which no comparison is true for."""

    kind: Kind = "number"

    def __init__(self, values: NDArray[np.float64]) -> None:
        super().__init__(values, np.nan)

    @classmethod
    def of(cls, column: pl.Series) -> "Numbers":
        """Take the numbers of a catalogue's column."""
        return cls(column.cast(pl.Float64).fill_null(np.nan).to_numpy(writable=True))

    def put(self, row: int, value: float | None) -> None:
        """Set one value."""
        self.values[row] = np.nan if value is None else value

    def get(self, row: int) -> float | None:
        """Return one value."""
        value = float(self.values[row])
        return None if value != value else value

    def known(self, rows: int) -> Mask:
        """See `conditions.Column`."""
        mask: Mask = ~np.isnan(self.values[:rows])
        return mask

    def among(self, values: Sequence[float], rows: int) -> Mask:
        """See `conditions.Column`."""
        return _equal(self.values[:rows], values)

    def within(self, low: float | None, high: float | None, open_low: bool, open_high: bool, rows: int) -> Mask:
        """See `conditions.Column`."""
        here = self.values[:rows]
        above = None if low is None else here > low if open_low else here >= low
        below = None if high is None else here < high if open_high else here <= high
        return _both(above, below)


class Flags(FieldCells):
    """True, false, or -1 where unknown."""

    kind: Kind = "flag"

    def __init__(self, values: NDArray[np.int8]) -> None:
        super().__init__(values, -1)

    @classmethod
    def of(cls, column: pl.Series) -> "Flags":
        """Take the flags of a catalogue's column."""
        return cls(column.cast(pl.Int8).fill_null(-1).to_numpy(writable=True))

    def put(self, row: int, value: bool | None) -> None:
        """Set one value."""
        self.values[row] = -1 if value is None else value

    def get(self, row: int) -> bool | None:
        """Return one value."""
        value = int(self.values[row])
        return None if value < 0 else value == 1

    def among(self, values: Sequence[bool], rows: int) -> Mask:
        """See `conditions.Column`."""
        return _equal(self.values[:rows], [int(value) for value in values])


class Whole(FieldCells):
    """Whole numbers that filters ask for in a larger unit: amounts in minor units, moments in milliseconds.

    `exact` turns what a filter says into our unit. Comparisons are those of exact decimal arithmetic: 19.99 is 1999
    cents though 19.99 * 100 is not 1999.0 in binary.
    """

    def __init__(self, values: NDArray[np.int64], nothing: int, kind: Kind, exact: Callable[[Any], Decimal]) -> None:
        super().__init__(values, nothing)
        self.kind, self.exact = kind, exact

    @classmethod
    def prices(cls, values: NDArray[np.int64], minor_per_major: int) -> "Whole":
        """Amounts in minor units, -1 where unknown."""
        return cls(values, -1, "number", lambda value: Decimal(repr(value)) * minor_per_major)

    @classmethod
    def moments(cls, values: NDArray[np.int64]) -> "Whole":
        """Moments in milliseconds since 1970, 0 where unknown."""
        return cls(values, 0, "time", _exact_ms)

    def put(self, row: int, value: int | None) -> None:
        """Set one value."""
        self.values[row] = self.nothing if value is None else value

    def get(self, row: int) -> int | None:
        """Return one value."""
        value = int(self.values[row])
        return None if value == self.nothing else value

    def among(self, values: Sequence[Any], rows: int) -> Mask:
        """See `conditions.Column`."""
        exact = [self.exact(value) for value in values]
        whole = [_bounded(value) for value in exact if value == int(value)]
        return _equal(self.values[:rows], [value for value in whole if value != self.nothing])

    def within(self, low: Any, high: Any, open_low: bool, open_high: bool, rows: int) -> Mask:
        """See `conditions.Column`."""
        here = self.values[:rows]
        above = below = None
        if low is not None:
            least = self.exact(low)
            above = here > _floor(least) if open_low else here >= _ceiling(least)
        if high is not None:
            most = self.exact(high)
            below = here < _ceiling(most) if open_high else here <= _floor(most)
        return _both(_both(above, below), self.known(rows))


class Opaque(FieldCells):
    """Something that no filter asks for but whether it is there, such as a vector."""

    kind: Kind = "other"

    def __init__(self, there: Mask) -> None:
        super().__init__(there, False)

    def get(self, row: int) -> None:
        """Return nothing: a document cannot hold it."""
        return


class Moments(Whole):
    """Moments of an attribute, which a document tells as ISO text; 1970 is one of them."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        super().__init__(values, _WHOLE.min, "time", _exact_ms)

    @classmethod
    def of(cls, column: pl.Series) -> "Moments":
        """Take the dates or times of a catalogue's column; those without a zone are UTC."""
        told = column.cast(pl.Datetime("ms")).dt.epoch("ms").fill_null(_WHOLE.min)
        return cls(told.to_numpy(writable=True))

    def put(self, row: int, value: Any) -> None:
        """Set one value, told as ISO text."""
        super().put(row, None if value is None else moment_ms(value))

    def get(self, row: int) -> Any:
        """Return one value as ISO text, None where it is beyond the years that have such a text."""
        value = super().get(row)
        try:
            return None if value is None else datetime.fromtimestamp(value / 1000, UTC).isoformat()
        except (OverflowError, ValueError):
            return None


def _exact_ms(value: str | float) -> Decimal:
    return Decimal(moment_ms(value) or 0) if isinstance(value, str) else Decimal(repr(value)) * 1000


def _equal(here: NDArray[Any], values: Sequence[Any]) -> Mask:
    if len(values) > 8:
        return np.isin(here, np.asarray(values, here.dtype))
    mask = np.zeros(len(here), np.bool_)
    for value in values:
        mask |= here == value
    return mask


def _both(one: Mask | None, other: Mask | None) -> Mask:
    found = [mask for mask in (one, other) if mask is not None]
    return found[0] & found[1] if len(found) == 2 else found[0]


def _bounded(value: Decimal) -> int:
    return int(max(min(value, Decimal(_WHOLE.max)), Decimal(_WHOLE.min)))


def _floor(value: Decimal) -> int:
    return _bounded(value.to_integral_value(ROUND_FLOOR))


def _ceiling(value: Decimal) -> int:
    return _bounded(value.to_integral_value(ROUND_CEILING))
