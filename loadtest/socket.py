"""
Sockets that cost their caller little, so that a load test measures the server and not itself.

Frames go out with a mask of zeros: RFC 6455 §5.3 wants one that cannot be guessed, for the sake of proxies,
and there is none on a test bench. Nothing is copied that need not be.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol, cast
from urllib.parse import urlsplit
from uuid import UUID

OnMessage = Callable[[str | bytes, float], None]
"""Given a text or a binary message, and the monotonic second at which it arrived."""


class Refused(Exception):
    """The server answered something else than 101."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class CallerSocket(Protocol):
    """A connection that carries messages."""

    def send(self, message: str | bytes) -> None: ...

    def close(self) -> None:
        """Say goodbye and go."""
        ...


class ClientSocket(asyncio.Protocol):
    """
    A WebSocket. Made by :func:`connect`.

    Args:
        on_message: Called for every message.
        on_close: Called once, with the close code, 1006 where none came.
    """

    def __init__(self, request: bytes, on_message: OnMessage, on_close: Callable[[int], None]) -> None:
        self._request = request
        self._on_message = on_message
        self._on_close = on_close
        self._upgraded = False
        self._rest = b""
        self._code = 1006
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or Refused(0, "the connection was closed"))
        elif self._upgraded:
            self._on_close(self._code)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        if self._rest:
            data = self._rest + data
        self._rest = data[self._take(data, at) :]

    def send(self, message: str | bytes) -> None:
        self.transport.write(framed(message))

    def close(self) -> None:
        self.transport.write(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        self.transport.close()

    def _take(self, data: bytes, at: float) -> int:
        position = 0
        if not self._upgraded:
            position = self._take_answer(data)
        end = len(data)
        while end - position >= 2:
            opcode = data[position] & 0x0F
            length = data[position + 1]
            head = 2
            if length == 126:
                head = 4
                length = int.from_bytes(data[position + 2 : position + 4], "big")
            elif length == 127:
                head = 10
                length = int.from_bytes(data[position + 2 : position + 10], "big")
            if end - position < head + length:
                break
            payload = data[position + head : position + head + length]
            if opcode == 1:
                self._on_message(payload.decode(), at)
            elif opcode == 2:
                self._on_message(payload, at)
            elif opcode == 8:
                self._code = int.from_bytes(payload[:2], "big") if length >= 2 else 1005
                self.transport.close()
            elif opcode == 9:
                self.transport.write(bytes((0x8A, 0x80 | length)) + b"\x00\x00\x00\x00" + payload)
            position += head + length
        return position

    def _take_answer(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        status, _, reason = data.split(b"\r\n", 1)[0].partition(b" ")[2].partition(b" ")
        if status != b"101":
            if not self.opened.done():
                self.opened.set_exception(Refused(int(status or 0), reason.decode(errors="replace")))
            self.transport.close()
            return len(data)
        self._upgraded = True
        if not self.opened.done():
            self.opened.set_result(None)
        return end + 4


def framed(message: str | bytes) -> bytes:
    """A client's frame."""
    first, payload = (0x81, message.encode()) if isinstance(message, str) else (0x82, message)
    length = len(payload)
    if length < 126:
        return bytes((first, 0x80 | length)) + b"\x00\x00\x00\x00" + payload
    if length < 65_536:
        return bytes((first, 0xFE)) + length.to_bytes(2, "big") + b"\x00\x00\x00\x00" + payload
    return bytes((first, 0xFF)) + length.to_bytes(8, "big") + b"\x00\x00\x00\x00" + payload


async def connect(
    url: str,
    on_message: OnMessage,
    on_close: Callable[[int], None],
    *,
    headers: Mapping[str, str] | None = None,
) -> ClientSocket:
    """
    Open ``ws://host:port/path``.

    Raises:
        Refused: The server said no, and how.
        OSError: It could not be reached.
    """
    parts = urlsplit(url)
    lines = [
        f"GET {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(
        lambda: ClientSocket(request, on_message, on_close), parts.hostname or "", parts.port or 80
    )
    await socket.opened
    return socket


class AudioSocket(asyncio.Protocol):
    """
    Asterisk's end of AudioSocket: frames of a kind, a length and a payload, on bare TCP. Made by
    :func:`connect_audiosocket`.

    Args:
        on_message: Called for the payload of every frame with audio.
        on_close: Called once, with 1000 where the other side hung up, else 1006.
    """

    def __init__(self, call: UUID, on_message: OnMessage, on_close: Callable[[int], None]) -> None:
        self._call = call
        self._on_message = on_message
        self._on_close = on_close
        self._rest = b""
        self._code = 1006
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"\x01\x00\x10" + self._call.bytes)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_close(self._code)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        data = self._rest + data
        place = 0
        while len(data) - place >= 3:
            end = place + 3 + int.from_bytes(data[place + 1 : place + 3], "big")
            if end > len(data):
                break
            if data[place] & 0xF0 == 0x10:
                self._on_message(data[place + 3 : end], at)
            elif data[place] == 0:
                self._code = 1000
            place = end
        self._rest = data[place:]

    def send(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        self._transport.write(message)

    def close(self) -> None:
        self._transport.write(b"\x00\x00\x00")
        self._transport.close()


async def connect_audiosocket(
    url: str, on_message: OnMessage, on_close: Callable[[int], None]
) -> AudioSocket:
    """
    Open ``audiosocket://host:port/uuid``.

    Raises:
        OSError: It could not be reached.
    """
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(
        lambda: AudioSocket(UUID(parts.path.strip("/")), on_message, on_close),
        parts.hostname or "",
        parts.port or 0,
    )
    return socket
