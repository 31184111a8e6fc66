"""Finding the shop's column for each of our names."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from paretail.core.errors import Problem, nearest
from paretail.data.config import DataConfig, Source, Table
from paretail.data.presets import preset_of
from paretail.data.sources.raw import FILE, LINE

#: Other names of our own that count where a column of the first name is absent; `_ms` and `_minor` say the unit.
ALSO: Mapping[str, tuple[str, ...]] = {
    "event": ("kind",), "ts": ("ts_ms", "timestamp"), "created": ("created_ts_ms",), "price": ("price_minor",),
}  # fmt: skip


class Columns:
    """The columns of one raw frame under our names.

    `problems` are columns that the source's own settings name and that are not there; `lacking` those that
    `[data.columns]` names for all sources, by our name: a problem only where every source lacks them.
    """

    def __init__(self, frame: pl.DataFrame, table: Table, source: Source[Any], config: DataConfig) -> None:
        self.frame, self.table, self.where = frame, table, source.label
        self.problems: list[Problem] = []
        self.lacking: dict[str, Problem] = {}
        everywhere = getattr(config.columns, table)
        known = preset_of(source, config).columns.get(table, {})
        self._names: dict[str, list[str]] = {}
        for field in type(everywhere).model_fields:
            own, shared = getattr(source.columns, field, None), getattr(everywhere, field)
            self._names[field] = self._named(field, own, True) or self._named(field, shared, False)
            if own is None and shared is None:
                self._names[field] = self._customary(field, known)

    def __contains__(self, field: str) -> bool:
        return bool(self._names.get(field))

    def of(self, field: str) -> str | None:
        """Return the first of the shop's columns for `field`, None where it has none."""
        return next(iter(self._names.get(field, ())), None)

    def get(self, field: str) -> pl.Series | None:
        """Return the cells of `field`; of several columns the first that is not empty, row by row."""
        cells = [cell for name in self._names.get(field, []) if (cell := reach(self.frame, name)) is not None]
        if len(cells) < 2:
            return cells[0] if cells else None
        return pl.select(pl.coalesce(cell.cast(pl.String) for cell in cells)).to_series()

    def rest(self) -> list[str]:
        """Return the columns that no name of ours has taken."""
        taken = {name.partition(".")[0] for names in self._names.values() for name in names} | {FILE, LINE}
        return [column for column in self.frame.columns if column not in taken]

    def _named(self, field: str, names: str | list[str] | None, own: bool) -> list[str]:
        wanted = [names] if isinstance(names, str) else names or []
        for name in wanted if field != "ts" else []:  # an absent time is told by what reads times
            if reach(self.frame, name) is None and own:
                self.problems.append(self._absent(field, name))
            elif reach(self.frame, name) is None:
                self.lacking[field] = self._absent(field, name)
        return [name for name in wanted if reach(self.frame, name) is not None]

    def _customary(self, field: str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
        if found := [name for name in known.get(field, ()) if reach(self.frame, name) is not None]:
            return found
        return [name for name in (field, *ALSO.get(field, ())) if name in self.frame.columns][:1]

    def _absent(self, field: str, name: str) -> Problem:
        found = f"{self.where}: no column {name!r}, which [data.columns.{self.table}] {field} names"
        options = [column for column in self.frame.columns if column not in (FILE, LINE)]
        return Problem("DATA-07", found, f"Expected {nearest(name, options)}", "Correct the name")


def reach(frame: pl.DataFrame, name: str) -> pl.Series | None:
    """Return the column `a`, or the nested value `a.b` (of a list the first), or None."""
    if name in frame.columns:
        return frame[name]
    head, _, tail = name.partition(".")
    if not tail or head not in frame.columns:
        return None
    column = frame[head]
    for part in tail.split("."):
        column = column.list.first() if isinstance(column.dtype, pl.List) else column
        if not isinstance(column.dtype, pl.Struct) or part not in column.struct.fields:
            return None
        column = column.struct.field(part)
    return column
