"""Words for behaviours that nothing explains."""

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, share
from paretail.data.kinds import STANDARD
from paretail.data.tables import Tables

SHOWN = 10


def check(tables: Tables) -> list[Problem]:
    """Fail with every word that is not known, how often it occurs, and the line that explains it."""
    rows = tables.faulty("events", "unknown_kind")
    if not rows.height:
        return []
    if not (words := rows["word"].drop_nulls().value_counts(sort=True, name="n")).height:
        return [_without_word(rows.height, tables)]
    listed = ", ".join(f"{word!r} ({n:,})" for word, n in words.head(SHOWN).iter_rows())
    more = f" and {words.height - SHOWN:,} more" if words.height > SHOWN else ""
    lines = "; ".join(f'"{word}" = "..."' for word in words["word"].head(SHOWN))
    found = f"events: {share(rows.height, tables.rows('events'))} rows have a word that is not known: {listed}{more}"
    expected = f'A word means one of {", ".join(STANDARD)}, a kind of your own ({{ weight = 0.5 }}), or "ignore"'
    return [Problem("CHECK-01", found, expected, f"Add to [data.kinds]: {lines}")]


def _without_word(rows: int, tables: Tables) -> Problem:
    found = f"events: {share(rows, tables.rows('events'))} rows say nothing of what was done"
    return Problem("CHECK-01", found, "Every event needs a word", "Fill the column, or leave these rows out by a rule")


CHECK = Check(check, "Events whose meaning is unknown cannot be used, and the strongest of them may be the sales.")
