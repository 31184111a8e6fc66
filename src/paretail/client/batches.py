"""Batches: any number of rows, sent in requests that the service takes, and their verdicts as those of one batch."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import uuid4

import msgspec

from paretail.client.errors import ServiceError, failure
from paretail.client.flow import Ask, Flow, answer
from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.pipeline.live.bodies import BatchAnswer, NewEvent, Verdict

#: What the service takes in one request.
MOST_ROWS: Final = 1000
MOST_BYTES: Final = 1 << 20
#: Nothing of the batch was kept: every row is refused, or one that is larger than a request may be.
REFUSED: Final = (413, 422)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(BatchAnswer).decode


def sending(method: str, path: str, field: str, rows: Iterable[Any]) -> Flow[BatchAnswer]:
    """Send rows and return a verdict for each; where every one is rejected the first problem is raised.

    An error ends it: the batches before were answered, those after were not sent. Sending all of them again is safe.
    """
    if isinstance(rows, str | bytes):
        found, expected = f"one {field[:-1]}, {rows!r}, where many go", "A list, or anything that yields rows"
        raise UsageError(Problem("CLNT-03", found, expected, "Put it into a list"))
    joined = BatchAnswer("", 0, 0, 0, [])
    refusal: ServiceError | None = None
    for batch in split(map(row, rows), MOST_BYTES - len(field) - 7):
        body = b'{"%b":[%b]}' % (field.encode(), b",".join(batch))
        try:
            reply = yield Ask(method, path, body)
            if reply.status in REFUSED:
                refusal = refusal or failure(*reply)
                join(joined, rejected(len(batch), failure(*reply)))
            else:
                join(joined, answer(reply, _decode))
        except ParetailError as error:
            if joined.rows:
                error.add_note(f"{len(joined.rows):,} rows were answered before; sending all again counts none twice.")
            raise
    if refusal and not joined.accepted + joined.duplicates:
        raise refusal
    joined.request_id = joined.request_id or uuid4().hex
    return joined


def row(told: Any) -> bytes:
    """Return a row as JSON; an event gets its name here, for good: to send it again is to repeat it."""
    if isinstance(told, NewEvent) and told.event_id is None:
        told.event_id = uuid4().hex
    return _encode(told)


def split(rows: Iterable[bytes], room: int) -> Iterator[list[bytes]]:
    """Yield rows in batches of at most MOST_ROWS and `room` bytes, with commas; a longer row is alone."""
    batch: list[bytes] = []
    left = room
    for told in rows:
        if batch and (len(batch) == MOST_ROWS or len(told) > left):
            yield batch
            batch, left = [], room
        batch.append(told)
        left -= len(told) + 1
    if batch:
        yield batch


def join(joined: BatchAnswer, more: BatchAnswer) -> None:
    """Add the answer to the next batch; its rows go on counting where those before ended."""
    start = len(joined.rows)
    joined.request_id = joined.request_id or more.request_id
    joined.accepted += more.accepted
    joined.duplicates += more.duplicates
    joined.rejected += more.rejected
    joined.rows += [msgspec.structs.replace(verdict, row=verdict.row + start) for verdict in more.rows]


def rejected(count: int, error: ServiceError) -> BatchAnswer:
    """Return the verdicts of a batch of which no row was kept; the service tells the first problem alone."""
    rows = [Verdict(number, "rejected", error=error.detail) for number in range(count)]
    return BatchAnswer(error.request_id or "", 0, 0, count, rows)
