"""`paretail events`: the events of a store, from a file and to a file."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="events", help="Put a file of events into a store, or write the store's events to a file.")


@app.command(name="import")
def import_(file: Path, *, store: Path, config: Path | None = None, json: bool = False) -> None:
    """Add events from a file to the store's history; those that are there already are left out.

    An event is there already if its event_id and item are; without event_id, if one equals it throughout. The file is
    read and checked as in training. Rows that cannot be used go to a folder `quarantine` beside the store, the others
    go in; where a check fails, nothing is written (exit code 1).

    Parameters
    ----------
    file
        The file: Parquet, CSV or JSON lines by its ending; or a folder of such.
    store
        The folder of the store; made where there is none.
    config
        A shop.toml that says what the file's columns, words, times and prices mean; by default our own names of
        columns and well-known words count.
    json
        Print what was done as JSON.
    """
    from paretail.cli.feeding import import_file

    import_file("events", file, store, config, json)


@app.command
def export(
    file: Path,
    *,
    store: Path,
    since: str | None = None,
    until: str | None = None,
    kind: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    impressions: bool = False,
    json: bool = False,
) -> None:
    """Write the store's events to a file, oldest first, whole or not at all; it can be imported again as it is.

    Visitors who logged in are the users that they are.

    Parameters
    ----------
    file
        The file to write: Parquet, CSV or JSON lines by its ending.
    store
        The folder of the store.
    since
        Only events from this moment on: a date or time (ISO 8601), UTC where it names no zone.
    until
        Only events before this moment.
    kind
        Only events of these kinds, and what was shown where `--impressions` asks for it.
    impressions
        Write what was shown too, a row an item of kind `impression`, whichever kinds `--kind` names, and a column
        `placement` that says in which list.
    json
        Print what was done as JSON.
    """
    from paretail.cli.terminal import counted, print_json
    from paretail.cli.terminal import out as console
    from paretail.pipeline.outflow import export_events

    rows = export_events(store, file, since=since, until=until, kinds=kind, impressions=impressions)
    if json:
        print_json({"file": str(file), "rows": rows})
    else:
        console.print(f"{counted(rows, 'event')} in {file}", soft_wrap=True, markup=False)
