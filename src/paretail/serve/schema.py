"""The bodies of requests and answers, as msgspec types; their JSON schema makes the OpenAPI document."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Relation = Literal["similar", "also-bought", "together", "alternative"]
Rank = Annotated[int, Meta(description="1 is the best.")]


class Event(Struct, forbid_unknown_fields=True):
    """One thing that the visitor did."""

    item_id: Annotated[
        str, Meta(min_length=1, max_length=512, description="With which item; unknown ones are ignored.")
    ]
    kind: Annotated[
        str | None, Meta(description="What: the shop's word or ours; may be left out where there is one kind.")
    ] = None
    ts: Annotated[
        Annotated[float, Meta(ge=0, le=1e11)] | None, Meta(description="When, in seconds UTC; by default now.")
    ] = None
    quantity: Annotated[float, Meta(ge=0, le=1e6, description="How many.")] = 1.0


class RecommendRequest(Struct, forbid_unknown_fields=True):
    """For whom: `user_id`, or `events` of a visitor, or `items` of a session; none of them for somebody unknown."""

    user_id: Annotated[Id | None, Meta(description="The shop's id; an unknown user is served as well.")] = None
    events: Annotated[
        list[Event], Meta(max_length=1000, description="What a visitor did, after the history of `user_id`.")
    ] = []
    items: Annotated[
        list[Id], Meta(max_length=1000, description="Items of a session, as views; the last one is the newest.")
    ] = []
    k: Annotated[int, Meta(ge=1, le=1000, description="Length of the list.")] = 20
    exclude: Annotated[
        list[str] | None,
        Meta(description='Kinds whose items are not recommended again; `["all"]`, `["none"]`; by default the target, '
             "or none where repeat purchases are wanted."),
    ] = None  # fmt: skip
    explain: Annotated[bool, Meta(description="Tell why each item is in the list.")] = False


class RecommendedItem(Struct, omit_defaults=True):
    """One line of the list."""

    item_id: str
    rank: Rank
    score: Annotated[float, Meta(description="Higher is better; comparable within one list alone.")]
    source: Annotated[str | None, Meta(description="With `explain`: because, again or popular.")] = None
    reason: Annotated[str | None, Meta(description="With `explain`: the same in words, with exact counts.")] = None


class RecommendAnswer(Struct):
    """The list, with what is needed to tie later events to it."""

    request_id: Annotated[str, Meta(description="A name of this answer.")]
    model_version: Annotated[str, Meta(description="The version of the bundle that answered.")]
    items: list[RecommendedItem]


class SimilarRequest(Struct, forbid_unknown_fields=True):
    """Items that go with `items`."""

    items: Annotated[list[Id], Meta(min_length=1, max_length=1000, description="The items asked about.")]
    relation: Annotated[
        Relation, Meta(description="similar: the same people; also-bought; together: in one order; alternative.")
    ] = "similar"
    k: Annotated[int, Meta(ge=1, le=1000, description="Length of each list; a bundle keeps the 30 best.")] = 20


class SimilarItem(Struct, omit_defaults=True):
    """One related item; support, confidence and lift are exact counts of the shop's data, as shares."""

    item_id: Annotated[str, Meta(description="The item asked about.")]
    rank: Rank
    similar_item_id: str
    score: float
    support: Annotated[float | None, Meta(description="Share of all transactions that hold both.")] = None
    confidence: Annotated[float | None, Meta(description="Share of those with the item that hold the other too.")] = (
        None
    )
    lift: Annotated[float | None, Meta(description="Confidence over the other item's own share.")] = None


class SimilarAnswer(Struct):
    """Related items, item by item in the order asked."""

    request_id: Annotated[str, Meta(description="A name of this answer.")]
    model_version: Annotated[str, Meta(description="The version of the bundle that answered.")]
    items: list[SimilarItem]


class ErrorDetail(Struct):
    """What was found, what was expected, what to do."""

    code: Annotated[str, Meta(description="Stable; each has a section in docs/errors.md.")]
    found: str
    expected: str
    do: str


class ErrorAnswer(Struct):
    """The one shape of every error."""

    error: ErrorDetail
    request_id: Annotated[str, Meta(description="A name of this answer.")]
