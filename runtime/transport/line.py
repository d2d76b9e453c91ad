"""A line to one peer over a WebSocket: messages out at once, messages in by callback."""

from __future__ import annotations

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

    def framed(self, text: str) -> bytes:
        """A text message made ready for :meth:`write`, once, however often and whenever it is then sent."""
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

    def framed(self, text: str) -> bytes:
        return text.encode() + _BETWEEN

    def write(self, framed: bytes) -> None:
        for message in framed.split(_BETWEEN)[:-1]:
            self._writer.send_text(message.decode())

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


_BETWEEN = b"\x00"
"""Ends a message inside a joined write; JSON has no such byte (RFC 8259 §7)."""
