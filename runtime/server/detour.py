"""
Brings a request about a live call to the process of a fleet that has the call.

A call lives in the process that took it, and the kernel gives a new connection to any of them. So whoever
gets a request that names a call it does not know asks the others, and passes the request on to the one that
does, through a Unix socket of that process's own. To both ends it is one connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from runtime.server.neighbours import Neighbours
from runtime.server.services import Services

log = logging.getLogger(__name__)

HOLDS = "holds"
"""The question whose call it is."""

CALLS = "/v1/realtime/calls/"
MAX_BODY_BYTES = 256 * 2**10
PATIENCE_SECONDS = 30.0

HANDSHAKE = frozenset({b"host", b"connection", b"upgrade", b"content-length"})
"""Headers that belong to one connection, beside all that begin with ``sec-websocket``."""


def holds(services: Services, name: str) -> str:
    """``yes`` where this process has the call of that id, or the one that waits for that token."""
    return "yes" if name in services.webrtc or name in services.calls.broken_lines else ""


class Detour:
    """
    ASGI middleware.

    Args:
        doors: Where each process takes what was passed on to it.
    """

    def __init__(self, app: ASGIApp, *, neighbours: Neighbours, doors: Mapping[int, Path]) -> None:
        self._app = app
        self._neighbours = neighbours
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = await self._door(scope)
        if door is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _pass_request(scope, receive, send, door)
        else:
            await _pass_socket(scope, receive, send, door)

    async def _door(self, scope: Scope) -> Path | None:
        """Where the call is that a request names; None for here, for nowhere, and for none named."""
        name = named_call(scope)
        services: Services | None = scope["app"].state.services if name else None
        if name is None or services is None or scope.get("client") is None or holds(services, name):
            return None  # who has no address came through a door, and is passed on no further
        told = await self._neighbours.ask(HOLDS, name)
        return next((self._doors[number] for number, answer in told.items() if answer), None)


def named_call(scope: Scope) -> str | None:
    """The id or token of a live call that a request is about."""
    if scope["type"] not in ("http", "websocket") or not scope["path"].startswith("/v1/realtime"):
        return None
    if scope["path"].startswith(CALLS):
        name = scope["path"].removeprefix(CALLS).partition("/")[0]
    else:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        name = next(iter(query.get("call_id") or query.get("resume") or ()), "")
    return name if name.isprintable() and " " not in name and 0 < len(name) <= 128 else None


def _target(scope: Scope) -> str:
    query: str = scope["query_string"].decode("latin-1")
    path: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return f"{path}?{query}" if query else path


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name not in HANDSHAKE and not name.startswith(b"sec-websocket")
    ]


async def _pass_request(scope: Scope, receive: Receive, send: Send, door: Path) -> None:
    body = b""
    try:
        async for piece in Request(scope, receive).stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                break
    except ClientDisconnect:
        return
    transport = httpx.AsyncHTTPTransport(uds=str(door))
    async with httpx.AsyncClient(transport=transport, timeout=PATIENCE_SECONDS) as client:
        host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
        url = f"http://{host}{_target(scope)}"
        answer = await client.request(scope["method"], url, headers=_headers(scope), content=body)
    headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"x-request-id"]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


async def _pass_socket(scope: Scope, receive: Receive, send: Send, door: Path) -> None:
    await receive()  # websocket.connect
    host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
    try:
        far = await unix_connect(
            str(door),
            uri=f"ws://{host}{_target(scope)}",
            additional_headers=_headers(scope),
            subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
            compression=None,
            max_size=None,
            ping_interval=None,  # the client's pings go end to end with its own connection
            open_timeout=PATIENCE_SECONDS,
            user_agent_header=None,
        )
    except InvalidStatus as refused:
        answer = refused.response
        headers = [(b"content-type", answer.headers.get("content-type", "text/plain").encode())]
        status = {"type": "websocket.http.response.start", "status": answer.status_code, "headers": headers}
        await send(status)
        await send({"type": "websocket.http.response.body", "body": answer.body or b""})
        return
    async with far:
        await send({"type": "websocket.accept", "subprotocol": far.subprotocol})
        hearing = asyncio.create_task(_to_far(receive, far), name="pass on to the call")
        try:
            await _to_near(send, far)
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])


async def _to_far(receive: Receive, far: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            await far.send(text if text is not None else message["bytes"])
        await far.close(message.get("code") or 1000, message.get("reason") or "")


async def _to_near(send: Send, far: ClientConnection) -> None:
    async for data in far:
        kind = "text" if isinstance(data, str) else "bytes"
        await send({"type": "websocket.send", kind: data})
    with suppress(RuntimeError, OSError):  # the client closed first
        await send({"type": "websocket.close", "code": far.close_code or 1011, "reason": far.close_reason})
