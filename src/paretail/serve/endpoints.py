"""The endpoints of the service, one line each: routes, OpenAPI document, pages and tests follow from this table."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from paretail.core.errors import UsageError
from paretail.pipeline.live import bodies as b
from paretail.pipeline.live.shop import LiveShop
from paretail.pipeline.outflow import moment
from paretail.serve.scopes import Scope

#: What is seconds, not a date; 20261101 would be either.
NUMBER = re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?", re.ASCII)


class Asked(NamedTuple):
    """A request, decoded: the id in its path, its body or query, and the rows of a batch (a Problem for a bad one)."""

    name: str
    question: Any
    rows: list[Any]


class Rows(NamedTuple):
    """Which field of a question holds its rows, and what each of them is."""

    field: str
    kind: type[Struct]


@dataclass(frozen=True)
class Endpoint:
    """One method of one path; without `work` the service answers for itself, and `answer` may be no JSON."""

    method: str
    path: str
    scope: Scope | None
    summary: str
    answer: type[Struct] | str
    work: Callable[[LiveShop, Asked], Struct] | None = None
    question: type[Struct] | None = None
    rows: Rows | None = None
    example: dict[str, Any] = field(default_factory=dict)
    slow: bool = False  # one at a time, so that nothing else waits for it
    together: bool = False  # questions in flight are answered by one `LiveShop.recommend_many`

    @property
    def name(self) -> str:
        """Such as `POST /v1/recommend`."""
        return f"{self.method} {self.path}"

    @property
    def reads_body(self) -> bool:
        """Whether the question is the body; that of a GET is its query."""
        return self.question is not None and self.method != "GET"

    @property
    def has_id(self) -> bool:
        """Whether the path holds an id."""
        return "{id}" in self.path

    @property
    def example_id(self) -> str:
        """An id for its path."""
        return str(_ITEM["item_id"] if self.path.startswith("/v1/items/") else _USER["user_id"])


class StatsRequest(Struct, forbid_unknown_fields=True):
    """Which time; by default the last 30 days. Once it is read both are seconds."""

    since: Annotated[b.Moment | None, Meta(description="From then on: seconds since 1970, or such as 2026-11-01.")] = (
        None
    )
    until: Annotated[b.Moment | None, Meta(description="Before then, likewise; by default now.")] = None

    def __post_init__(self) -> None:
        """Turn dates into seconds; raises ValueError."""
        self.since, self.until = _seconds("since", self.since), _seconds("until", self.until)


def _seconds(name: str, told: float | str | None) -> float | None:
    if not isinstance(told, str):
        return told
    try:
        return msgspec.convert(told if NUMBER.fullmatch(told) else moment(told) / 1000, b.Seconds, strict=False)
    except (UsageError, msgspec.ValidationError) as error:
        found = error.problems[0].found if isinstance(error, UsageError) else str(error)
        raise ValueError(f"{name}: {found}; seconds since 1970 or a date such as 2026-11-01 is expected") from None


_EVENT = {"user_id": "u00000007", "item_id": "i00000012", "kind": "pv", "event_id": "e1"}
_ITEM = {"item_id": "i00000012", "title": "Linen Blazer", "category": ["Men", "Coats"], "price": 89.0, "in_stock": True}
_USER = {"user_id": "u00000007", "attributes": {"country": "DK"}}

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST", "/v1/recommend", "recommend", "Recommend items for a user, a visitor or anybody", b.RecommendAnswer,
        lambda shop, asked: shop.recommend(asked.question), b.RecommendRequest,
        example={"user_id": "u00000007", "k": 5, "explain": True}, together=True,
    ),
    Endpoint(
        "POST", "/v1/page", "recommend", "Fill several lists of one page, no item twice", b.PageAnswer,
        lambda shop, asked: shop.page(asked.question), b.PageRequest,
        example={"user_id": "u00000007", "lists": [{"placement": "for-you"}, {"placement": "trending", "k": 5}]},
    ),
    Endpoint(
        "POST", "/v1/similar", "recommend", "Find what goes with items", b.SimilarAnswer,
        lambda shop, asked: shop.similar(asked.question), b.SimilarRequest,
        example={"items": ["i00000012"], "relation": "similar", "k": 5},
    ),
    Endpoint(
        "POST", "/v1/rank", "recommend", "Rank your own candidates by what they are worth", b.RankAnswer,
        lambda shop, asked: shop.rank(asked.question), b.RankRequest,
        example={"user_id": "u00000007", "candidates": ["i00000012", "i00000014"], "by": "purchase"},
    ),
    Endpoint(
        "POST", "/v1/categories", "recommend", "Recommend categories, where a bundle of them is served",
        b.RecommendAnswer, lambda shop, asked: shop.categories(asked.question), b.CategoriesRequest,
        example={"user_id": "u00000007", "k": 3},
    ),
    Endpoint(
        "POST", "/v1/friends", "recommend", "Recommend people, where a bundle of them is served", b.RecommendAnswer,
        lambda shop, asked: shop.friends(asked.question), b.FriendsRequest, example={"user_id": "u00000007", "k": 3},
    ),
    Endpoint(
        "GET", "/v1/trending", "recommend", "List what many want of late", b.RecommendAnswer,
        lambda shop, asked: shop.trending(asked.question), b.TrendingRequest, example={"k": 5},
    ),
    Endpoint(
        "POST", "/v1/events", "events", "Keep events; the next answer knows them", b.BatchAnswer,
        lambda shop, asked: shop.add_events(asked.rows), b.EventsRequest, Rows("events", b.NewEvent),
        {"events": [_EVENT]},
    ),
    Endpoint(
        "POST", "/v1/users/{id}/merge", "events", "Say that a visitor is this user", b.MergeAnswer,
        lambda shop, asked: shop.merge(asked.name, asked.question), b.MergeRequest, example={"visitor_id": "v1"},
    ),
    Endpoint(
        "PUT", "/v1/items", "admin", "Set items, whole", b.BatchAnswer,
        lambda shop, asked: shop.put_items(asked.rows), b.ItemsRequest, Rows("items", b.Item), {"items": [_ITEM]},
    ),
    Endpoint(
        "PATCH", "/v1/items", "admin", "Change what is told of items", b.BatchAnswer,
        lambda shop, asked: shop.change_items(asked.rows), b.ItemChanges, Rows("items", b.ItemChange),
        {"items": [{"item_id": "i00000012", "price": 79.0, "in_stock": False}]},
    ),
    Endpoint(
        "DELETE", "/v1/items", "admin", "Delete items: they are not listed again", b.BatchAnswer,
        lambda shop, asked: shop.delete_items(asked.question.item_ids), b.ItemIds,
        example={"item_ids": ["no longer sold"]},
    ),
    Endpoint(
        "GET", "/v1/items/{id}", "read", "Show an item as it is now", b.ItemAnswer,
        lambda shop, asked: shop.item(asked.name),
    ),
    Endpoint(
        "PUT", "/v1/users", "admin", "Set users, whole", b.BatchAnswer,
        lambda shop, asked: shop.put_users(asked.rows), b.UsersRequest, Rows("users", b.User), {"users": [_USER]},
    ),
    Endpoint(
        "PATCH", "/v1/users", "admin", "Change attributes of users", b.BatchAnswer,
        lambda shop, asked: shop.change_users(asked.rows), b.UsersRequest, Rows("users", b.User), {"users": [_USER]},
    ),
    Endpoint(
        "DELETE", "/v1/users", "admin", "Forget users: all that is kept of them is erased", b.BatchAnswer,
        lambda shop, asked: shop.forget_users(asked.question.user_ids), b.UserIds,
        example={"user_ids": ["wants to be forgotten"]},
    ),
    Endpoint(
        "GET", "/v1/users/{id}/profile", "read", "Show a user's interests in words and numbers", b.ProfileAnswer,
        lambda shop, asked: shop.profile(asked.name),
    ),
    Endpoint(
        "GET", "/v1/stats", "read", "Count what followed from what was shown", b.StatsAnswer,
        lambda shop, asked: shop.stats(asked.question.since, asked.question.until), StatsRequest, slow=True,
    ),
    Endpoint("GET", "/health/live", None, "Say that the process answers", b.Live),
    Endpoint("GET", "/health/ready", None, "Say which bundle can be asked", b.Ready),
    Endpoint("GET", "/metrics", "read", "Count requests, batches and what is held, for Prometheus", "text/plain"),
    Endpoint("GET", "/docs", None, "Describe every field of every request and answer, for people", "text/html"),
    Endpoint("GET", "/openapi.json", None, "Describe the same for programs (OpenAPI 3.1)", "application/json"),
    Endpoint("GET", "/", None, "Lead to the page /docs", "text/html"),
)  # fmt: skip
