"""`paretail keys`: create, list and revoke the API keys of a service."""

from pathlib import Path
from typing import Any

from cyclopts import App

app = App(name="keys", help="Create, list and revoke API keys.")

COLUMNS = ("key_id", "name", "scopes", "rate", "created", "revoked")


@app.command
def create(*, store: Path, name: str, scope: str, rate: float | None = None, json: bool = False) -> None:
    """Create a key and show it, this once; a service that runs knows it within a second.

    Parameters
    ----------
    store
        The folder of live data; made where it is not there.
    name
        Who will use it, to tell keys apart.
    scope
        What it may ask, with commas: events, recommend, read, admin.
    rate
        Requests a second; by default what `[serve] rate` says.
    json
        Print JSON.
    """
    from contextlib import closing

    from paretail.cli.terminal import print_json
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.serve.keys import described, new_key

    secret, key = new_key(name, scope.split(","), rate)
    with closing(EmbeddedStore.open(store)) as opened:
        opened.put_key(key)
    if json:
        print_json({"key": secret, **described(key)})
    else:
        print(secret)  # bare, so that a script can take it


@app.command(name="list")
def list_keys(*, store: Path, json: bool = False) -> None:
    """List the keys, oldest first; the keys themselves are kept nowhere.

    Parameters
    ----------
    store
        The folder of live data.
    json
        Print JSON.
    """
    from contextlib import closing

    from paretail.cli.terminal import out, print_json
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.serve.keys import described

    with closing(EmbeddedStore.open(store, create=False)) as opened:
        keys = opened.keys()
    rows = [described(key) for key in keys]
    if json:
        print_json({"keys": rows})
        return
    if not rows:
        out.print("No keys.")
        return
    table = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        out.print(line.rstrip(), soft_wrap=True, markup=False)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    rate = "" if row["rate"] is None else f"{row['rate']:g}/s"
    return row["key_id"], row["name"], ",".join(row["scopes"]), rate, row["created"], row["revoked"] or ""


@app.command
def revoke(key_id: str, *, store: Path, json: bool = False) -> None:
    """Revoke a key; a service that runs refuses it within a second.

    Parameters
    ----------
    key_id
        The key's id as `keys list` shows it, the middle part of the key; or its name, where one key in force has it.
    store
        The folder of live data.
    json
        Print JSON.
    """
    from contextlib import closing

    from paretail.cli.terminal import out, print_json
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.serve.keys import described, revoked

    with closing(EmbeddedStore.open(store, create=False)) as opened:
        key = revoked(opened.keys(), key_id)
        opened.put_key(key)
    if json:
        print_json(described(key))
    else:
        out.print(f"{key.key_id} is revoked", markup=False)
