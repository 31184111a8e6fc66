"""What a store is: durable events, what was shown, documents of items and users, merges and keys.

A store knows ids and words of ours, never rows of a bundle. Every method may be called from any thread; what `append`,
`put`, `forget`, `merge` and the key methods were told survives a kill and a power cut once they return. `shown` is
written as fast and survives a kill likewise; a service calls it in groups, so that it may lose its newest second.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import polars as pl

from paretail.core.errors import ParetailError

#: What has documents.
Kind = Literal["items", "users"]

#: Columns of `Store.answers()`: one row a list that was shown; the lists have one entry an item, rank 1 first.
ANSWER_COLUMNS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "ts_ms": pl.Int64(),
    "user_id": pl.String(),
    "session_id": pl.String(),
    "placement": pl.String(),
    "model_version": pl.String(),
    "policy": pl.String(),
    "item_ids": pl.List(pl.String()),
    "propensities": pl.List(pl.Float64()),  # null: the choice was certain, 1 for each; an entry that is null: unknown
    "experiment": pl.String(),  # null: none
    "arm": pl.String(),
    "drawn_by": pl.String(),  # the id by which the arm was drawn: that of the user, or of a visitor who became them
}


class StoreError(ParetailError):
    """A store cannot do what it was asked: it is damaged, foreign, newer, in use, or the disk refuses."""


class StoredEvent(NamedTuple):
    """One event, in the columns of `data/types.py` EVENT_COLUMNS; `event_id` is never empty."""

    user_id: str
    item_id: str
    kind: str
    ts_ms: int
    event_id: str
    order_id: str | None = None
    quantity: float | None = None
    price_minor: int | None = None
    request_id: str | None = None
    position: int | None = None
    propensity: float | None = None
    dwell_ms: int | None = None


class Shown(NamedTuple):
    """One list that was shown, see ANSWER_COLUMNS; with a known `request_id` and placement it is not kept again."""

    request_id: str
    ts_ms: int
    user_id: str | None
    session_id: str | None
    placement: str
    model_version: str
    policy: str
    item_ids: Sequence[str]
    propensities: Sequence[float | None] | None = None
    experiment: str | None = None
    arm: str | None = None
    drawn_by: str | None = None  # None: by user_id


class Entry(NamedTuple):
    """How somebody is in an experiment: the id by which their arm is drawn, and the arm of their first list, if any."""

    drawn_by: str
    arm: str | None = None


@dataclass(frozen=True)
class Key:
    """An API key as it is kept: `digest` is the SHA-256 (hex) of its secret part; `rate` its requests a second."""

    key_id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    rate: float | None
    created_ms: int
    revoked_ms: int | None = None


class Store(Protocol):
    """One shop's live data."""

    def append(self, events: Sequence[StoredEvent]) -> list[bool]:
        """Add events, all or none; False for one that is not new.

        That is one whose (event_id, item_id) is there already, here or in history, or which was forgotten with its
        user before it came.
        """
        ...

    def promise(self, impressions: int) -> None:
        """Count items of answers that leave now, whose lists `shown` will be told later; costs microseconds.

        What was promised and, after a kill, never told is counted at the next opening (`impressions_lost`).
        """
        ...

    def shown(self, lists: Sequence[Shown]) -> None:
        """Add lists that were shown."""
        ...

    def put(self, kind: Kind, documents: Mapping[str, bytes | None]) -> None:
        """Set whole documents (JSON), all or none, however many; None marks one as deleted. No id is empty."""
        ...

    def documents(self, kind: Kind) -> Iterable[tuple[str, bytes | None]]:
        """Return every document by id; None where it was deleted.

        Read some at a time, so that what is set meanwhile may be in it or not.
        """
        ...

    def document(self, kind: Kind, document_id: str) -> bytes | None:
        """Return one document; None where there is none, or it was deleted."""
        ...

    def merge(self, visitor_id: str, user_id: str) -> None:
        """Say that all that `visitor_id` did and will do was done by `user_id`; of several users the one told last.

        Raises StoreError where that would lead in a circle.
        """
        ...

    def merges(self) -> dict[str, str]:
        """Return visitor -> user, both as they were told; chains are possible, circles are not."""
        ...

    def forget(self, user_ids: Sequence[str], now_ms: int) -> None:
        """Erase the events, lists shown, document and merges of users, and of the visitors who count as them.

        What they do afterwards is kept again; an event with an earlier time than `now_ms` is not, however it comes.
        """
        ...

    def forgotten(self) -> dict[str, int]:
        """Return user -> the moment until which nothing of them may be used, wherever it is kept (a bundle too)."""
        ...

    def recent(self, user_ids: Sequence[str], most: int) -> dict[str, list[StoredEvent]]:
        """Return the newest `most` events of each user, oldest first, merges not followed; impressions left out."""
        ...

    def newest(self, users: int, most: int) -> pl.DataFrame:
        """Return user_id, item_id, kind, ts_ms, quantity of the `users` seen last: their newest `most` events.

        User by user, each user's oldest event first, the user seen last at the end; merges not followed, impressions
        left out. For a warm start: 1 million events in about a second.
        """
        ...

    def events(self, since_ms: int = 0, until_ms: int | None = None, impressions: bool = False) -> pl.DataFrame:
        """Return all events as EVENT_COLUMNS with since <= ts_ms < until, by time; merges followed.

        With `impressions`, the items of the lists shown too, one row each, of kind "impression"; of a list without
        user the session stands for the user.
        """
        ...

    def answers(self, since_ms: int = 0, until_ms: int | None = None) -> pl.DataFrame:
        """Return the lists shown as ANSWER_COLUMNS with since <= ts_ms < until, by time; merges followed."""
        ...

    def entry(self, user_id: str, experiment: str) -> Entry:
        """Return how a user is in an experiment, merges followed, as of the store's newest moment; some 50 us.

        That of the first list which they, or a visitor who counts as them, were shown; before any by their own id.
        """
        ...

    def shown_to_session(self, session_id: str) -> list[str]:
        """Return the distinct items that a session was shown."""
        ...

    def shown_to(self, user_id: str, most: int) -> list[tuple[int, str]]:
        """Return (ts_ms, item_id) of the newest `most` impressions of a user, oldest first, merges not followed.

        As `events` tells them: of events told, and of the lists shown, where a session stands for the user whom a list
        lacks. Some .3 ms of 20 lists of 20; 2 ms more where history tells impressions.
        """
        ...

    def import_events(self, events: pl.DataFrame) -> int:
        """Add many events (EVENT_COLUMNS) to history at once, all or none; return how many were new.

        A row without event_id gets one that follows from its content, so that the same file twice adds nothing.
        """
        ...

    def keys(self) -> list[Key]:
        """Return all keys, the revoked ones too, oldest first."""
        ...

    def put_key(self, key: Key) -> None:
        """Add a key, or replace the one with its `key_id`."""
        ...

    def compact(self, keep_days: Mapping[str, float], now_ms: int) -> "Compacted":
        """Move live events to columnar history while the store is in use, dropping what is older than its kind may be.

        `keep_days[kind]` is the retention of a kind; `impression` also that of the lists shown; a kind that is not
        named is kept for ever.
        """
        ...

    def backup(self, folder: Path) -> None:
        """Write a copy of the whole store, as of one moment, while it is in use; `folder` must not exist."""
        ...

    def version(self) -> int:
        """Return a number that changes whenever another process has told the store something; costs microseconds.

        What was shown, promised, compacted or copied is no telling.
        """
        ...

    def counts(self) -> dict[str, int]:
        """Return how many there are: events_live, events_history, lists, items, users, merges, impressions_lost.

        `items` and `users` are documents that are not deleted; `impressions_lost` items that were shown in answers,
        promised, and lost in a kill before they were written.
        """
        ...

    def close(self) -> None:
        """Let go of the store; what was told is kept."""
        ...


@dataclass(frozen=True)
class Compacted:
    """What `compact` did."""

    moved: int
    dropped: int
    history: int
