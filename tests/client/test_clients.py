"""Both clients against the real service, and against one that fails, over real HTTP."""

import asyncio
import inspect
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from paretail.client import AsyncClient, Client, Event, Item, ItemChange, ListRequest, NewEvent, ServiceError, User
from paretail.client.calls import Call, Table
from paretail.pipeline.live import bodies as b
from paretail.serve.endpoints import ENDPOINTS

from ..serve.client import Service, serving
from ..serve.conftest import create_key
from ..trained import DemoShop
from .conftest import Ask

CALLS: dict[str, Call[Any, Any]] = {name: call for name, call in vars(Table).items() if isinstance(call, Call)}
#: Pages for people.
PAGES = {"GET /docs", "GET /"}


def test_every_endpoint_has_a_method_in_both_clients() -> None:
    assert {call.endpoint for call in CALLS.values()} == {endpoint.name for endpoint in ENDPOINTS} - PAGES
    for name, call in CALLS.items():
        waiting, awaited = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.iscoroutinefunction(awaited)
        assert not inspect.iscoroutinefunction(waiting)
        assert inspect.signature(waiting) == inspect.signature(awaited)
        assert (waiting.__name__, waiting.__doc__) == (name, awaited.__doc__)
        assert call.endpoint in (waiting.__doc__ or "")
    for client in (Client, AsyncClient):
        own = {name for name in vars(client) if not name.startswith("_")}
        assert own == CALLS.keys() | {"run", "close"}
        assert inspect.signature(client) == inspect.signature(Client)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_asks_and_is_answered_as_its_endpoint_says(name: str) -> None:
    call = CALLS[name]
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.name == call.endpoint)
    if isinstance(endpoint.answer, str):
        assert call.answer in (str, dict[str, Any])
    else:
        assert _shape(call.answer) == _shape(endpoint.answer)
    given = [*inspect.signature(getattr(Client, name)).parameters][1:]
    if call.rows:
        assert endpoint.question is not None
        assert (given, [field.encode_name for field in msgspec.structs.fields(endpoint.question)]) == (
            ["rows"],
            [call.rows],
        )
    else:
        fields = [] if endpoint.question is None else [f.name for f in msgspec.structs.fields(endpoint.question)]
        assert sorted(given) == sorted(fields + ["id"] * endpoint.has_id)
        assert call.question is None or _shape(call.question) == _shape(endpoint.question)


