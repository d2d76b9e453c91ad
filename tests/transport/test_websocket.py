from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from runtime.errors import TransportClosed
from runtime.transport.websocket import TRY_AGAIN_LATER, WebSocketWriter
from tests.transport.serving import served

KILOBYTE = "x" * 1_000


class Calls:
    """An application whose calls stay open until the test says so."""

    def __init__(self) -> None:
        self.writers: asyncio.Queue[WebSocketWriter] = asyncio.Queue()
        self.ended: list[TransportClosed] = []
        self.over = asyncio.Event()
        self.app = Starlette(routes=[WebSocketRoute("/call", self.call)])

    async def call(self, socket: WebSocket) -> None:
        await socket.accept()
        writer = WebSocketWriter(socket, backlog_bytes=100_000, on_closed=self.ended.append)
        self.writers.put_nowait(writer)
        await self.over.wait()


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    calls = Calls()
    yield calls
    calls.over.set()


async def test_messages_arrive_whole_and_in_order(calls: Calls) -> None:
    async with served(calls.app) as address, websockets.connect(f"ws://{address}/call") as peer:
        writer = await calls.writers.get()
        for n in range(50):
            writer.send_text(f"{n}")
            writer.send_bytes(bytes([n]))
        received = [await peer.recv() for _ in range(100)]
        assert received == [item for n in range(50) for item in (f"{n}", bytes([n]))]
        calls.over.set()


async def test_a_send_that_does_not_block_starts_no_task(calls: Calls) -> None:
    async with served(calls.app) as address, websockets.connect(f"ws://{address}/call") as peer:
        writer = await calls.writers.get()
        before = asyncio.all_tasks()
        for _ in range(20):
            writer.send_text("frame")
        assert asyncio.all_tasks() == before
        assert [await peer.recv() for _ in range(20)] == ["frame"] * 20
        calls.over.set()


async def test_a_slow_reader_gets_everything_later_and_in_order(calls: Calls) -> None:
    async with (
        served(calls.app) as address,
        websockets.connect(f"ws://{address}/call", max_queue=1) as peer,
    ):
        writer = await calls.writers.get()
        sent = 0
        while writer.backlog_bytes < 20_000:
            writer.send_text(f"{sent:06d}{KILOBYTE}")
            sent += 1
            assert sent < 50_000
        received = [str(await peer.recv())[:6] for _ in range(sent)]
        assert received == [f"{n:06d}" for n in range(sent)]
        assert writer.backlog_bytes == 0
        assert writer.closed is None
        calls.over.set()


async def test_a_reader_that_stopped_is_given_up_and_others_are_untouched(calls: Calls) -> None:
    async with (
        served(calls.app) as address,
        websockets.connect(f"ws://{address}/call", max_queue=1, close_timeout=0.1) as stopped,
    ):
        dead = await calls.writers.get()
        healthy = await websockets.connect(f"ws://{address}/call")
        alive = await calls.writers.get()
        while dead.closed is None:
            dead.send_text(KILOBYTE)
        assert dead.closed.close_code == TRY_AGAIN_LATER
        assert "stopped reading" in dead.closed.message
        assert dead.backlog_bytes == 0
        assert calls.ended == [dead.closed]
        dead.send_text("dropped without a word")
        alive.send_text("still here")
        assert await healthy.recv() == "still here"
        await healthy.close()
        calls.over.set()
        stopped.transport.abort()


async def test_a_peer_that_vanished_is_noticed_once(calls: Calls) -> None:
    async with served(calls.app) as address:
        peer = await websockets.connect(f"ws://{address}/call")
        writer = await calls.writers.get()
        peer.transport.abort()
        await peer.wait_closed()
        for _ in range(100):
            writer.send_text(KILOBYTE)
            await asyncio.sleep(0.001)
            if writer.closed is not None:
                break
        assert writer.closed is not None
        assert len(calls.ended) == 1
        calls.over.set()


async def test_close_says_why_after_what_was_written(calls: Calls) -> None:
    async with served(calls.app) as address, websockets.connect(f"ws://{address}/call") as peer:
        writer = await calls.writers.get()
        writer.send_text("last words")
        await writer.close(1001, "going away")
        assert await peer.recv() == "last words"
        await peer.wait_closed()
        assert (peer.close_code, peer.close_reason) == (1001, "going away")
        assert writer.closed is not None
        calls.over.set()


class Gate:
    """An ASGI send that waits for the test, through any number of waits."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.sent: list[Any] = []
        self.fails = False

    async def send(self, message: Any) -> None:
        await self.open.wait()
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("connection reset")
        self.sent.append(message.get("text", message["type"]))


async def test_what_follows_a_blocked_send_queues_behind_it() -> None:
    gate = Gate()
    writer = WebSocketWriter(gate)
    for word in ("one", "two", "three"):
        writer.send_text(word)
    assert writer.backlog_bytes == len("two") + len("three")
    gate.open.set()
    await writer.close()
    assert gate.sent == ["one", "two", "three", "websocket.close"]


async def test_a_blocked_send_that_fails_ends_the_writer() -> None:
    gate = Gate()
    ended: list[TransportClosed] = []
    writer = WebSocketWriter(gate, on_closed=ended.append)
    writer.send_text("one")
    writer.send_text("two")
    gate.fails = True
    gate.open.set()
    await asyncio.sleep(0.01)
    assert writer.closed is not None
    assert ended == [writer.closed]
    assert gate.sent == []


async def test_close_does_not_wait_for_a_peer_that_never_reads() -> None:
    gate = Gate()
    writer = WebSocketWriter(gate)
    writer.send_text("one")
    async with asyncio.timeout(5):
        await writer.close(patience=0.01)
    assert writer.closed is not None
