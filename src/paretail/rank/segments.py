"""Segments of impressions, by which calibration and revenue are looked at: category, brand, price, new and known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.data.features.pairs import ItemFacts

By = Literal["none", "category", "brand", "price"]
Codes = NDArray[np.int64]

#: Price bands of a shop, of equal numbers of items.
BANDS: Final = 5
#: Categories, and brands, that a report tells of; the others are one segment.
COMMONEST: Final = 8
#: Somebody, or an item, with fewer impressions before is new, or little known.
NEW, FEW = 1, 100


@dataclass(frozen=True, eq=False)
class Segments:
    """One way to divide impressions: `codes[rows]` into `names`, -1 for none."""

    by: str
    names: tuple[str, ...]
    codes: Codes


def item_segments(facts: ItemFacts, by: By) -> Codes | None:
    """Return the segment of each item, -1 where nothing is known of it; None without segments."""
    if by == "price":
        return bands(facts.log_price)
    return None if by == "none" else (facts.category if by == "category" else facts.brand).astype(np.int64)


def bands(log_price: NDArray[Any]) -> Codes:
    """Return each item's price band, 0 the cheapest, -1 without a price."""
    known = np.isfinite(log_price)
    if not known.any():
        return np.full(len(log_price), -1)
    edges = np.quantile(log_price[known].astype(np.float64), np.arange(1, BANDS) / BANDS)
    return np.where(known, np.searchsorted(edges, np.where(known, log_price, 0.0)), -1).astype(np.int64)


def divided(items: pl.DataFrame, facts: ItemFacts, item: Codes, users_before: Codes,
            items_before: Codes) -> list[Segments]:  # fmt: skip
    """Divide impressions of `item[rows]`; `*_before[rows]` count the impressions of user and item that came before."""
    found = []
    if "category" in items.columns:
        found.append(_commonest("category", facts.category, items["category"].list.join(" > ").to_list(), item))
    if "brand" in items.columns:
        found.append(_commonest("brand", facts.brand, items["brand"].to_list(), item))
    found.append(_prices(facts, item))
    for by, before in (("user", users_before), ("item", items_before)):
        names = ("never shown before", f"1 to {FEW - 1} impressions before", f"{FEW} or more")
        found.append(Segments(by, names, np.searchsorted([NEW, FEW], before, side="right")))
    return [segments for segments in found if (segments.codes >= 0).any()]


def _commonest(by: str, of_items: NDArray[Any], names: Sequence[Any], item: Codes) -> Segments:
    """Divide by what the catalogue says of items: the commonest few, and the others as one."""
    codes = of_items[item].astype(np.int64)
    if not (codes >= 0).any():
        return Segments(by, (), codes)
    counts = np.bincount(codes[codes >= 0])
    most = np.argsort(-counts, kind="stable")[:COMMONEST]
    place = np.full(len(counts), len(most))
    place[most] = np.arange(len(most))
    name_of = dict(zip(of_items.tolist(), names, strict=True))
    told = (*(str(name_of[code]) for code in most.tolist()), "others")
    return Segments(by, told, np.where(codes >= 0, place[np.maximum(codes, 0)], -1))


def _prices(facts: ItemFacts, item: Codes) -> Segments:
    codes = bands(facts.log_price)
    prices = [np.exp(facts.log_price[codes == band]) for band in range(BANDS)]
    names = tuple(f"{part.min():.0f} to {part.max():.0f}" if len(part) else "" for part in prices)
    return Segments("price band (minor units)", names, codes[item])
