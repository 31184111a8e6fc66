"""Text that was read in the wrong encoding."""

import polars as pl

from paretail.core.errors import Problem
from paretail.data.checks.base import Check, place, share
from paretail.data.config import TABLES, Table
from paretail.data.tables import Tables

#: U+FFFD stands where bytes were no text; the rest is UTF-8 read as Latin-1 or Windows-1252 (é as Ã©, ' as â€™).
DAMAGE = "\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€"
OURS = ("_file", "_fault", "_excluded", "_unreadable", "currency", "word", "kind")


def check(tables: Tables) -> list[Problem]:
    """Warn of every text column with replacement characters or twice encoded letters."""
    return [problem for table in TABLES for problem in _of(tables.good(table), table)]


def _of(frame: pl.DataFrame, table: Table) -> list[Problem]:
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String and name not in OURS]
    found = []
    for name in [name for name in text if frame[name].count()]:
        damaged = frame[name].str.contains(DAMAGE).fill_null(False)
        if n := int(damaged.sum()):
            rows = frame[[int(damaged.arg_true()[0])]]
            says = f"{table}: {share(n, frame.height)} cells of {name} are damaged ({place(rows)}, {rows[name][0]!r})"
            do = 'Set `encoding` of that source if it is a text file (such as "cp1252"), else export it anew as UTF-8'
            found.append(Problem("CHECK-16", says, "Expected UTF-8 text", do, "warn"))
    return found


CHECK = Check(check, "Customers would read broken titles, and one word in two spellings counts as two categories.")
