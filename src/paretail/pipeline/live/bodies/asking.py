"""For whom a question is, and which items it allows."""

from typing import Annotated

from msgspec import Meta, Struct

from paretail.pipeline.live.bodies.words import Filter, Id, Items, Seconds


class Event(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that the visitor did, told with a question and not stored."""

    item_id: Annotated[
        str, Meta(min_length=1, max_length=512, description="With which item; unknown ones are ignored.")
    ]
    kind: Annotated[
        str | None, Meta(description="What: the shop's word or ours; may be left out where there is one kind.")
    ] = None
    ts: Annotated[Seconds | None, Meta(description="When, in seconds UTC; by default now.")] = None
    quantity: Annotated[float, Meta(ge=0, le=1e6, description="How many.")] = 1.0


class Visitor(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """For whom: `user_id`, or `events` of a visitor, or `items` of a session; none of them for somebody unknown."""

    user_id: Annotated[Id | None, Meta(description="The shop's id; an unknown user is served as well.")] = None
    events: Annotated[
        list[Event], Meta(max_length=1000, description="What a visitor did, after the history of `user_id`.")
    ] = []
    items: Annotated[Items, Meta(description="Items of a session, as views; the last one is the newest.")] = []


class Rules(Visitor, forbid_unknown_fields=True, kw_only=True):
    """Which items may be listed."""

    exclude: Annotated[
        list[str] | None,
        Meta(description='Kinds whose items are not recommended again; `["all"]`, `["none"]`; by default the target, '
             "or none where repeat purchases are wanted."),
    ] = None  # fmt: skip
    filter: Annotated[Filter | None, Meta(description="Only items for which this is true.")] = None
    include_items: Annotated[Items, Meta(description="Only these items; empty: any.")] = []
    exclude_items: Annotated[Items, Meta(description="Not these items.")] = []
    out_of_stock: Annotated[bool, Meta(description="List items that are out of stock too.")] = False
    max_age_days: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(description="Only items sold for so many days at most; those that do not tell are listed. By default as "
             "the service is configured."),
    ] = None  # fmt: skip
    variants: Annotated[bool, Meta(description="List several variants of one product.")] = False
    session_id: Annotated[Id | None, Meta(description="Ties calls of one visit together.")] = None
    skip_shown: Annotated[bool, Meta(description="Leave out what this session was shown before.")] = False
    fatigue: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="An item shown so many times to the user without a click steps back by a list's length; "
             "0: never. By default as the service is configured."),
    ] = None  # fmt: skip
    min_relevance: Annotated[
        float, Meta(ge=0, le=1, description="Least score of a listed item, as a share of the user's best item's.")
    ] = 0.0
    explain: Annotated[bool, Meta(description="Tell why each item is in the list.")] = False
    paths: Annotated[
        bool, Meta(description="Tell the strongest ways from the user to each item, with exact counts, up to three.")
    ] = False
    request_id: Annotated[Id | None, Meta(description="Your own name for this request; the same name counts once.")] = (
        None
    )
