"""The endpoints of the service as functions, one line each; every client follows from this table.

The arguments of a call are the fields of the body that it sends (`paretail.pipeline.live.bodies`). A list and a page
get their `request_id` and an event its `event_id` before the first attempt, so that a repeat counts once.
"""

from collections.abc import Callable, Iterable
from inspect import Parameter, Signature, signature
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast
from urllib.parse import quote, urlencode
from uuid import uuid4

import msgspec
from msgspec import Struct

from paretail.client.batches import sending
from paretail.client.flow import Ask, Flow, answer
from paretail.pipeline.live import bodies as b

P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row")


class StatsRequest(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Which time; by default the last 30 days."""

    since: b.Moment | None = None
    until: b.Moment | None = None


class Call(Generic[P, T]):
    """One endpoint; to call it does nothing yet, but returns the flow that a client runs."""

    def __init__(
        self, endpoint: str, answer: type[T], question: Callable[..., Struct] | None = None, rows: str = ""
    ) -> None:
        """Describe the endpoint (such as `GET /v1/items/{id}`), its bodies, and the field that holds many rows."""
        self.endpoint, self.answer, self.question, self.rows = endpoint, answer, question, rows
        decode = bytes.decode if answer is str else msgspec.json.Decoder(answer).decode
        self._decode = cast("Callable[[bytes], T]", decode)
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        """Return the flow of this call."""
        method, path = self.endpoint.split()
        given: list[Any] = list(args)
        if "{id}" in path:
            path = path.replace("{id}", _escaped(given.pop(0)))
        if self.rows:
            return cast("Flow[T]", sending(method, path, self.rows, *given, **kwargs))
        question = self.question and _named(self.question(*given, **kwargs))
        if method == "GET":
            return self._flow(Ask(method, path + _query(question)))
        return self._flow(Ask(method, path, msgspec.json.encode(question)))

    @property
    def signature(self) -> Signature:
        """Return the arguments, for `help`."""
        given = [Parameter(name, Parameter.POSITIONAL_ONLY, annotation=annotation)
                 for name, annotation, is_there in (("id", str, "{id}" in self.endpoint), ("rows", Iterable, self.rows))
                 if is_there]  # fmt: skip
        fields = signature(self.question).parameters.values() if self.question else ()
        return Signature([*given, *fields], return_annotation=self.answer)

    def _flow(self, ask: Ask) -> Flow[T]:
        return answer((yield ask), self._decode)


def _named(question: Struct) -> Struct:
    if getattr(question, "request_id", "") is None:
        question.request_id = uuid4().hex  # type: ignore[attr-defined]
    return question


def _escaped(name: str) -> str:
    """Return an id as a part of a path; that it is dots alone must not lead elsewhere."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _query(question: Struct | None) -> str:
    told = {} if question is None else msgspec.to_builtins(question)
    return f"?{urlencode(told)}" if told else ""


def asking(endpoint: str, question: Callable[P, Struct], answer: type[T]) -> Call[P, T]:
    """Return a call whose arguments are the fields of its body or query."""
    return Call(endpoint, answer, question)


def asking_of(endpoint: str, question: Callable[P, Struct], answer: type[T]) -> Call[Concatenate[str, P], T]:
    """Return a call whose first argument is an id in the path, and the others the fields of its body."""
    return Call(endpoint, answer, question)


def naming(endpoint: str, answer: type[T]) -> Call[[str], T]:
    """Return a call whose only argument is an id in the path."""
    return Call(endpoint, answer)


def looking(endpoint: str, answer: type[T]) -> Call[[], T]:
    """Return a call without arguments."""
    return Call(endpoint, answer)


def sending_rows(endpoint: str, field: str, kind: type[Row]) -> Call[[Iterable[Row]], b.BatchAnswer]:
    """Return a call that takes any number of rows and sends them in batches."""
    return Call(endpoint, b.BatchAnswer, rows=field)


class Table:
    """The endpoints; those whose answer is a page for people are left out."""

    recommend = asking("POST /v1/recommend", b.RecommendRequest, b.RecommendAnswer)
    page = asking("POST /v1/page", b.PageRequest, b.PageAnswer)
    similar = asking("POST /v1/similar", b.SimilarRequest, b.SimilarAnswer)
    rank = asking("POST /v1/rank", b.RankRequest, b.RankAnswer)
    categories = asking("POST /v1/categories", b.CategoriesRequest, b.RecommendAnswer)
    friends = asking("POST /v1/friends", b.FriendsRequest, b.RecommendAnswer)
    trending = asking("GET /v1/trending", b.TrendingRequest, b.RecommendAnswer)
    events = sending_rows("POST /v1/events", "events", b.NewEvent)
    merge = asking_of("POST /v1/users/{id}/merge", b.MergeRequest, b.MergeAnswer)
    put_items = sending_rows("PUT /v1/items", "items", b.Item)
    change_items = sending_rows("PATCH /v1/items", "items", b.ItemChange)
    delete_items = sending_rows("DELETE /v1/items", "item_ids", str)
    item = naming("GET /v1/items/{id}", b.ItemAnswer)
    put_users = sending_rows("PUT /v1/users", "users", b.User)
    change_users = sending_rows("PATCH /v1/users", "users", b.User)
    forget_users = sending_rows("DELETE /v1/users", "user_ids", str)
    profile = naming("GET /v1/users/{id}/profile", b.ProfileAnswer)
    stats = asking("GET /v1/stats", StatsRequest, b.StatsAnswer)
    live = looking("GET /health/live", b.Live)
    ready = looking("GET /health/ready", b.Ready)
    metrics = looking("GET /metrics", str)
    openapi = looking("GET /openapi.json", dict[str, Any])
