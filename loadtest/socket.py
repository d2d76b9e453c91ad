"""
A WebSocket client that costs its caller little, so that a load test measures the server and not itself.

Frames go out with a mask of zeros: RFC 6455 §5.3 wants one that cannot be guessed, for the sake of proxies,
and there is none on a test bench. Nothing is copied that need not be.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

OnMessage = Callable[[bytes, float], None]
"""Given a text message's bytes and the monotonic second at which they arrived."""


class Refused(Exception):
    """The server answered something else than 101."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class ClientSocket(asyncio.Protocol):
    """
    One connection. Made by :func:`connect`.

    Args:
        on_message: Called for every text message.
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

    def send_text(self, text: bytes) -> None:
        self.transport.write(framed(text))

    def close(self) -> None:
        """Say goodbye and go."""
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


def framed(text: bytes) -> bytes:
    """A client's text frame."""
    length = len(text)
    if length < 126:
        return bytes((0x81, 0x80 | length)) + b"\x00\x00\x00\x00" + text
    if length < 65_536:
        return b"\x81\xfe" + length.to_bytes(2, "big") + b"\x00\x00\x00\x00" + text
    return b"\x81\xff" + length.to_bytes(8, "big") + b"\x00\x00\x00\x00" + text


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
