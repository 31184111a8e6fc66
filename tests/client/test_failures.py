"""What the clients do when the service fails, refuses, or is lost after it has done its work; over real HTTP."""

import pickle
import time
from collections.abc import Iterator
from typing import Any

import pytest

from paretail.client import (
    AsyncClient,
    Client,
    ErrorDetail,
    Item,
    ItemChange,
    NewEvent,
    NoAnswerError,
    ServiceError,
    User,
    flow,
)
from paretail.core.errors import UsageError

from ..serve.client import Service, free_port
from .between import FORWARD, LOST_AFTER, LOST_BEFORE, Act, Between, between, refusal
from .conftest import Ask


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "FIRST_PAUSE", 0.01)


def test_what_fails_for_now_is_asked_again_as_the_same_request(ask: Ask) -> None:
    listed = Act(body=b'{"request_id": "r", "model_version": "v", "items": []}')
    acts = LOST_BEFORE, refusal(503), refusal(429, retry_after="0"), listed
    with between(*acts) as server:
        assert ask(server.address, "recommend", user_id="u").items == []
    assert len(server.bodies) == 4
    assert all(body == server.bodies[0] for body in server.bodies)
    assert server.bodies[0] == {"user_id": "u", "request_id": server.bodies[0]["request_id"]}
    assert len(server.bodies[0]["request_id"]) == 32


def test_events_are_sent_again_with_the_names_that_they_got_first(ask: Ask) -> None:
    kept = Act(body=b'{"request_id": "r", "accepted": 2, "duplicates": 0, "rejected": 0, "rows": []}')
    with between(LOST_BEFORE, refusal(502), kept) as server:
        assert ask(server.address, "events", [NewEvent("u", "i"), NewEvent("u", "i")]).accepted == 2
    names = [[event["event_id"] for event in body["events"]] for body in server.bodies]
    assert names == [names[0]] * 3
    assert len(set(names[0])) == 2


def test_other_errors_are_raised_at_once(ask: Ask) -> None:
    statuses = [400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 422, 500, 501]
    with between(*(refusal(status, "SERV-01") for status in statuses)) as server:
        for status in statuses:
            with pytest.raises(ServiceError) as raised:
                ask(server.address, "recommend")
            assert raised.value.status == status
    assert len(server.asked) == len(statuses)


def test_the_last_refusal_is_raised_when_repeats_are_used_up(ask: Ask) -> None:
    with between(last=refusal(503)) as server, pytest.raises(ServiceError) as raised:
        ask(server.address, "live", options={"retries": 2})
    assert (raised.value.status, raised.value.detail.code, len(server.asked)) == (503, "SERV-14", 3)


def test_retry_after_is_waited_for(ask: Ask) -> None:
    with between(refusal(429, retry_after="1")) as server:
        started = time.monotonic()
        assert ask(server.address, "live").status == "live"
        assert 1 <= time.monotonic() - started < 5
    with between(refusal(429, retry_after="3600")) as server, pytest.raises(ServiceError):
        ask(server.address, "live")
    assert len(server.asked) == 1


def test_no_answer_in_time_and_nobody_there(ask: Ask) -> None:
    with between(Act(wait=0.5)) as server:
        assert ask(server.address, "live", options={"timeout": 0.1, "retries": 1}).status == "live"
        assert len(server.asked) == 2
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoAnswerError, match=rf"no answer from {address} after 2 attempts: ConnectError.*\(CLNT-01\)"):
        ask(address, "live", options={"retries": 1})


def test_an_answer_that_is_not_of_the_service_is_told(ask: Ask) -> None:
    acts = [
        Act(body=b"<html>"), Act(body=b'{"status": 5}'), Act(body=b"\xff"), Act(body=b""), Act(status=404, body=b"no"),
        Act(status=302, headers={"location": "http://elsewhere.invalid/"}, body=b""), Act(status=204, body=b""),
    ]  # fmt: skip
    with between(*acts) as server:
        for act in acts:
            with pytest.raises(ServiceError, match="CLNT-02") as raised:
                ask(server.address, "live")
            assert (raised.value.status, raised.value.request_id) == (act.status, None)
    assert len(server.asked) == len(acts)


def test_an_error_passes_between_processes() -> None:
    error = ServiceError(503, ErrorDetail("SERV-14", "f", "e", "d"), "r")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status, again.detail, again.request_id) == (str(error), 503, error.detail, "r")


def test_an_address_may_have_a_path(ask: Ask) -> None:
    for end in ("", "/"):
        with between() as server:
            assert ask(f"{server.address}/shop{end}", "live").status == "live"
        assert server.asked[0][1] == "/shop/health/live"


SECRET = "paretail_0123456789ab_secret"


@pytest.mark.parametrize(
    ("address", "options"),
    [("127.0.0.1:8000", {}), ("ftp://x", {}), ("http://", {}), ("http://x:99999", {}), ("http://x:0", {}),
     ("http://x?a=b", {}), ("", {}), ("http://x y", {}), ("http://x\n", {}), (f"http://u:{SECRET}@x", {}),
     ("http://x", {"key": f"{SECRET}\n"}), ("http://x", {"key": ""}), ("http://x", {"key": f"{SECRET} ü"}),
     ("http://x", {"timeout": 0}), ("http://x", {"retries": -1})],
)  # fmt: skip
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_setting_is_refused_and_no_secret_told(kind: Any, address: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="CLNT-03") as raised:
        kind(address, **options)
    assert SECRET not in str(raised.value)


# An answer that is lost after the service has done its work


@pytest.fixture
def losing(service: Service) -> Iterator[Between]:
    with between(LOST_AFTER, last=FORWARD, upstream=service.address) as server:
        yield server


def test_events_whose_answer_is_lost_are_kept_once(ask: Ask, service: Service, losing: Between) -> None:
    user = f"lost {time.monotonic()}"
    answer = ask(losing.address, "events", [NewEvent(user, f"i0000001{number}", "pv") for number in range(5)])
    assert (len(losing.asked), answer.accepted, answer.duplicates) == (2, 0, 5)
    assert ask(service.address, "profile", user).events == {"view": 5}


def test_a_list_whose_answer_is_lost_counts_as_shown_once(ask: Ask, service: Service, losing: Between) -> None:
    placement = f"lost {time.monotonic()}"
    answer = ask(losing.address, "recommend", user_id="u00000007", k=7, placement=placement)
    assert (len(losing.asked), len(answer.items)) == (2, 7)
    deadline = time.monotonic() + 5
    while not (rows := [row for row in ask(service.address, "stats").rows if row.placement == placement]):
        assert time.monotonic() < deadline
    time.sleep(0.5)  # the second writing, had there been one
    rows = [row for row in ask(service.address, "stats").rows if row.placement == placement]
    assert [(row.lists, row.impressions) for row in rows] == [(1, 7)]


def test_everything_else_may_be_repeated_as_well(ask: Ask, service: Service) -> None:
    visitor = f"visitor {time.monotonic()}"
    repeated: dict[str, Any] = {
        "put_items": [[Item("again", title="t")]], "change_items": [[ItemChange("again", price=2.0)]],
        "merge": [f"user of {visitor}", visitor], "put_users": [[User("again")]], "change_users": [[User("again")]],
        "delete_items": [["again"]], "forget_users": [["again"]],
    }  # fmt: skip
    for name, given in repeated.items():
        with between(LOST_AFTER, last=FORWARD, upstream=service.address) as server:
            ask(server.address, name, *given)
            assert len(server.asked) == 2
