"""A small real chat endpoint on loopback: it answers what was laid ready, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncOpenAI


def text(*deltas: str) -> list[dict[str, Any]]:
    """Chunks that say something."""
    return [{"content": delta} for delta in deltas]


def tool_call(index: int, *arguments: str, call_id: str, name: str) -> list[dict[str, Any]]:
    """Chunks of one tool call, its arguments in pieces."""
    first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [{"index": index, "function": {"arguments": piece}} for piece in arguments]
    return [{"tool_calls": [piece]} for piece in [first, *rest]]


@dataclass
class ChatEndpoint:
    """One answer for all requests; change it between them."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    stall_after: int | None = None
    """Send so many chunks and then nothing more."""
    break_after: int | None = None
    """Send so many chunks and then hang up in the middle of the body."""
    body: bytes | None = None
    """Sent instead of chunks."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """The client closed its connection before the answer was over."""
    base_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = int(
            next(line for line in head.lower().splitlines() if "content-length" in line).split(":")[1]
        )
        body = await reader.readexactly(length)
        self.requests.append({"head": head, "body": body})
        if self.status != 200 or self.body is not None:
            sent = self.body or json.dumps({"error": {"message": "no", "type": "x", "code": "y"}}).encode()
            kind = "application/json"
            writer.write(
                f"HTTP/1.1 {self.status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(sent)}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            writer.write(sent)
            await writer.drain()
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n"
        )
        for number, delta in enumerate(self.chunks):
            if number == self.stall_after:
                await self._until_hung_up(reader)
                return
            if number == self.break_after:
                return
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            event = b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n"
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()
        if self.stall_after == len(self.chunks):
            await self._until_hung_up(reader)
            return
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    async def _until_hung_up(self, reader: asyncio.StreamReader) -> None:
        await reader.read()
        self.hung_up.set()


@asynccontextmanager
async def chat_endpoint(endpoint: ChatEndpoint) -> AsyncIterator[AsyncOpenAI]:
    """Serve it on a free port, and give a client of it."""
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint.base_url = f"http://127.0.0.1:{port}/v1"
    async with server, AsyncOpenAI(base_url=endpoint.base_url, api_key="test-key") as client:
        yield client
