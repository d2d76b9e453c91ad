"""A line whose far end is in the same process: what is sent can be read, and what is said arrives at once."""

from __future__ import annotations

import asyncio
import struct

from runtime.errors import TransportClosed
from runtime.transport.line import OnMessage

_HEAD = struct.Struct("!?I")
"""Before each message inside a joined write: whether it is text, and its length in bytes."""


class LoopbackLine:
    """
    A :class:`runtime.transport.line.Line` for tests and for trying things out without a socket.

    The far end uses :attr:`sent`, :meth:`say` and :meth:`hang_up`.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        """Every text message, oldest first."""
        self.sent_bytes: list[bytes] = []
        """Every binary message, oldest first."""
        self._closed: TransportClosed | None = None
        self._on_message: OnMessage | None = None
        self._over = asyncio.Event()

    @property
    def closed(self) -> TransportClosed | None:
        return self._closed

    def framed(self, message: str | bytes) -> bytes:
        is_text = isinstance(message, str)
        payload = message.encode() if isinstance(message, str) else message
        return _HEAD.pack(is_text, len(payload)) + payload

    def write(self, framed: bytes) -> None:
        at = 0
        while self._closed is None and at < len(framed):
            is_text, length = _HEAD.unpack_from(framed, at)
            payload = framed[at + _HEAD.size : at + _HEAD.size + length]
            at += _HEAD.size + length
            if is_text:
                self.sent.append(payload.decode())
            else:
                self.sent_bytes.append(payload)

    def send_text(self, text: str) -> None:
        self.write(self.framed(text))

    async def read(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        await self._over.wait()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._end(TransportClosed("closed by us", close_code=code))

    def say(self, message: str | bytes) -> None:
        """The far end sends a message. Nobody hears it before :meth:`read` or after the close."""
        if self._on_message is not None and self._closed is None:
            self._on_message(message)

    def hang_up(self) -> None:
        """The far end goes."""
        self._end(TransportClosed("the peer has gone"))

    def _end(self, reason: TransportClosed) -> None:
        if self._closed is None:
            self._closed = reason
        self._over.set()
