"""Visitors who logged in: who counts as whom."""

from collections.abc import Iterable, Mapping

import polars as pl

from paretail.core.errors import Problem
from paretail.data.stores.base import StoreError


def check_merge(merges: Mapping[str, str], visitor_id: str, user_id: str) -> None:
    """Raise StoreError where counting `visitor_id` as `user_id` would lead in a circle."""
    if _passes(merges, user_id, {visitor_id}):
        way = "itself" if visitor_id == user_id else f"{user_id!r}, which already counts as {visitor_id!r}"
        found = f"{visitor_id!r} cannot be merged into {way}"
        raise StoreError(
            Problem("STOR-06", found, "A visitor and another user", "Merge the visitor into the user that logged in")
        )


def root(merges: Mapping[str, str], user_id: str) -> str:
    """Return the user as whom `user_id` counts, at the end of the chain."""
    while user_id in merges:
        user_id = merges[user_id]
    return user_id


def roots(merges: Mapping[str, str]) -> dict[str, str]:
    """Return visitor -> the user at the end of its chain."""
    return {visitor: root(merges, user) for visitor, user in merges.items()}


def belonging(merges: Mapping[str, str], user_ids: Iterable[str]) -> set[str]:
    """Return `user_ids` and every visitor that counts as one of them."""
    whole = set(user_ids)
    return whole | {visitor for visitor in merges if _passes(merges, visitor, whole)}


def _passes(merges: Mapping[str, str], visitor: str, users: set[str]) -> bool:
    while visitor in merges and visitor not in users:
        visitor = merges[visitor]
    return visitor in users


def followed(frame: pl.DataFrame, merges: Mapping[str, str]) -> pl.DataFrame:
    """Return `frame` with each visitor's rows under the user as whom it counts."""
    if not merges:
        return frame
    return frame.with_columns(pl.col("user_id").replace(roots(merges)))
