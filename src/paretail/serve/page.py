"""The page /docs: the OpenAPI document as plain HTML that loads nothing, neither scripts nor from elsewhere."""

import json
from collections.abc import Iterator
from html import escape
from shlex import quote
from typing import Any

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
h2 {{ margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #8883 }}
code, pre {{ font: 14px/1.5 ui-monospace, monospace }} pre {{ overflow-x: auto; background: #8882; padding: .7rem }}
</style>"""


def html(document: dict[str, Any], address: str) -> str:
    """Return the page of an OpenAPI document whose schemas hold no references; `address` is that of the service."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [_HEAD.format(title=title), f"<h1>{title}</h1>"]
    parts.append('<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>')
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(method.upper(), path, operation, address.rstrip("/"))
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any], address: str) -> Iterator[str]:
    yield f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>"
    asked = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if asked:
        body = quote(json.dumps(asked["example"], ensure_ascii=False))
        yield f"<pre>curl -s -d {escape(f'{body} {address}{path}')}</pre>"
        yield from _body("Request", asked["schema"])
    for status, answer in operation["responses"].items():
        for content in answer.get("content", {}).values():
            if content.get("schema"):
                yield from _body(f"Answer {status}: {answer['description']}", content["schema"])


def _body(heading: str, schema: dict[str, Any]) -> Iterator[str]:
    rows = list(_rows(schema, ""))
    if rows:
        yield f"<h3>{escape(heading)}</h3><p>{escape(schema.get('description', ''))}</p><table>"
        yield "<tr><th>field</th><th>type</th><th>default</th><th>meaning</th></tr>"
        yield from rows
        yield "</table>"


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    """One row a field; those of objects inside follow the field that holds them."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        inside = field.get("items", field)
        default = "required" if name in required else escape(str(field.get("default", "")))
        cells = (f"<code>{escape(prefix + name)}</code>", escape(_type(field)), default,
                 escape(field.get("description", inside.get("description", ""))))  # fmt: skip
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        yield from _rows(inside, f"{prefix}{name}{'[]' if 'items' in field else ''}.")


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    bounds = [f"{schema[key]:g}" for key in ("minimum", "maximum") if key in schema]
    return f"{schema.get('type', 'any')}{' ' + ' to '.join(bounds) if len(bounds) == 2 else ''}"
