"""What can be asked of the server: an OpenAPI document for each dialect, and a page to read it."""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from runtime.server.dialects.catalogue import DIALECTS, Dialect
from runtime.server.dialects.route import Access
from runtime.server.once import MAX_KEY_CHARACTERS

VERSION = "1"

VALIDATES_WITH_422 = frozenset({"truedy", "elevenlabs"})
"""Dialects that keep FastAPI's own answer for fields that fail validation; the others answer 400."""

SCHEMA = "#/components/schemas/{model}"

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request is answered as the first time and done once.",
    "schema": {"type": "string", "maxLength": MAX_KEY_CHARACTERS},
}

PHRASES = {
    400: "A field is missing or has a value it cannot have.",
    401: "No key, or one that is unknown, expired or revoked.",
    402: "The credits do not suffice.",
    403: "The key lacks a scope or a role, or the voice's consent was revoked.",
    404: "Unknown, deleted, or somebody else's.",
    408: "The body stopped coming.",
    409: "Not in the present state of the object, or of another request with this `Idempotency-Key`.",
    413: "The body is too large.",
    415: "A body of this kind is not taken here.",
    422: "The request was understood, and what it carries cannot be used.",
    429: "Too many requests, or too many at once.",
    500: "Something went wrong on our side.",
    502: "A service we asked for this did not answer as it should.",
    503: "Not now: there is no room, or what would do the work is being restarted.",
    504: "It is still going on, and took longer than a request may wait.",
}
"""What a refusal means, whoever tells it."""


def document(dialect: Dialect) -> dict[str, Any]:
    """The OpenAPI 3.1 document, made of the models that validate."""
    routes = [route for router in dialect.routers for route in router.routes]
    made = get_openapi(
        title=f"vivavoce: {dialect.title}",
        version=VERSION,
        summary="Served beside the other dialects by one vivavoce server.",
        servers=[
            {"url": f"/d/{dialect.name}", "description": "Where no other dialect answers."},
            {"url": "/", "description": "Where clients of the product expect it."},
        ],
        routes=routes,
    )
    made.setdefault("components", {})["securitySchemes"] = {"key": _scheme(dialect)}
    access = {
        (route.path, method.lower()): route.endpoint.__access__  # type: ignore[attr-defined]
        for route in routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    schemas = made["components"].setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            demanded: Access = access[path, method]
            operation["security"] = [] if demanded.anyone else [{"key": []}]
            if demanded.scope:
                operation["description"] = (
                    f"{operation.get('description', '')} Scope: `{demanded.scope}`.".strip()
                )
            if demanded.once:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            statuses = demanded.refusals(names="{" in path, reads="requestBody" in operation)
            if dialect.name in VALIDATES_WITH_422:
                statuses |= {422}
            operation["responses"].pop("422", None)  # the framework's own
            for status in sorted(statuses):
                operation["responses"][str(status)] = _refusal(dialect, status, schemas)
    return made


def _refusal(dialect: Dialect, status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    """The response object of a refusal; the schemas it needs are put where it points."""
    shape = dialect.refusal(status)
    schema = TypeAdapter(shape.model).json_schema(ref_template=SCHEMA, mode="serialization")
    schemas |= schema.pop("$defs", {})
    schemas[shape.model.__name__] = schema
    pointer = {"$ref": SCHEMA.format(model=shape.model.__name__)}
    said = PHRASES.get(status, f"{HTTPStatus(status).phrase}.")
    return {"description": said, "content": {shape.media_type: {"schema": pointer}}}


def _scheme(dialect: Dialect) -> dict[str, str]:
    if dialect.key_header == "Authorization":
        return {"type": "http", "scheme": "bearer"}
    return {"type": "apiKey", "in": "header", "name": dialect.key_header}


async def openapi(request: Request) -> Response:
    """``/openapi/{dialect}.json``"""
    return JSONResponse(document(_named(request)))


async def page(request: Request) -> Response:
    """``/docs/{dialect}``: every operation with its fields, in one page that loads nothing from elsewhere."""
    dialect = _named(request)
    made = document(dialect)
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in made["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f"<details id='{escape(name)}'><summary>{escape(name)}</summary>{_code(schema)}</details>"
        for name, schema in sorted(made["components"].get("schemas", {}).items())
    )
    return HTMLResponse(
        _PAGE.format(title=escape(made["info"]["title"]), name=dialect.name, body=operations, schemas=schemas)
    )


async def index(_request: Request) -> Response:
    """``/docs``: which dialects there are."""
    items = "".join(
        f"<li><a href='/docs/{one.name}'>{escape(one.title)}</a>"
        f" (<a href='/openapi/{one.name}.json'>OpenAPI</a>)</li>"
        for one in DIALECTS
    )
    return HTMLResponse(_INDEX.format(items=items))


def _named(request: Request) -> Dialect:
    for dialect in DIALECTS:
        if dialect.name == request.path_params["dialect"]:
            return dialect
    raise HTTPException(404)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = {
        name: operation[name] for name in ("parameters", "requestBody", "responses") if name in operation
    }
    text = escape(operation.get("description", ""))
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
        f"<p>{text}</p>{_code(parts) if parts else ''}</details>"
    )


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


_PARTS = ("parameters", "requestBody", "responses")

_STYLE = (
    "<meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}"
    "pre{{background:#8881;padding:1rem;overflow:auto}}summary{{cursor:pointer;padding:.2rem}}</style>"
)
_PAGE = (
    "<!doctype html><title>{title}</title>" + _STYLE + "<h1>{title}</h1>"
    "<p><a href='/openapi/{name}.json'>OpenAPI document</a> · <a href='/docs'>all dialects</a></p>"
    "{body}<h2>Schemas</h2>{schemas}"
)
_INDEX = "<!doctype html><title>vivavoce</title>" + _STYLE + "<h1>APIs of this server</h1><ul>{items}</ul>"

routes = [
    Route("/openapi/{dialect}.json", openapi),
    Route("/docs", index),
    Route("/docs/{dialect}", page),
]
