"""Words: what the shop calls a behaviour, and the kind that we take it for."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from paretail.core.errors import Problem, nearest
from paretail.data.config import IGNORED, DataConfig, Kind, Source
from paretail.data.kinds import STANDARD, SYNONYMS
from paretail.data.presets import preset_of

__all__ = ["IGNORED", "kind_of", "known_words", "unknown_meanings"]


def kind_of(words: pl.Series, source: Source[Any], config: DataConfig) -> pl.Series:
    """Return the kind of each word; null where nothing says what the word means."""
    told = known_words(source, config)
    others = IGNORED if preset_of(source, config).ignores_others else None
    kinds = {word: _kind(word, told) or others for word in words.unique().drop_nulls().to_list()}
    return words.replace_strict(list(kinds), list(kinds.values()), default=None, return_dtype=pl.String)


def known_words(source: Source[Any], config: DataConfig) -> Mapping[str, str]:
    """Return word -> kind as told: by the preset, by `[data.kinds]`, by the source, the last counting most."""
    declared = {word: word if isinstance(kind, Kind) else kind for word, kind in config.kinds.items()}
    return {**preset_of(source, config).kinds, **declared, **source.kinds}


def unknown_meanings(source: Source[Any], config: DataConfig) -> list[Problem]:
    """Return a problem for each word that the source's own table turns into a kind that does not exist."""
    known = (*STANDARD, IGNORED, *config.weights)
    return [
        Problem("DATA-14", f"{source.label}: kinds.{word} = {kind!r}", f"Expected {nearest(kind, known)}", "Correct it")
        for word, kind in source.kinds.items()
        if kind not in known
    ]


def _kind(word: str, told: Mapping[str, str]) -> str | None:
    if word in told:
        return told[word]
    plain = word.lower()
    return plain if plain in STANDARD else SYNONYMS.get(plain)
