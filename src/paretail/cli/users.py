"""`paretail users`: what a store knows of users."""

from pathlib import Path

from cyclopts import App

app = App(name="users", help="Put a file of users into a store.")


@app.command(name="import")
def import_(file: Path, *, store: Path, config: Path | None = None, json: bool = False) -> None:
    """Set users from a file: each row is all that is known of a user; other users stay as they are.

    The file is read and checked as in training. Rows that cannot be used go to a folder `quarantine` beside the store,
    the others go in; where a check fails, nothing is written (exit code 1).

    Parameters
    ----------
    file
        The file: Parquet, CSV or JSON lines by its ending; or a folder of such.
    store
        The folder of the store; made where there is none.
    config
        A shop.toml that says what the file's columns mean; by default a column `user_id` is needed.
    json
        Print what was done as JSON.
    """
    from paretail.cli.feeding import import_file

    import_file("users", file, store, config, json)
