"""A store of live data: its events, and its items or users as they are now.

Its rows are in our words, columns and units already, so what shop.toml says of the shop's own files is not applied.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from paretail.data.columns import Columns
from paretail.data.config import DataConfig, Kind, Source, Table
from paretail.data.sources.raw import Raw, placed
from paretail.data.stored import item_table, user_table
from paretail.data.stores.base import Store
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.stores.readers import DATABASE

#: The format that reads a table from a store.
FORMATS: Mapping[Table, str] = {"events": "store", "items": "store_items", "users": "store_users"}
#: What shop.toml says of columns, words and units, undone.
PLAIN: dict[str, Any] = {
    "columns": Columns(), "preset": None, "kind": None, "time": None, "time_format": None, "amounts": "major",
}  # fmt: skip


def read_events(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read the events of the store in the folder `location`; visitors who logged in are the users that they are."""
    return _read(location, limit, lambda store: store.events())


def read_items(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read the items that were told live or imported into the store, as they are now; deleted ones are left out."""
    return _read(location, limit, lambda store: item_table(store.documents("items")))


def read_users(location: str, source: Source[Any], limit: int | None = None) -> Raw:
    """Read the users that were told live or imported into the store, as they are now."""
    return _read(location, limit, lambda store: user_table(store.documents("users")))


def recognised(table: Table, source: Source[Any], base: Path) -> Source[Any]:
    """Return the source, with the format where it names none and its path is the folder of a store."""
    there = source.format is None and source.path is not None and (base / source.path / DATABASE).is_file()
    return source.model_copy(update={"format": FORMATS.get(table)}) if there else source


def in_our_words(config: DataConfig) -> DataConfig:
    """Return the configuration without what it says of how the shop's own files are written."""
    declared = {word: kind for word, kind in config.kinds.items() if isinstance(kind, Kind)}
    return config.model_copy(update=PLAIN | {"kinds": declared})


def _read(location: str, limit: int | None, read: Callable[[Store], pl.DataFrame]) -> Raw:
    with closing(EmbeddedStore.open(Path(location), create=False)) as store:
        frame = read(store)
    return Raw(placed(frame if limit is None else frame.head(limit), location))
