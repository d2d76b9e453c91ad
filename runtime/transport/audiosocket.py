"""Where Asterisk dials in by AudioSocket: a TCP server that asks whose call it is, and the line of one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from runtime.errors import PeerError, TransportClosed
from runtime.transport.line import OnMessage
from runtime.transport.websocket import BACKLOG_BYTES, TRY_AGAIN_LATER
from runtime.wire.audiosocket import FrameReader, call_id

log = logging.getLogger(__name__)

UUID_PATIENCE = 2.0
"""Seconds a connection has to name its call: as long as Asterisk waits for us."""

CLOSE_PATIENCE = 1.0
"""Seconds a peer has to take what was sent before the close."""

READ_BYTES = 16_384

OnCall: TypeAlias = Callable[[UUID, "AudioSocketLine"], Awaitable[None]]


class AudioSocketLine:
    """
    A :class:`runtime.transport.line.Line` of AudioSocket frames; what is written goes out as it is.

    A peer that lets ``backlog_bytes`` pile up has stopped reading: it is cut off.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frames: FrameReader,
        early: list[bytes],
        *,
        backlog_bytes: int = BACKLOG_BYTES,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = frames
        # Came behind the UUID, before anybody read.
        self._early = early
        self._limit = backlog_bytes
        self._closed: TransportClosed | None = None

    @property
    def closed(self) -> TransportClosed | None:
        return self._closed

    def framed(self, message: str | bytes) -> bytes:
        if isinstance(message, str):
            raise TypeError("AudioSocket carries no text")
        return message

    def write(self, framed: bytes) -> None:
        if self._closed is not None:
            return
        self._writer.write(framed)
        transport = self._writer.transport
        if (waiting := transport.get_write_buffer_size()) > self._limit:
            self._closed = TransportClosed(
                f"the peer stopped reading: {waiting} bytes wait", close_code=TRY_AGAIN_LATER
            )
            transport.abort()

    def send_text(self, text: str) -> None:
        self.write(self.framed(text))

    async def read(self, on_message: OnMessage) -> None:
        early, self._early = self._early, []
        for frame in early:
            on_message(frame)
        with contextlib.suppress(ConnectionError):
            while self._closed is None and (data := await self._reader.read(READ_BYTES)):
                for frame in self._frames.push(data):
                    on_message(frame)
        if self._closed is None:
            self._closed = TransportClosed("the peer has gone")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self._closed is None:
            self._closed = TransportClosed("closed by us", close_code=code)
            self._writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(CLOSE_PATIENCE):
                    await self._writer.wait_closed()


class AudioSocketServer:
    """
    Args:
        on_call: Serves one call to its end. A call it does not want, it just returns from.
        host: Address to listen on.
        port: TCP port; 0 picks a free one.
    """

    def __init__(self, on_call: OnCall, *, host: str, port: int) -> None:
        self._on_call = on_call
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The one that is listened on, once started."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Raises OSError when the address is taken."""
        self._server = await asyncio.start_server(self._connected, self._host, self._port)

    async def close(self) -> None:
        """Listen no more, and cut what is still connected."""
        if self._server is not None:
            self._server.close()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            named = await self._named(reader, writer)
            if named is not None:
                await self._on_call(*named)
        finally:
            self._calls.discard(task)
            writer.close()

    async def _named(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[UUID, AudioSocketLine] | None:
        """The call of a connection, and its line; None where it names none in time."""
        reading = FrameReader()
        frames: list[bytes] = []
        try:
            async with asyncio.timeout(UUID_PATIENCE):
                while not frames:
                    data = await reader.read(READ_BYTES)
                    if not data:
                        return None
                    frames = reading.push(data)
            return call_id(frames[0]), AudioSocketLine(reader, writer, reading, frames[1:])
        except (PeerError, TimeoutError, ConnectionError) as error:
            log.warning("an AudioSocket connection named no call: %s", error or type(error).__name__)
            return None
