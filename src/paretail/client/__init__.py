"""The typed client of a running service: `Client` waits, `AsyncClient` is awaited, queues send events in batches.

Bodies are those of the service; `paretail.pipeline.live.bodies` describes each of their fields.
"""

from paretail.client.async_queues import AsyncEventQueue
from paretail.client.clients import AsyncClient, Client
from paretail.client.errors import NoAnswerError, NotKeptError, QueueFullError, ServiceError
from paretail.client.queues import EventQueue
from paretail.pipeline.live.bodies import ErrorDetail, Event, Item, ItemChange, ListRequest, NewEvent, User

__all__ = [
    "AsyncClient",
    "AsyncEventQueue",
    "Client",
    "ErrorDetail",
    "Event",
    "EventQueue",
    "Item",
    "ItemChange",
    "ListRequest",
    "NewEvent",
    "NoAnswerError",
    "NotKeptError",
    "QueueFullError",
    "ServiceError",
    "User",
]
