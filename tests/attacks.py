"""
One tenant against another: every address that takes an id, with every id there is.

The addresses come from the application's own routes, and what a request must carry from the models that
validate it, so a new route is attacked without a word here. What somebody can own is made by :func:`victim`;
whoever adds a kind of object adds it there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx
from starlette.routing import Route, WebSocketRoute

from runtime.server.app import create_app
from runtime.server.dialects.catalogue import DIALECTS, Dialect
from runtime.server.reference import document
from runtime.settings import Settings
from tests.acceptance.test_omni import call, kept_call
from tests.acceptance.test_pyai import enrol
from tests.live_server import LiveServer

Ids = Mapping[str, str]
"""What somebody owns: a kind of object, and the id of one."""

MEANINGFUL: dict[str, dict[str, Any]] = {
    "/v1/agents/{agent_id}/voice/clone": {"name": "x", "audio_base64": "UklGRg=="},
    "/v1/voice/design/{id}/save": {"candidate_id": "c1", "name": "x"},
    "/v1/keys/{id}": {},
}
"""Bodies that the models alone would not let through."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One operation on somebody else's object."""

    method: str
    path: str
    """With its parameters: ``/v1/voices/{id}``."""
    key_header: str
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def targets(self, mine: Ids, theirs: Ids) -> Iterator[dict[str, str]]:
        """Values for the parameters: one of them at least is theirs, an agent in the way may be mine."""
        every = list(theirs.values())
        choices = [
            [theirs["agent"], mine["agent"]] if name == "agent_id" and len(self.parameters) > 1 else every
            for name in self.parameters
        ]
        for values in product(*choices):
            chosen = dict(zip(self.parameters, values, strict=True))
            if set(chosen.values()) & set(every):
                yield chosen

    def send(self, client: httpx.Client, values: Mapping[str, str], key: str | None) -> httpx.Response:
        bearer = "Bearer " if self.key_header == "Authorization" else ""
        headers = {} if key is None else {self.key_header: f"{bearer}{key}"}
        path = self.path.format(**values)
        return client.request(self.method, path, json=self.body, params=self.query, headers=headers)


def attacks() -> list[Attack]:
    """Every operation of every dialect that needs a key and has an id in its address."""
    return [
        Attack(
            method.upper(),
            path,
            dialect.key_header,
            _body(dialect, path, operation),
            _query(operation),
        )
        for dialect in DIALECTS
        for path, operations in document(dialect)["paths"].items()
        for method, operation in operations.items()
        if "{" in path and operation["security"]
    ]


def undocumented() -> list[str]:
    """Addresses with an id in them that belong to no dialect: sockets, calls, carriers."""
    routes = create_app(Settings()).router.routes
    return sorted(
        {route.path for route in routes if isinstance(route, Route | WebSocketRoute) and "{" in route.path}
    )


def victim(server: LiveServer, key: str, good: bytes) -> dict[str, str]:
    """Let the owner of ``key`` have one of everything; the ids of it, by kind."""
    with server.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
        preview = client.post(
            f"/v1/agents/{agent}/voice/tone-low/preview", json={"text": "Hi"}, headers={"x-api-key": key}
        )
        consent = client.post(
            "/v1/audio/voice_consents",
            data={"name": "x", "language": "en"},
            files={"recording": ("a.wav", good, "audio/wav")},
        )
        webhook = client.post("/v1/webhooks", json={"url": "https://example.com/hook"})
        with call(server, key, session_label=agent) as omni:
            omni.send(type="session_ending")
            omni.until("session_end")
        return {
            "call": kept_call(client)["id"],
            "voice": enrol(client, good)["id"],
            "agent": agent,
            "job": str(preview.json()["user_job_id"]),
            "consent": consent.json()["id"],
            "webhook": webhook.json()["id"],
            "key": client.get("/v1/keys").json()["data"][0]["id"],
        }


def like(id: str) -> str:
    """An id of the same kind and length that never was; of a number, one just below it."""
    prefix, _, rest = id.rpartition("_")
    if rest.isdigit():
        return str(int(rest) - 1 - secrets.randbelow(9)).zfill(len(rest))
    made = "".join(secrets.choice("123456789abcdef") for _ in rest)
    return f"{prefix}_{made}" if prefix else made


def seen(answer: httpx.Response, values: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """What the attacker sees, less what differs between any two requests."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    text = re.sub(r"req_\w+|\d{4}-\d\d-\d\dT[\d:.]+Z", "", answer.text)
    for value in values.values():
        text = text.replace(value, "ID")
    return answer.status_code, headers, text


def _query(operation: Mapping[str, Any]) -> dict[str, str]:
    return {
        parameter["name"]: "1"
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter.get("required")
    }


def _body(dialect: Dialect, path: str, operation: Mapping[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    if path in MEANINGFUL:
        return MEANINGFUL[path]
    content = operation["requestBody"]["content"]
    schemas = document(dialect)["components"]["schemas"]
    made: dict[str, Any] = least(content["application/json"]["schema"], schemas)
    return made


def least(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """The smallest value that a JSON schema takes."""
    if "$ref" in schema:
        return least(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for choice in ("anyOf", "oneOf", "allOf", "enum"):
        if choice in schema:
            first = schema[choice][0]
            return first if choice == "enum" else least(first, schemas)
    match schema.get("type"):
        case "object":
            return {
                name: least(part, schemas)
                for name, part in schema.get("properties", {}).items()
                if name in schema.get("required", ())
            }
        case "array":
            return [least(schema["items"], schemas)] * schema.get("minItems", 0)
        case "string":
            return "x" * max(1, schema.get("minLength", 1))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case kind:
            raise AssertionError(f"what is the least {kind}?")
