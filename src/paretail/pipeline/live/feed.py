"""Feed: what a shop tells the live service, judged row by row and turned into what a store keeps."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import UNSET

from paretail.core.clock import DAY_MS
from paretail.core.errors import Problem, nearest
from paretail.data.documents import ItemDocument
from paretail.data.kinds import STANDARD, SYNONYMS
from paretail.data.stores.base import StoredEvent
from paretail.pipeline.live.bodies import BatchAnswer, ErrorDetail, Item, ItemChange, NewEvent, Verdict

#: Fields of an item that a document keeps as they are.
SAME = ("title", "category", "brand", "margin", "in_stock", "parent_id", "hidden")


def stored_event(
    row: NewEvent, words: Mapping[str, str], only: str | None, minor: int, now_ms: int
) -> StoredEvent | Problem:
    """Return the event to keep, or why it cannot be.

    `words` are the shop's words and ours for kinds, `only` the kind of an event that does not tell one.
    """
    kind = only if row.kind is None else words.get(row.kind) or words.get(row.kind.lower())
    if kind is None:
        found = "an event without kind" if row.kind is None else f"event kind {row.kind!r}"
        expected = f"Expected {nearest(row.kind or '', {*words})}"
        return Problem("SERV-04", found, expected, "Name what was done")
    ts_ms = now_ms if row.ts is None else round(row.ts * 1000)
    if ts_ms > now_ms + DAY_MS:
        found = f"ts = {row.ts!r} lies {(ts_ms - now_ms) / DAY_MS:,.1f} days ahead"
        return Problem(
            "LIVE-01", found, "Seconds since 1970 (UTC), at most a day ahead", "Correct the clock or the unit"
        )
    price = None if row.price is None else round(row.price * minor)
    dwell = None if row.dwell is None else round(row.dwell * 1000)
    return StoredEvent(
        row.user_id, row.item_id, kind, ts_ms, row.event_id or uuid4().hex, row.order_id, row.quantity, price,
        row.request_id, row.position, None, dwell,
    )  # fmt: skip


def words_of(told: Mapping[str, str]) -> dict[str, str]:
    """Return every word for a kind: ours, the well-known ones, and what the bundle was told, which counts most."""
    return {**{kind: kind for kind in STANDARD}, **SYNONYMS, **told}


def document(item: Item, minor: int) -> ItemDocument:
    """Return what a shelf keeps of an item."""
    return ItemDocument(
        **{name: getattr(item, name) for name in SAME},
        price_minor=None if item.price is None else round(item.price * minor),
        created_ts_ms=None if item.created is None else round(item.created * 1000),
        attributes=item.attributes,
    )


def item(item_id: str, kept: ItemDocument, minor: int) -> Item:
    """Return an item as the shop tells it."""
    return Item(
        item_id, **{name: getattr(kept, name) for name in SAME},
        price=None if kept.price_minor is None else kept.price_minor / minor,
        created=None if kept.created_ts_ms is None else kept.created_ts_ms / 1000,
        attributes=kept.attributes,
    )  # fmt: skip


def changed(old: Item, change: ItemChange) -> Item:
    """Return the item with what `change` tells, attribute by attribute."""
    told = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    told["attributes"] = old.attributes | change.attributes
    return msgspec.structs.replace(old, **told)


def answer(request_id: str, ids: Sequence[str | None], outcome: Sequence[bool | Problem]) -> BatchAnswer:
    """Return the verdicts: a Problem is rejected, False a duplicate."""
    rows = [
        Verdict(row, "rejected", id_, detail(result)) if isinstance(result, Problem)
        else Verdict(row, "accepted" if result else "duplicate", id_)
        for row, (id_, result) in enumerate(zip(ids, outcome, strict=True))
    ]  # fmt: skip
    counts = {status: sum(row.status == status for row in rows) for status in ("accepted", "duplicate", "rejected")}
    return BatchAnswer(request_id, counts["accepted"], counts["duplicate"], counts["rejected"], rows)


def detail(problem: Problem) -> ErrorDetail:
    """Return a problem as a body."""
    return ErrorDetail(problem.code, problem.found, problem.expected, problem.do)


def id_of(row: Any) -> str | None:
    """Return the name of a row, None for one that could not be read."""
    for name in ("event_id", "item_id", "user_id"):
        if (found := getattr(row, name, None)) is not None:
            return str(found)
    return None


def unknown_item(item_id: str) -> Problem:
    """Return the problem of an item that is not there."""
    do = "Set it whole with PUT /v1/items, or correct the id"
    return Problem("LIVE-02", f"item {item_id!r} is unknown", "An item of the catalogue", do)
