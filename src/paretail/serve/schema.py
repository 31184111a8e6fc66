"""The bodies of requests and answers, as msgspec types; their JSON schema makes the OpenAPI page."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Count = Annotated[int, Meta(ge=1, le=1000)]
Relation = Literal["similar", "also-bought", "together", "alternative"]


class Event(Struct, forbid_unknown_fields=True):
    """One thing that the visitor did. `kind` is ours or the shop's word; `ts` is in seconds (UTC), default now."""

    item_id: Id
    kind: str | None = None
    ts: float | None = None
    quantity: Annotated[float, Meta(ge=0)] = 1.0


class RecommendRequest(Struct, forbid_unknown_fields=True):
    """For whom: `user_id`, or `events` of a visitor, or `items` of a session; one of them, or none for anybody.

    `events` and `items` come after the history of `user_id` where both are given. `exclude` names the kinds whose
    items are not recommended again.
    """

    user_id: Id | None = None
    events: Annotated[list[Event], Meta(max_length=1000)] = []
    items: Annotated[list[Id], Meta(max_length=1000)] = []
    k: Count = 20
    exclude: list[str] | None = None
    explain: bool = False


class RecommendedItem(Struct, omit_defaults=True):
    """One line of the list: rank 1 is the best; `source` says what found it, `reason` says it in words."""

    item_id: str
    rank: int
    score: float
    source: str | None = None
    reason: str | None = None


class RecommendAnswer(Struct):
    """The list, with what is needed to tie later events to it."""

    request_id: str
    model_version: str
    items: list[RecommendedItem]


class SimilarRequest(Struct, forbid_unknown_fields=True):
    """Items that go with `items`; see docs/associations.md for the relations."""

    items: Annotated[list[Id], Meta(min_length=1, max_length=1000)]
    relation: Relation = "similar"
    k: Count = 20


class SimilarItem(Struct, omit_defaults=True):
    """One related item; support, confidence and lift are exact counts of the shop's data, as shares."""

    item_id: str
    rank: int
    similar_item_id: str
    score: float
    support: float | None = None
    confidence: float | None = None
    lift: float | None = None


class SimilarAnswer(Struct):
    """Related items, item by item in the order asked."""

    request_id: str
    model_version: str
    items: list[SimilarItem]


class ErrorDetail(Struct):
    """What was found, what was expected, what to do; `code` has a section in docs/errors.md."""

    code: str
    found: str
    expected: str
    do: str


class ErrorAnswer(Struct):
    """The one shape of every error."""

    error: ErrorDetail
    request_id: str