def _shape(kind: Any) -> Any:
    """Return the schema of a type without what it says for people."""

    def bare(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {key: bare(value) for key, value in schema.items() if key != "description"}
        return schema

    return bare(msgspec.json.schema(kind))


def test_arguments_are_those_of_the_body_in_words_that_help_shows() -> None:
    found = inspect.signature(Client("http://x").recommend).parameters
    assert found["k"].default == 20
    assert found["user_id"].kind is inspect.Parameter.KEYWORD_ONLY
    assert [*inspect.signature(Client("http://x").merge).parameters] == ["id", "visitor_id"]


# Against the service


def test_every_method_is_answered(ask: Ask, service: Service) -> None:
    at, user = service.address, "every u/1 ü?"
    item = Item("client-1", title="Linen Blazer", category=["Men"], price=89.0, in_stock=True, created=1.5)
    assert ask(at, "put_items", [item]).accepted + ask(at, "put_users", [User(user, {"country": "DK"})]).accepted == 2
    assert ask(at, "change_items", [ItemChange("client-1", price=79.0)]).rows[0].id == "client-1"
    assert ask(at, "item", "client-1").item == msgspec.structs.replace(item, price=79.0)
    assert ask(at, "change_users", (User(user, {"member": True}) for _ in range(1))).accepted == 1
    assert ask(at, "events", [NewEvent(user, "i00000012", "pv", price=1.5)]).accepted == 1
    merged = ask(at, "merge", user, f"visitor {time.monotonic()}")
    assert merged.user_id == user
    profile = ask(at, "profile", user)
    assert (profile.events["view"], profile.attributes) == (merged.events, {"country": "DK", "member": True})
    listed = ask(at, "recommend", user_id=user, events=[Event("i00000040", "pv")], k=3, exclude=["none"], explain=True)
    assert [line.rank for line in listed.items] == [1, 2, 3]
    assert listed.items[0].reason
    page = ask(at, "page", user_id=user, lists=[ListRequest("for-you", 4), ListRequest("trending", 2, "price > 1")])
    assert [len(one.items) for one in page.lists] == [4, 2]
    assert len(ask(at, "page").lists) == 5
    similar = ask(at, "similar", ["i00000012", "i00000040"], "also-bought", k=2).items
    assert {line.item_id for line in similar} <= {"i00000012", "i00000040"}
    assert len(ask(at, "trending", k=4, filter="price > 1").items) == 4
    assert len(ask(at, "categories", items=["i00000012"], k=2).items) == 2
    assert len(ask(at, "friends", user_id="u00000007", k=2).items) == 2
    assert ask(at, "stats", since=0.0, until=1.5).until == 1.5
    assert ask(at, "ready").model_version == listed.model_version
    assert ask(at, "live").status == "live"
    assert "paretail_" in ask(at, "metrics")
    assert ask(at, "openapi")["openapi"] == "3.1.0"
    assert ask(at, "delete_items", ["client-1"]).accepted + ask(at, "forget_users", [user]).accepted == 2
    with pytest.raises(ServiceError) as gone:
        ask(at, "item", "client-1")
    assert (gone.value.status, gone.value.detail.code) == (404, "LIVE-02")


@pytest.mark.parametrize("name", ["a/b", "ü €", "100%", "%2F", "?q#f", "..", ".", "a+b&c=d", "\n", "\x00"])
def test_ids_may_hold_any_character(ask: Ask, service: Service, name: str) -> None:
    assert ask(service.address, "put_items", [Item(name, title="odd")]).accepted == 1
    assert ask(service.address, "item", name).item.item_id == name
    assert ask(service.address, "profile", name).user_id == name


def test_errors_are_told_as_the_service_tells_them(ask: Ask, service: Service) -> None:
    with pytest.raises(ServiceError) as raised:
        ask(service.address, "recommend", filter="price <", request_id="mine")
    error = raised.value
    assert (error.status, error.detail.code, error.request_id) == (422, "FILT-01", "mine")
    assert error.problems[0].found == error.detail.found
    assert str(error).endswith("(FILT-01) [HTTP 422, request mine]")


def test_many_events_are_sent_in_batches_with_a_verdict_for_each(ask: Ask, service: Service) -> None:
    user = f"many {time.monotonic()}"
    events = [NewEvent(user, "i00000012", "pv", event_id=f"{user} {number}") for number in range(2500)]
    events[1500].kind = "veiw"
    answer = ask(service.address, "events", events)
    assert [row.row for row in answer.rows] == list(range(2500))
    assert [row.id for row in answer.rows if row.status == "accepted"] == [e.event_id for e in events if e.kind == "pv"]
    assert answer.rows[1500].error is not None
    assert answer.rows[1500].error.code == "SERV-04"
    again = ask(service.address, "events", events)
    assert (answer.accepted, again.duplicates, again.rejected) == (2499, 2499, 1)


@pytest.fixture(scope="module")
def guarded(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Return the address of a service that needs keys, and one that may ask for five lists a second."""
    store = tmp_path_factory.mktemp("guarded") / "store"
    key = create_key(store, "recommend", "--rate", 5)
    with serving(shop.bundle, store) as running:
        yield running.address, key


def test_a_key_opens_what_it_may_and_is_told_nowhere(ask: Ask, guarded: tuple[str, str]) -> None:
    address, key = guarded
    told = {"key": key}
    assert len(ask(address, "recommend", k=3, options=told).items) == 3
    with pytest.raises(ServiceError) as raised:
        ask(address, "metrics", options=told)
    assert (raised.value.status, raised.value.detail.code) == (403, "KEYS-03")
    with pytest.raises(ServiceError, match="KEYS-02"):
        ask(address, "recommend")
    texts = [str(raised.value), repr(raised.value), repr(Client(address, key)), repr(vars(Client(address, key)))]
    texts.append("".join(traceback.format_exception(raised.value)))
    assert not [text for text in texts if key[-20:] in text]


def test_a_client_waits_until_its_key_may_ask_again(ask: Ask, guarded: tuple[str, str]) -> None:
    started = time.monotonic()
    for _ in range(7):  # of 5 a second, so that the last are told to wait a second, and do
        assert ask(guarded[0], "recommend", k=1, options={"key": guarded[1]}).items
    assert time.monotonic() - started > 1


# The package


def test_the_import_is_light() -> None:
    code = ("import sys, json; before = set(sys.modules); import paretail.client; "
            "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})), "
            "json.dumps([name for name in sys.modules if name.startswith('paretail.')]), sep='\\n')")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, ours = map(json.loads, done.stdout.splitlines())
    assert not {"numpy", "polars", "scipy", "numba", "torch", "pydantic", "starlette", "structlog"} & set(loaded)
    apart = ("paretail.client", "paretail.pipeline.live.bodies.")
    packages = {name for name in ours if not name.startswith(apart)}
    assert packages == {"paretail.core", "paretail.core.errors", "paretail.pipeline", "paretail.pipeline.live",
                        "paretail.pipeline.live.bodies"}  # fmt: skip


def test_one_client_is_shared_by_many_tasks(service: Service) -> None:
    async def run() -> list[b.RecommendAnswer]:
        async with AsyncClient(service.address) as client:
            return await asyncio.gather(*(client.recommend(user_id=f"u0000000{n % 9}", k=5) for n in range(40)))

    answers = asyncio.run(run())
    assert len({answer.request_id for answer in answers}) == 40
    assert all(len(answer.items) == 5 for answer in answers)
