"""A line to one peer over a WebSocket: messages out at once, messages in by callback."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol, TypeAlias

from starlette.websockets import WebSocket

from runtime.errors import TransportClosed
from runtime.transport.websocket import WebSocketWriter

OnMessage: TypeAlias = Callable[[str | bytes], None]

DIRECT = "vivavoce.direct"
"""ASGI extension under which :class:`runtime.transport.direct.DirectProtocol` offers its own line."""


class Line(Protocol):
    """What peers read from and write to. Nothing here waits but :meth:`read` and :meth:`close`."""

    @property
    def closed(self) -> TransportClosed | None:
        """Why nothing can be written any more; None while it can."""
        ...

    def framed(self, message: str | bytes) -> bytes:
        """A message made ready for :meth:`write`, once, however often and whenever it is then sent."""
        ...

    def write(self, framed: bytes) -> None:
        """Send what :meth:`framed` made, or several of them joined. Dropped once closed."""
        ...

    def send_text(self, text: str) -> None:
        """Send a text message. Dropped once closed."""
        ...

    async def read(self, on_message: OnMessage) -> None:
        """
        Give every message to ``on_message``, in order, and return when the peer has gone or was given up.

        An ``on_message`` that raises ends the line; the exception comes out here.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits, then the close; :meth:`read` returns soon after."""
        ...


def open_line(socket: WebSocket) -> Line:
    """The best line to an accepted WebSocket: the server's own where it offers one, else over ASGI."""
    direct = socket.scope.get("extensions", {}).get(DIRECT)
    if direct is not None:
        line: Line = direct
        return line
    return AsgiLine(socket)


class AsgiLine:
    """A line over any ASGI server, one turn of the event loop per message read."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._writer = WebSocketWriter(socket)

    @property
    def closed(self) -> TransportClosed | None:
        return self._writer.closed

    def framed(self, message: str | bytes) -> bytes:
        if isinstance(message, str):
            payload = message.encode()
            return _HEAD.pack(True, len(payload)) + payload
        return _HEAD.pack(False, len(message)) + message

    def write(self, framed: bytes) -> None:
        at = 0
        while at < len(framed):
            is_text, length = _HEAD.unpack_from(framed, at)
            at += _HEAD.size
            payload = framed[at : at + length]
            at += length
            if is_text:
                self._writer.send_text(payload.decode())
            else:
                self._writer.send_bytes(payload)

    def send_text(self, text: str) -> None:
        self._writer.send_text(text)

    async def read(self, on_message: OnMessage) -> None:
        while self._writer.closed is None:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            on_message(message["bytes"] if text is None else text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._writer.close(code, reason)


_HEAD = struct.Struct("!?I")
"""Before each message inside a joined write: whether it is text, and its length in bytes."""
