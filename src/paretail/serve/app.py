"""The service: every endpoint of the table as a route, and what is not in the table told in the one shape."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.routing import Route, Router

from paretail.pipeline.live.bodies import Live, Ready
from paretail.serve import page
from paretail.serve.endpoints import ENDPOINTS, Endpoint
from paretail.serve.errors import no_such_path
from paretail.serve.handle import Own, Path, Receive, Reply, Scope, Send, Works, failed, send_reply
from paretail.serve.openapi import document
from paretail.serve.reading import Body


class _Id(Convertor[str]):
    """Any characters, slashes and line ends too; `reading.id_in` reads the id itself."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _Id())


def create_app(works: Works) -> Router:
    """Return the ASGI application that answers from `works`."""
    own = _own(works)
    routes = [
        Route(path.replace("{id}", "{id:id}"), Path(works, path, methods, own.get(path)))
        for path, methods in by_path().items()
    ]
    return Router(routes, redirect_slashes=False, default=_Unknown(works))


def by_path() -> dict[str, dict[str, Endpoint]]:
    """Return the endpoints of the table as path -> method -> endpoint."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return paths


class _Unknown:
    """Answers for the paths that are not in the table."""

    def __init__(self, works: Works) -> None:
        self._works = works

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that there is no such path."""
        self._works.metrics.began()
        reply = failed(no_such_path(scope["path"]), uuid4().hex, "other", ())
        await send_reply(send, reply)
        self._works.metrics.ended("other", reply.status, 0.0)
        await Body(dict(scope["headers"]), receive).discard()


def _own(works: Works) -> Mapping[str, Own]:
    """Return what the service answers from its own knowledge."""
    described = document()
    as_json = msgspec.json.encode(described)

    def plain(answer: Any) -> Reply:
        return Reply(200, msgspec.json.encode(answer), uuid4().hex)

    def metrics() -> Reply:
        return Reply(200, works.metrics.text(), uuid4().hex, "text/plain; version=0.0.4; charset=utf-8")

    def docs(scope: Scope) -> Reply:
        text = page.html(described, str(Request(scope).base_url))
        return Reply(200, text.encode(), uuid4().hex, "text/html; charset=utf-8")

    return {
        "/health/live": lambda scope: plain(Live()),
        "/health/ready": lambda scope: plain(Ready(works.shop.version, works.shop.problems())),
        "/metrics": lambda scope: works.threads.ask(metrics),
        "/docs": docs,
        "/openapi.json": lambda scope: Reply(200, as_json, uuid4().hex),
        "/": lambda scope: Reply(307, b"", uuid4().hex, "", [("location", "/docs")]),
    }
