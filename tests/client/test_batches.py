"""Rows are split as the service takes them, and their verdicts stand where the rows do."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.client import Item, NewEvent, ServiceError
from paretail.client.batches import MOST_BYTES, MOST_ROWS, sending, split
from paretail.client.flow import Ask, Reply
from paretail.core.errors import UsageError
from paretail.pipeline.live.bodies import BatchAnswer


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(10, 100))
def test_batches_hold_every_row_in_order_within_the_bounds(sizes: list[int], room: int) -> None:
    rows = [b"x" * size for size in sizes]
    batches = list(split(rows, room))
    assert [row for batch in batches for row in batch] == rows
    assert all(len(b",".join(batch)) <= room for batch in batches if len(batch) > 1)
    for before, after in pairwise(batches):  # none could have held the first row of the next
        assert len(b",".join([*before, after[0]])) > room


@pytest.mark.parametrize(
    ("rows", "sizes"), [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])]
)
def test_batches_hold_a_thousand_rows(rows: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in split([b"x"] * rows, MOST_BYTES)] == sizes
    assert MOST_ROWS == 1000


def run(rows: list[Any], replies: list[Reply], field: str = "events") -> tuple[BatchAnswer, list[Ask]]:
    asked: list[Ask] = []
    flow = sending("POST", "/v1/events", field, rows)
    reply: Any = None
    try:
        while True:
            asked.append(flow.send(reply))
            reply = replies.pop(0)
    except StopIteration as done:
        return done.value, asked


def verdicts(*statuses: str) -> Reply:
    rows = [{"row": row, "status": status, "id": f"e{row}"} for row, status in enumerate(statuses)]
    counts = {"accepted": statuses.count("accepted"), "duplicates": statuses.count("duplicate"),
              "rejected": statuses.count("rejected")}  # fmt: skip
    return Reply(200, {}, json.dumps({"request_id": "r", "rows": rows, **counts}).encode())


def refused(status: int, request_id: str = "r9") -> Reply:
    told = {"error": {"code": "SERV-04", "found": "f", "expected": "e", "do": "d"}, "request_id": request_id}
    return Reply(status, {}, json.dumps(told).encode())


def test_verdicts_of_several_batches_count_on() -> None:
    rows = [NewEvent("u", "i", event_id=str(number)) for number in range(1002)]
    answer, asked = run(rows, [verdicts(*["accepted"] * 999, "rejected"), verdicts("duplicate", "accepted")])
    assert [row.row for row in answer.rows] == list(range(1002))
    assert [row.status for row in answer.rows[998:]] == ["accepted", "rejected", "duplicate", "accepted"]
    assert (answer.accepted, answer.duplicates, answer.rejected, answer.request_id) == (1000, 1, 1, "r")
    assert [len(json.loads(ask.body or b"")["events"]) for ask in asked] == [1000, 2]


def test_a_batch_that_is_refused_whole_is_rejected_row_by_row() -> None:
    rows = [NewEvent("u", "i")] * 1002
    answer, _ = run(rows, [verdicts(*["accepted"] * 1000), refused(422)])
    assert [(row.row, row.status) for row in answer.rows[999:]] == [
        (999, "accepted"),
        (1000, "rejected"),
        (1001, "rejected"),
    ]
    assert answer.rows[1001].error is not None
    assert (answer.rows[1001].error.code, answer.accepted, answer.rejected) == ("SERV-04", 1000, 2)


def test_where_every_row_is_rejected_the_first_problem_is_raised() -> None:
    with pytest.raises(ServiceError) as raised:
        run([NewEvent("u", "i")] * 1002, [refused(422, "first"), refused(422, "second")])
    assert (raised.value.status, raised.value.detail.code, raised.value.request_id) == (422, "SERV-04", "first")


def test_an_error_on_the_way_says_how_far_it_came() -> None:
    with pytest.raises(ServiceError) as raised:
        run([NewEvent("u", "i")] * 2002, [verdicts(*["accepted"] * 1000), refused(403)])
    assert raised.value.__notes__ == ["1,000 rows were answered before; sending all again counts none twice."]


def test_nothing_to_send_is_an_answer_without_rows() -> None:
    answer, asked = run([], [])
    assert (answer.rows, answer.accepted, asked) == ([], 0, [])
    assert len(answer.request_id) == 32


def test_an_event_gets_its_name_once_and_keeps_it() -> None:
    event, named = NewEvent("u", "i"), NewEvent("u", "i", event_id="mine")
    (_, first), (_, second) = (run([event, named], [verdicts("accepted", "accepted")]) for _ in range(2))
    assert first[0].body == second[0].body
    assert json.loads(first[0].body or b"")["events"][1]["event_id"] == "mine"
    assert event.event_id is not None
    assert len(event.event_id) == 32


def test_large_rows_are_sent_in_requests_that_the_service_takes() -> None:
    rows = [Item(f"i{number}", title="x" * 2000) for number in range(1000)]
    _, asked = run(rows, [verdicts(*["accepted"] * 517), verdicts(*["accepted"] * 483)], "items")
    sizes = [len(ask.body or b"") for ask in asked]
    assert len(sizes) == 2
    assert max(sizes) <= MOST_BYTES
    assert [row for ask in asked for row in json.loads(ask.body or b"")["items"]] == msgspec.to_builtins(rows)


@pytest.mark.parametrize("one", ["i00000012", b"i1"])
def test_one_id_is_no_list_of_ids(one: Any) -> None:
    with pytest.raises(UsageError, match=r"CLNT-03"):
        run(one, [], "item_ids")
