"""Requests are taken as they are described, and nothing else is."""

from typing import Any

import msgspec
import pytest

from paretail.pipeline.live.bodies import (
    ErrorAnswer,
    ErrorDetail,
    RecommendAnswer,
    RecommendedItem,
    RecommendRequest,
    SimilarRequest,
)


def read(body: object, kind: type = RecommendRequest) -> Any:
    return msgspec.json.decode(msgspec.json.encode(body), type=kind)


def test_nothing_is_required_of_a_recommendation() -> None:
    assert read({}) == RecommendRequest()


def test_a_full_request() -> None:
    found = read({"user_id": "u", "events": [{"item_id": "a", "kind": "buy", "ts": 1.5, "quantity": 0}], "items": ["b"],
                  "k": 1000, "exclude": [], "explain": True})  # fmt: skip
    assert (found.events[0].item_id, found.events[0].ts, found.items, found.exclude) == ("a", 1.5, ["b"], [])


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"userid": "u"}, "unknown field `userid`"), ({"user_id": ""}, "length >= 1 - at `$.user_id`"),
        ({"user_id": 7}, "got `int` - at `$.user_id`"), ({"user_id": "x" * 513}, "length <= 512"),
        ({"k": 0}, ">= 1 - at `$.k`"), ({"k": 1001}, "<= 1000"), ({"k": "20"}, "got `str`"),
        ({"k": 1.5}, "got `float`"),
        ({"events": [{"kind": "view"}]}, "missing required field `item_id` - at `$.events[0]`"),
        ({"events": [{"item_id": "a", "kinds": "view"}]}, "unknown field `kinds`"),
        ({"events": [{"item_id": "a", "ts": 1_700_000_000_000}]}, "at `$.events[0].ts`"),
        ({"events": [{"item_id": "a", "ts": -1}]}, "at `$.events[0].ts`"),
        ({"events": [{"item_id": "a", "quantity": -1}]}, "at `$.events[0].quantity`"),
        ({"events": [{"item_id": "a"}] * 1001}, "length <= 1000 - at `$.events`"),
        ({"items": ["a"] * 1001}, "length <= 1000 - at `$.items`"), ({"items": [""]}, "at `$.items[0]`"),
        ({"exclude": "all"}, "at `$.exclude`"), ({"explain": 1}, "at `$.explain`"), ([], "Expected `object`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(body: object, place: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        read(body)
    assert place in str(error.value)


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": ["a"], "relation": "alsobought"}, {"items": "a"}])
def test_what_is_no_question_about_items(body: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(body, SimilarRequest)


def test_reasons_are_left_out_where_nobody_asked() -> None:
    answer = RecommendAnswer("r", "v", [RecommendedItem("a", 1, 0.5)])
    assert msgspec.to_builtins(answer)["items"] == [{"item_id": "a", "rank": 1, "score": 0.5}]


def test_the_shape_of_an_error() -> None:
    shape = msgspec.to_builtins(ErrorAnswer(ErrorDetail("SERV-01", "a", "b", "c"), "r"))
    assert shape == {"error": {"code": "SERV-01", "found": "a", "expected": "b", "do": "c"}, "request_id": "r"}
