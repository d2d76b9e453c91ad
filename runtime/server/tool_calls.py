"""
Calls the addresses that agents name as tools, and reaches nothing it should not.

One POST a call: ``{"name", "call_id", "arguments", "session_id"}``. With a secret it carries
``X-Vivavoce-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">``, the form webhooks have elsewhere.
What comes back is given to the model as it is, up to a bound; what goes wrong is told to it in JSON, so that
it can say so to the caller.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection

import httpcore

from runtime.clock import Clock
from runtime.errors import InvalidRequest
from runtime.server.fetch import guarded_pool
from runtime.server.secrets import signature
from sessions.brains.brain import ToolCall
from sessions.brains.tools import ServerTool

MAX_RESULT_BYTES = 6 * 2**10
"""Of an answer that the model is given."""


class HttpTools:
    """
    Args:
        clock: Dates signatures.
        allow_hosts: Names (or ``name:port``) that may be in a private network; all others must be public.
    """

    def __init__(self, clock: Clock, *, allow_hosts: Collection[str] = ()) -> None:
        self._clock = clock
        self._allowed = frozenset(host.lower() for host in allow_hosts)

    async def run(self, tool: ServerTool, call: ToolCall, *, session_id: str) -> str:
        """See :class:`sessions.brains.tools.ToolRunner`."""
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            return _failure("bad_arguments", "the arguments are not JSON")
        body = json.dumps(
            {"name": call.name, "call_id": call.call_id, "arguments": arguments, "session_id": session_id}
        ).encode()
        try:
            async with asyncio.timeout(tool.timeout):
                return await self._post(tool, body)
        except TimeoutError:
            return _failure("timeout", f"no answer in {tool.timeout:g} s")
        except InvalidRequest:
            return _failure("refused", "the address is not on the public internet")
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return _failure("unreachable", "the service cannot be reached")

    async def _post(self, tool: ServerTool, body: bytes) -> str:
        headers = [(b"content-type", b"application/json"), (b"user-agent", b"vivavoce")]
        if tool.secret is not None:
            signed = signature(tool.secret, body, at=self._clock.wall())
            headers.append((b"x-vivavoce-signature", signed.encode()))
        async with (
            guarded_pool(tool.url, self._allowed) as (pool, address, host),
            pool.stream("POST", address, headers=[*headers, host], content=body) as answer,
        ):
            data = bytearray()
            async for piece in answer.aiter_stream():
                data += piece
                if len(data) > MAX_RESULT_BYTES:
                    break
            text = bytes(data[:MAX_RESULT_BYTES]).decode("utf-8", "replace")
            if not 200 <= answer.status < 300:
                return _failure("failed", f"the service answered with status {answer.status}")
            return text


def _failure(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})
