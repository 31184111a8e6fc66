"""What is kept: events, items, users, and what became of each row."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from paretail.pipeline.live.bodies.words import Amount, Id, RequestId, Seconds, Text, Version


class NewEvent(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One event to keep."""

    user_id: Id
    item_id: Id
    kind: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="What: the shop's word or ours; needed where there are several."),
    ] = None
    ts: Annotated[Seconds | None, Meta(description="When, in seconds UTC; by default now; at most a day ahead.")] = None
    event_id: Annotated[
        Id | None, Meta(description="Its name: with the same name and item it is kept once. By default a new one.")
    ] = None
    order_id: Id | None = None
    quantity: Annotated[Annotated[float, Meta(ge=0, le=1e6)] | None, Meta(description="How many; null is 1.")] = None
    price: Annotated[Amount | None, Meta(description="Of one, in the reporting currency.")] = None
    request_id: Annotated[Id | None, Meta(description="The answer that it follows from.")] = None
    position: Annotated[Annotated[int, Meta(ge=1, le=100_000)] | None, Meta(description="Its rank there.")] = None
    dwell: Annotated[Annotated[float, Meta(ge=0, le=1e7)] | None, Meta(description="Seconds spent on it.")] = None


class EventsRequest(Struct, forbid_unknown_fields=True):
    """Events to keep; each is judged for itself."""

    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=1000)]


class ErrorDetail(Struct):
    """What was found, what was expected, what to do."""

    code: Annotated[str, Meta(description="Stable; each has a section in docs/errors.md.")]
    found: str
    expected: str
    do: str


class ErrorAnswer(Struct):
    """The one shape of every error."""

    error: ErrorDetail
    request_id: RequestId


class Verdict(Struct, omit_defaults=True):
    """What became of one row."""

    row: Annotated[int, Meta(description="Its place in the batch, from 0.")]
    status: Literal["accepted", "duplicate", "rejected"]
    id: Annotated[str | None, Meta(description="Its event_id, item_id or user_id.")] = None
    error: Annotated[ErrorDetail | None, Meta(description="Where it was rejected.")] = None


class BatchAnswer(Struct):
    """What became of each row; what is accepted is on disk, and the next answer obeys. All rejected is an error."""

    request_id: RequestId
    accepted: int
    duplicates: int
    rejected: int
    rows: list[Verdict]


class Item(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """An item of the catalogue, whole: what is not told is unknown."""

    item_id: Id
    title: Text | None = None
    category: Annotated[
        Annotated[list[Text], Meta(max_length=32)] | None, Meta(description="From the widest to the narrowest.")
    ] = None
    brand: Text | None = None
    price: Annotated[Amount | None, Meta(description="In the reporting currency.")] = None
    margin: Annotated[
        Annotated[float, Meta(le=1, ge=-1000)] | None, Meta(description="Share of the price that is profit.")
    ] = None
    in_stock: Annotated[bool | None, Meta(description="Unknown counts as in stock.")] = None
    created: Annotated[Seconds | None, Meta(description="Since when it is sold, in seconds UTC.")] = None
    parent_id: Annotated[Id | None, Meta(description="The product of which it is a variant.")] = None
    hidden: Annotated[bool, Meta(description="Never list it.")] = False
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200, description="The shop's own; filters may ask for them."),
    ] = {}


class ItemChange(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What changes of an item; what is not told stays, null makes it unknown, attributes change one by one."""

    item_id: Id
    title: Text | UnsetType | None = UNSET
    category: Annotated[list[Text], Meta(max_length=32)] | UnsetType | None = UNSET
    brand: Text | UnsetType | None = UNSET
    price: Amount | UnsetType | None = UNSET
    margin: Annotated[float, Meta(le=1, ge=-1000)] | UnsetType | None = UNSET
    in_stock: bool | UnsetType | None = UNSET
    created: Seconds | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    hidden: bool | UnsetType = UNSET
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200),
    ] = {}


class User(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What the shop knows of a user, whole."""

    user_id: Id
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200, description="The shop's own."),
    ] = {}


class ItemsRequest(Struct, forbid_unknown_fields=True):
    """Items to set."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=1000)]


class ItemChanges(Struct, forbid_unknown_fields=True):
    """Items to change."""

    items: Annotated[list[ItemChange], Meta(min_length=1, max_length=1000)]


class ItemIds(Struct, forbid_unknown_fields=True):
    """Items to delete: they are never listed again, until they are set again."""

    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class UsersRequest(Struct, forbid_unknown_fields=True):
    """Users to set (PUT) or to change attribute by attribute (PATCH)."""

    users: Annotated[list[User], Meta(min_length=1, max_length=1000)]


class UserIds(Struct, forbid_unknown_fields=True):
    """Users to forget: their document, their events and what they were shown are erased."""

    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class ItemAnswer(Struct, omit_defaults=True):
    """An item as it is now."""

    item: Item
    model_version: Version
    learned: Annotated[
        bool,
        Meta(
            description="Whether the model knows it; one that is newer is listed as `new` and `trending`, and "
            "recommended after the next training."
        ),
    ] = True


class MergeRequest(Struct, forbid_unknown_fields=True):
    """A visitor has logged in: what they did, and will do under that id, is the user's."""

    visitor_id: Id


class MergeAnswer(Struct):
    """Who is who."""

    request_id: RequestId
    user_id: str
    visitor_id: str
    events: Annotated[int, Meta(description="Events of the user now, as far as they are held in memory.")]
