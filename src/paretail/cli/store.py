"""`paretail store`: look at a store, back it up, restore it, make it compact."""

from pathlib import Path

from cyclopts import App

app = App(name="store", help="Look at a store of live data, back it up, restore it, or make it compact.")

#: What `info` calls a count, where that is not its name.
COUNTS = {
    "events_live": "events live, not compacted yet", "events_history": "events in the columnar history",
    "lists": "lists shown", "merges": "visitors who are users", "impressions_lost": "impressions lost in kills",
    "items": "items told live", "users": "users told live",
}  # fmt: skip


@app.command
def info(*, store: Path, json: bool = False) -> None:
    """Tell how much a store holds.

    Parameters
    ----------
    store
        The folder of the store.
    json
        Print JSON.
    """
    from contextlib import closing

    from paretail.cli.terminal import out, print_json
    from paretail.data.stores.embedded import EmbeddedStore

    with closing(EmbeddedStore.open(store, create=False)) as opened:
        counts = opened.counts()
    if json:
        print_json(counts)
        return
    words = {COUNTS.get(name, name.replace("_", " ")): count for name, count in counts.items()}
    width = max(map(len, words))
    for name, count in words.items():
        out.print(f"{name:<{width}}  {count:>13,}")


@app.command
def backup(folder: Path, *, store: Path) -> None:
    """Write a copy of the whole store, as of one moment, while it is in use.

    Parameters
    ----------
    folder
        The folder to write; it must not exist.
    store
        The folder of the store.
    """
    from contextlib import closing

    from paretail.cli.terminal import out
    from paretail.data.stores.embedded import EmbeddedStore

    with closing(EmbeddedStore.open(store, create=False)) as opened:
        opened.backup(folder)
    out.print(f"wrote {folder}", soft_wrap=True, markup=False)


@app.command
def restore(backup: Path, *, store: Path) -> None:
    """Make a store of a backup, once all of it is found whole.

    Parameters
    ----------
    backup
        A folder that `store backup` wrote.
    store
        The folder of the store to make; it must not exist.
    """
    from paretail.cli.terminal import out
    from paretail.data.stores.backup import restore as put_back

    put_back(backup, store)
    out.print(f"{store} is as it was in {backup}", soft_wrap=True, markup=False)


@app.command
def compact(*, store: Path, config: Path | None = None, json: bool = False) -> None:
    """Move events to the columnar history while the store is in use, and drop what is older than it may be kept.

    Parameters
    ----------
    store
        The folder of the store.
    config
        A shop.toml whose `[store] keep_days` says how long each kind is kept; by default lists shown are kept 90 days
        and all else for ever.
    json
        Print what was done as JSON.
    """
    from contextlib import closing
    from dataclasses import asdict

    from paretail.cli.terminal import counted, out, print_json
    from paretail.core.clock import now_ms
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.pipeline.config import StoreConfig, load_config

    settings = load_config(config).store if config is not None else StoreConfig()
    with closing(EmbeddedStore.open(store, create=False)) as opened:
        done = opened.compact(settings.keep_days, now_ms())
    if json:
        print_json(asdict(done))
        return
    told = f"{counted(done.moved, 'event')} moved to history, {counted(done.dropped, 'row')} dropped"
    out.print(f"{told}; history now holds {counted(done.history, 'event')}", soft_wrap=True)
