"""Named rules that leave rows out on purpose: the first that holds takes the row."""

from collections.abc import Sequence

import polars as pl

from paretail.core.errors import ConfigError, Problem
from paretail.data.cells import as_flag, as_number, as_text, is_given
from paretail.data.config import DataConfig, Exclude, Table
from paretail.data.resolve import Columns


def excluded(frame: pl.DataFrame, rules: Sequence[tuple[str, Exclude]], decimal: str = ".") -> pl.Series:
    """Return for each row the name of the first rule that takes it, null where none does.

    `rules` are pairs of the column in `frame` and the rule.
    """
    taken = pl.Series("_excluded", [None] * frame.height, pl.String)
    for column, rule in rules:
        holds = _holds(frame[column], rule, decimal).fill_null(False) & taken.is_null()
        taken = taken.set(holds, rule.name)
    return taken


def rules_for(table: Table, columns: Columns, config: DataConfig) -> list[tuple[str, Exclude]]:
    """Return the rules of one table, each with the column of the raw frame that it looks at, where it is there."""
    named = [(_column(rule.column, columns), rule) for rule in config.exclude if rule.table == table]
    return [(column, rule) for column, rule in named if column is not None]


def _column(name: str, columns: Columns) -> str | None:
    found = name if name in columns.frame.columns else columns.of(name)
    return found if found in columns.frame.columns else None


def _holds(cells: pl.Series, rule: Exclude, decimal: str) -> pl.Series:
    if rule.missing:
        return ~is_given(cells)
    if rule.matches is not None:
        return _found(as_text(cells), rule)
    if isinstance(rule.equals, bool):
        return as_flag(cells) == rule.equals
    if isinstance(rule.equals, str):
        return as_text(cells) == rule.equals
    number = as_number(cells, decimal)
    if rule.equals is not None:
        return number == float(rule.equals)
    return number < rule.below if rule.below is not None else number > float(rule.above or 0)


def _found(text: pl.Series, rule: Exclude) -> pl.Series:
    try:
        return text.str.contains(str(rule.matches))
    except pl.exceptions.PolarsError as error:
        found = f"[data.exclude] {rule.name}: {rule.matches!r} is no regular expression"
        raise ConfigError(Problem("CONF-09", found, str(error).splitlines()[0], "Correct `matches`")) from None
