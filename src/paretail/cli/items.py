"""`paretail items`: the catalogue of a store."""

from pathlib import Path

from cyclopts import App

app = App(name="items", help="Put a file of items into a store.")


@app.command(name="import")
def import_(file: Path, *, store: Path, config: Path | None = None, json: bool = False) -> None:
    """Set items from a file: each row is a whole item, and the next answer obeys; other items stay as they are.

    The file is read and checked as in training. Rows that cannot be used go to a folder `quarantine` beside the store,
    the others go in; where a check fails, nothing is written (exit code 1).

    Parameters
    ----------
    file
        The file: Parquet, CSV or JSON lines by its ending; or a folder of such.
    store
        The folder of the store; made where there is none.
    config
        A shop.toml that says what the file's columns and prices mean; by default our own names of columns count.
    json
        Print what was done as JSON.
    """
    from paretail.cli.feeding import import_file

    import_file("items", file, store, config, json)
