"""The page /docs: the OpenAPI document as plain HTML that loads nothing, neither scripts nor from elsewhere."""

import json
import re
from collections.abc import Iterator
from html import escape
from shlex import quote
from typing import Any
from urllib.parse import quote as percent_encoded
from urllib.parse import urlencode

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
_FIELDS = "<tr><th>field</th><th>type</th><th>default</th><th>meaning</th></tr>"


def html(document: dict[str, Any], address: str) -> str:
    """Return the page of an OpenAPI document; `address` is that of the service."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [_HEAD.format(title=title), f"<h1>{title}</h1>"]
    parts.append('<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p><ul>')
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for method, path, operation in operations:
        anchor, name = operation["operationId"], escape(f"{method} {path}")
        parts.append(f'<li><a href="#{anchor}"><code>{name}</code></a> {escape(operation["summary"])}</li>')
    parts.append("</ul>")
    page = _Page(document, address.rstrip("/"))
    for operation in operations:
        parts += page.operation(*operation)
    parts += [f"<h2>Errors</h2><p>Every error has the same body.</p><table>{_FIELDS}"]
    parts += page.rows(document["components"]["schemas"]["ErrorAnswer"], "")
    parts += ["</table><table><tr><th>status</th><th>when</th></tr>"]
    for status, answer in document["components"]["responses"].items():
        parts.append(f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>")
    return "\n".join([*parts, "</table>"])


class _Page:
    """Parts of the page of one document."""

    def __init__(self, document: dict[str, Any], address: str) -> None:
        self._document, self._address = document, address

    def operation(self, method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
        """Tell one method of one path."""
        yield f'<h2 id="{operation["operationId"]}"><code>{method} {escape(path)}</code></h2>'
        yield f"<p>{_words(operation['summary'])}. {_words(operation.get('description', ''))}</p>"
        asked = operation.get("requestBody", {}).get("content", {}).get("application/json")
        yield f"<pre>{escape(self._curl(method, path, operation, asked))}</pre>"
        if operation["parameters"]:
            yield f"<h3>Parameters</h3><table>{_FIELDS}"
            yield from (self._parameter(parameter) for parameter in operation["parameters"])
            yield "</table>"
        if asked:
            yield from self._body("Request", asked["schema"])
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                if content["schema"]:
                    yield from self._body(f"Answer {status}", content["schema"])
        others = " ".join(status for status, answer in operation["responses"].items() if "$ref" in answer)
        yield f"<p>Errors: {others}</p>"

    def _curl(self, method: str, path: str, operation: dict[str, Any], asked: dict[str, Any] | None) -> str:
        told = {p["name"]: p["example"] for p in operation["parameters"] if p["in"] == "query" and "example" in p}
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", percent_encoded(parameter["example"], safe=""))
        address = f"{self._address}{path}{'?' if told else ''}{urlencode(told)}"
        how = "" if method in ("GET", "POST") else f" -X {method}"
        body = f" -d {quote(json.dumps(asked['example'], ensure_ascii=False))}" if asked else ""
        return f"curl -s{how}{body} {quote(address)}"

    def _parameter(self, parameter: dict[str, Any]) -> str:
        schema = parameter["schema"]
        default = "required" if parameter["required"] else _default(schema)
        about = parameter.get("description") or schema.get("description", "")
        return _row(parameter["name"], self._type(schema), default, about)

    def _body(self, heading: str, schema: dict[str, Any]) -> Iterator[str]:
        schema = self._resolved(schema)
        rows = list(self.rows(schema, ""))
        yield f"<h3>{escape(heading)}</h3><p>{_words(schema.get('description', ''))}</p>"
        if rows:
            yield f"<table>{_FIELDS}"
            yield from rows
            yield "</table>"

    def rows(self, schema: dict[str, Any], prefix: str) -> Iterator[str]:
        """One row a field; those of objects inside follow the field that holds them."""
        required = set(schema.get("required", ()))
        for name, field in schema.get("properties", {}).items():
            inside, mark = self._inside(field)
            default = "required" if name in required else _default(field)
            about = field.get("description", inside.get("description", ""))
            yield _row(prefix + name, self._type(field), default, about)
            yield from self.rows(inside, f"{prefix}{name}{mark}.")

    def _inside(self, field: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the object that a field holds, and `[]` where it holds a list of them."""
        for choice in field.get("anyOf", [field]):
            resolved = self._resolved(choice)
            if "items" in resolved:
                return self._resolved(resolved["items"]), "[]"
            if "properties" in resolved:
                return resolved, ""
        return {}, ""

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference to a shared schema."""
        if "$ref" not in schema:
            return schema
        shared: dict[str, Any] = self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return shared

    def _type(self, schema: dict[str, Any]) -> str:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(self._type(choice) for choice in schema["anyOf"])
        if "enum" in schema:
            return " or ".join(f'"{value}"' for value in schema["enum"])
        if schema.get("type") == "array":
            return f"list of {self._type(schema['items'])}"
        bounds = [_number(schema[key]) for key in ("minimum", "maximum") if key in schema]
        return f"{schema.get('type', 'any')}{' ' + ' to '.join(bounds) if len(bounds) == 2 else ''}"


def _default(schema: dict[str, Any]) -> str:
    return json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _words(text: str) -> str:
    """Return text as HTML, with what stands in backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _row(name: str, kind: str, default: str, about: str) -> str:
    cells = (f"<code>{escape(name)}</code>", escape(kind), escape(default), _words(about))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
