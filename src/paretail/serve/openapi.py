"""The OpenAPI 3.1 document, made from the table of endpoints."""

from typing import Any

import msgspec

from paretail import __version__
from paretail.pipeline.live.bodies import ErrorAnswer
from paretail.serve.endpoints import ENDPOINTS, Endpoint

_REF = "#/components/schemas/{name}"
#: status -> what it means; every error has the same body.
ERRORS = {
    400: "The body, the query or the path is not as described",
    401: "No API key, or one that is unknown or revoked",
    403: "The API key lacks the scope",
    404: "The path, or what it names, is unknown",
    405: "The path has no such method",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "The body is compressed",
    422: "The request is understood and cannot be done",
    429: "Too many requests with this API key",
    500: "A fault of the service",
    503: "Too many requests wait, the answer took too long, or the store cannot be used; see Retry-After",
}


def document() -> dict[str, Any]:
    """Return the document; shared types stand under `components`."""
    bodies = [body for endpoint in ENDPOINTS for body in (endpoint.question, endpoint.answer) if isinstance(body, type)]
    _, schemas = msgspec.json.schema_components([*bodies, ErrorAnswer], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "paretail", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in _of_queries()},
            "responses": {str(status): _failure(status) for status in ERRORS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def statuses(endpoint: Endpoint) -> list[int]:
    """Return the errors that an endpoint may answer with; a path has no others."""
    found = [400, 405, 500, 503]
    if endpoint.scope is not None:
        found += [401, 403, 429]
    if endpoint.reads_body:
        found += [408, 413, 415]
    if endpoint.work is not None:
        found += [404, 422]
    return sorted(found)


def _of_queries() -> set[str]:
    return {e.question.__name__ for e in ENDPOINTS if e.question is not None and not e.reads_body}


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _identifier(endpoint),
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint, schemas),
        "responses": {
            **_success(endpoint),
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses(endpoint)},
        },
    }
    if endpoint.scope is not None:
        operation["description"] = f"Where the service has API keys, one with the scope `{endpoint.scope}` is needed."
        operation["security"] = [{"bearer": []}, {}]
    if endpoint.reads_body:
        content = {"schema": _ref(endpoint.question), "example": endpoint.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _identifier(endpoint: Endpoint) -> str:
    """Return such as `get_users_profile`, a name for a function of a client."""
    words = [word for word in endpoint.path.strip("/").split("/") if word not in ("v1", "{id}")]
    return "_".join([endpoint.method.lower(), *words]).replace(".", "_")


def _parameters(endpoint: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if endpoint.has_id:
        schema = {"type": "string", "minLength": 1, "maxLength": 512}
        found.append({"name": "id", "in": "path", "required": True, "schema": schema,
                      "example": endpoint.example_id,
                      "description": "The shop's id, percent-encoded; slashes too."})  # fmt: skip
    if endpoint.question is not None and not endpoint.reads_body:
        for name, schema in schemas[endpoint.question.__name__]["properties"].items():
            example = {"example": endpoint.example[name]} if name in endpoint.example else {}
            found.append({"name": name, "in": "query", "required": False, "schema": schema, **example})
    return found


def _success(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.path == "/":
        return {"307": {"description": "To the page /docs"}}
    if isinstance(endpoint.answer, str):
        return {"200": {"description": "The answer", "content": {endpoint.answer: {"schema": {}}}}}
    return {"200": {"description": "The answer", "content": {"application/json": {"schema": _ref(endpoint.answer)}}}}


def _failure(status: int) -> dict[str, Any]:
    return {"description": ERRORS[status], "content": {"application/json": {"schema": _ref(ErrorAnswer)}}}


def _ref(body: type | None) -> dict[str, str]:
    assert body is not None
    return {"$ref": _REF.format(name=body.__name__)}
