"""The service: recommend and similar from a bundle, health, and the OpenAPI document with its page."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from paretail import __version__
from paretail.core.errors import Problem, UsageError
from paretail.pipeline.live import bodies as schema
from paretail.pipeline.recommender import Recommender
from paretail.serve import errors, page
from paretail.serve.answer import recommend, similar

#: Larger bodies are refused before they are read to their end.
MAX_BODY_BYTES = 1 << 20


def create_app(recommender: Recommender) -> FastAPI:
    """Return the ASGI application that answers from `recommender`."""
    app = FastAPI(title="paretail", version=__version__, docs_url=None, redoc_url=None)
    errors.install(app)

    def post(path: str, question: type, answer: type, work: Callable[..., msgspec.Struct], about: str,
             example: dict[str, Any]) -> None:  # fmt: skip
        async def handle(request: Request) -> Response:
            body = await _body(request, question)
            result = await run_in_threadpool(work, recommender, body, uuid4().hex)
            return Response(msgspec.json.encode(result), media_type="application/json")

        described = _described(question, answer, example)
        app.post(path, summary=about, openapi_extra=described, response_class=Response)(handle)

    item_id, user_id = recommender.items.ids.first(), recommender.users.ids.first()
    asked = {"user_id": user_id, "k": 5, "explain": True}
    post("/v1/recommend", schema.RecommendRequest, schema.RecommendAnswer, recommend, "Recommend items", asked)
    asked = {"items": [item_id], "relation": "similar", "k": 5}
    post("/v1/similar", schema.SimilarRequest, schema.SimilarAnswer, similar, "Find related items", asked)

    @app.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", summary="A bundle is loaded and can be asked")
    async def ready() -> dict[str, str]:
        return {"status": "ready", "model_version": recommender.version}

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return HTMLResponse(page.html(app.openapi(), str(request.base_url)))

    return app


async def _body(request: Request, question: type) -> Any:
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY_BYTES:
            found, expected = "the body is too large", f"At most {MAX_BODY_BYTES:,} bytes"
            raise UsageError(Problem("SERV-06", found, expected, "Ask in smaller batches"))
    try:
        return msgspec.json.decode(raw, type=question)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        expected = "A JSON body as the page /docs describes it"
        raise UsageError(Problem("SERV-01", str(error), expected, "Correct the body")) from None


def _described(question: type, answer: type, example: dict[str, Any]) -> dict[str, Any]:
    def content(body: type) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": _inlined(body)}}}

    asked = content(question)
    asked["content"]["application/json"]["example"] = example
    return {
        "requestBody": {"required": True, **asked},
        "responses": {
            "200": {"description": "The answer", **content(answer)},
            "4XX": {"description": "The request cannot be answered", **content(schema.ErrorAnswer)},
        },
    }


def _inlined(body: type) -> dict[str, Any]:
    """Return the JSON schema with every `$ref` replaced by what it names, as the types here never recurse."""
    document = msgspec.json.schema(body)
    parts = document.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(parts[node["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(value) for key, value in node.items()}
        return [resolve(value) for value in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(document)
    return resolved
