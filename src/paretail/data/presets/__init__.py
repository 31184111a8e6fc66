"""Presets: names of columns and kinds that are known beforehand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from paretail.data.config import DataConfig, Source, Table, Unit
from paretail.data.presets import ga4

Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Preset:
    """What a well-known format says of itself; everything in shop.toml overrides it."""

    columns: Mapping[Table, Names] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    time: Unit | None = None
    #: Turns nested events into one row an item, before anything else.
    unnest: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    #: Whether words that are not in `kinds` are left out, since the format has many that concern no item.
    ignores_others: bool = False


PRESETS: Mapping[str, Preset] = {
    "ga4": Preset(ga4.COLUMNS, ga4.KINDS, "microseconds", ga4.one_row_an_item, ignores_others=True),
    "schema_org": Preset(),  # the reader of JSON flattens it to our names
    "recbole": Preset({"links": {"user_id": ("source_id", "user_id"), "friend_id": ("target_id", "friend_id")}}),
}
_NONE = Preset()


def preset_of(source: Source[Any], config: DataConfig) -> Preset:
    """Return the preset of a source, that of `[data]`, or one that says nothing."""
    return PRESETS.get(source.preset or config.preset or "", _NONE)
