from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from runtime.transport.audiosocket import AudioSocketLine, AudioSocketServer
from runtime.transport.websocket import TRY_AGAIN_LATER
from runtime.wire.audiosocket import CALL_ID, DTMF, framed

CALL = uuid4()


class Calls:
    """Takes every call, and keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[AudioSocketLine] = []
        self.named: list[UUID] = []
        self.heard: list[str | bytes] = []
        self.taken = asyncio.Event()
        self.over = asyncio.Event()

    async def take(self, call: UUID, line: AudioSocketLine) -> None:
        self.named.append(call)
        self.lines.append(line)
        self.taken.set()
        await line.read(self.heard.append)
        self.over.set()


@asynccontextmanager
async def dialled() -> AsyncIterator[tuple[Calls, asyncio.StreamReader, asyncio.StreamWriter]]:
    calls = Calls()
    server = AudioSocketServer(calls.take, host="127.0.0.1", port=0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield calls, reader, writer
    finally:
        writer.close()
        await server.close()


async def test_frames_that_come_with_the_uuid_are_not_lost() -> None:
    async with dialled() as (calls, _, writer):
        writer.write(framed(CALL_ID, CALL.bytes) + framed(DTMF, b"1") + framed(DTMF, b"2")[:2])
        await writer.drain()
        writer.write(framed(DTMF, b"2")[2:])
        writer.close()
        await asyncio.wait_for(calls.over.wait(), 5.0)
        assert calls.named == [CALL]
        assert calls.heard == [framed(DTMF, b"1"), framed(DTMF, b"2")]
        assert calls.lines[0].closed is not None


async def test_what_is_written_leaves_before_the_close() -> None:
    async with dialled() as (calls, reader, writer):
        writer.write(framed(CALL_ID, CALL.bytes) + framed(DTMF, b"1"))
        await asyncio.wait_for(calls.taken.wait(), 5.0)
        line = calls.lines[0]
        line.write(line.framed(framed(0x10, b"\0\1")) + line.framed(framed(0x10, b"\2\3")))
        await line.close()
        line.write(b"never")
        assert await asyncio.wait_for(reader.read(), 5.0) == b"\x10\0\2\0\1\x10\0\2\2\3"
        with pytest.raises(TypeError, match="no text"):
            line.send_text("hello")


async def test_a_peer_that_stopped_reading_is_cut_off() -> None:
    async with dialled() as (calls, _, writer):
        writer.write(framed(CALL_ID, CALL.bytes) + framed(DTMF, b"1"))
        await asyncio.wait_for(calls.taken.wait(), 5.0)
        line = calls.lines[0]
        for _ in range(2_000):
            line.write(bytes(65_536))
            if line.closed is not None:
                break
        assert line.closed is not None
        assert line.closed.close_code == TRY_AGAIN_LATER
        await asyncio.wait_for(calls.over.wait(), 5.0)
