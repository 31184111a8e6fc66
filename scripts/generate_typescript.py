"""Write what the TypeScript client knows of the service: `types.d.ts` and `endpoints.js`, from the OpenAPI document.

python scripts/generate_typescript.py            # write the files
python scripts/generate_typescript.py --check    # fail when a file differs from what the code says

The names of the methods are those of the Python client, in the other language's spelling.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretail.client.calls import Call, Table
from paretail.serve.openapi import document

FOLDER = Path(__file__).resolve().parent.parent / "clients" / "typescript"
NOTE = "// Written by scripts/generate_typescript.py from the OpenAPI document; `make docs` writes it anew.\n\n"
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
Schema = dict[str, Any]


def files() -> dict[str, str]:
    """Return the name and the text of every generated file."""
    described = document()
    methods = [_Method(name, call, described) for name, call in vars(Table).items() if isinstance(call, Call)]
    schemas = described["components"]["schemas"]
    queries = {method.query: method.query_schema for method in methods if method.query}
    types = "\n".join([*_interfaces({**schemas, **queries}), *_endpoints_type(methods)])
    table = "".join(f"  {method.name}: {method.entry},\n" for method in methods)
    return {
        "types.d.ts": NOTE + types,
        "endpoints.js": f"{NOTE}export const ENDPOINTS = {{\n{table}}};\n",
    }


class _Method:
    """One method of the client, as the document and the Python client describe it."""

    def __init__(self, name: str, call: Call[Any, Any], described: Schema) -> None:
        self.name = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
        self.method, self.path = call.endpoint.split()
        self.rows = call.rows
        self._schemas = described["components"]["schemas"]
        self._told = described["paths"][self.path][self.method.lower()]
        fields = [one for one in self._told["parameters"] if one["in"] == "query"]
        self.query = f"{self.name[0].upper()}{self.name[1:]}Query" if fields else ""
        self.query_schema = {"properties": {one["name"]: one["schema"] for one in fields}, "required": []}

    @property
    def _body(self) -> str:
        """Return the name of the body's type, empty where there is none."""
        body = self._told.get("requestBody")
        return _kind(body["content"]["application/json"]["schema"]) if body else ""

    @property
    def _answer(self) -> Schema:
        (kind, content), *_ = self._told["responses"]["200"]["content"].items()
        return content["schema"] if kind == "application/json" else {"type": "string"}

    @property
    def entry(self) -> str:
        """Return what the client needs to know to ask."""
        told: dict[str, Any] = {"method": self.method, "path": self.path}
        if self.rows:
            told["rows"] = self.rows
        elif self._body and "request_id" in self._schemas[self._body]["properties"]:
            told["named"] = True
        if self._answer == {"type": "string"}:
            told["text"] = True
        return re.sub(r'"(\w+)":', r"\1:", json.dumps(told))

    def lines(self) -> Iterator[str]:
        """Yield the method's documentation and type."""
        given = ["id: string"] if "{id}" in self.path else []
        if self.rows:
            items = self._schemas[self._body]["properties"][self.rows]["items"]
            # A string is an Iterable<string> too: one id where many go must not pass.
            given.append("rows: readonly string[]" if _kind(items) == "string" else f"rows: Iterable<{_kind(items)}>")
        elif body := self._body or self.query:
            schema = self.query_schema if self.query else self._schemas[body]
            given.append(f"question{'' if schema.get('required') else '?'}: {body}")
        yield f"  /** `{self.method} {self.path}`: {self._told['summary']}. */"
        yield f"  {self.name}({', '.join(given)}): Promise<{_kind(self._answer)}>;"


def _interfaces(schemas: dict[str, Schema]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        if text := schema.get("description"):
            yield f"/** {' '.join(text.split())} */"
        yield f"export interface {name} {{"
        for field, told in schema["properties"].items():
            if text := _comment(told):
                yield f"  /** {text} */"
            yield f"  {field}{'' if field in schema.get('required', ()) else '?'}: {_kind(told)};"
        yield "}\n"


def _comment(schema: Schema) -> str:
    parts = [schema.get("description", "")]
    bounds = [(one.get("minimum"), one.get("maximum")) for one in (schema, *schema.get("anyOf", ()))]
    parts += [f"{low:,.0f} to {high:,.0f}." for low, high in bounds if low is not None and high and high <= 1e6]
    if schema.get("default") not in (None, [], {}, ""):
        parts.append(f"By default {json.dumps(schema['default'])}.")
    return " ".join(filter(None, parts))


def _kind(schema: Schema) -> str:
    """Return the type of a schema; one that says nothing is unknown."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        item = _kind(schema.get("items", {}))
        return f"({item})[]" if " " in item else f"{item}[]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_kind(values) if isinstance(values, dict) else 'unknown'}>"
    return PLAIN.get(schema.get("type", ""), "unknown")


def _endpoints_type(methods: list[_Method]) -> Iterator[str]:
    yield "/** What the service can be asked; rows of any number are sent in batches. */"
    yield "export interface Endpoints {"
    for method in methods:
        yield from method.lines()
    yield "}\n"


def main() -> None:
    """Write the files, or say which are stale."""
    made = files()
    if sys.argv[1:] == ["--check"]:
        stale = [n for n, text in made.items() if not (FOLDER / n).exists() or (FOLDER / n).read_text() != text]
        if stale:
            sys.exit(f"clients/typescript: {', '.join(stale)} differ from the code. Run: make docs")
        return
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
