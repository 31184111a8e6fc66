"""`paretail init`: look at the shop's files and write a first shop.toml."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from paretail.data.config import Table

Places = Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)]


def init(
    *,
    events: Annotated[list[str], Parameter(negative="", consume_multiple=True)],
    items: Places = None,
    users: Places = None,
    links: Places = None,
    kind: Places = None,
    preset: Literal["ga4", "schema_org", "recbole"] | None = None,
    query: str | None = None,
    out: Path = Path("shop.toml"),
    force: bool = False,
) -> int:
    """Look at the shop's files, guess columns, kinds and the time unit, and write a commented shop.toml.

    Exits with 1 where something could not be guessed; the file is written all the same, with that line marked.

    Parameters
    ----------
    events
        The event log: file, folder or glob (Parquet, CSV, JSON lines, RecBole), or a postgresql:// address.
    items
        The catalogue.
    users
        One row a user.
    links
        Who knows whom.
    kind
        What your word means: buy=purchase; listen=0.5 declares a kind of your own with that weight (listen
        alone: weight 1); scroll=ignore leaves it out.
    preset
        A well-known format whose names need no guess.
    query
        The SELECT to run where --events is an address.
    out
        The file to write.
    force
        Replace the file if it is there.
    """
    from paretail.cli.terminal import err, progress
    from paretail.core.files import atomic_file
    from paretail.data.look import look
    from paretail.data.starter import render, todo

    _refuse_overwriting(out, force)
    places: dict[Table, list[str]] = {
        "events": events, "items": items or [], "users": users or [], "links": links or [],
    }  # fmt: skip
    with progress() as tell:
        draft = look(places, kind or [], preset, query, out, tell)
    with atomic_file(out) as aside:
        aside.write_text(render(draft), encoding="utf-8")
    err.print(f"wrote {out}; now: paretail check --config {out}", soft_wrap=True)
    for line in (left := todo(draft)):
        err.print(f"to complete: {line}", soft_wrap=True, markup=False)
    sys.stderr.flush()
    return 1 if left else 0


def _refuse_overwriting(out: Path, force: bool) -> None:
    from paretail.core.errors import Problem, UsageError

    if out.exists() and not force:
        found = f"{out} is there already"
        raise UsageError(Problem("CLI-11", found, "Expected a new file", "Name another with --out, or add --force"))
