"""
uvicorn's WebSocket protocol, with a short way for small messages.

ASGI takes each message through a queue, a wake-up of the application's task and two calls that stop and start
the socket's reading; a call of 50 packets a second spends most of its time there. Here complete, unfragmented
data frames are parsed in place and may be handed to a callback in the same turn of the loop, and prepared
frames go straight to the transport. Everything else (the handshake, control frames, fragments, whatever is
wrong) is left to uvicorn and the ``websockets`` library, byte for byte.

Applications that know nothing of this see the same ASGI as before. One that has work which may not wait until
all that came in has been read puts it in its lifespan's state, under :data:`BETWEEN`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Opcode
from websockets.http11 import Request

from runtime import metrics
from runtime.errors import TransportClosed
from runtime.transport.line import DIRECT, OnMessage
from runtime.transport.websocket import BACKLOG_BYTES, TRY_AGAIN_LATER

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

FIN = 0x80
MASKED = 0x80
DATA = {FIN | Opcode.TEXT: True, FIN | Opcode.BINARY: False}
"""First bytes of the frames taken here (RFC 6455 §5.2: FIN, no extension bits), and whether they are text."""

USUAL = bytes((FIN | Opcode.TEXT, MASKED | 126))
"""How a text frame of 126 to 65 535 bytes begins: a media message of any carrier."""
USUAL_HEAD = 8
"""Bytes before its payload: these two, two of length, four of mask."""

BETWEEN = "vivavoce.between_messages"
"""Key of the lifespan's state under which stands what is to be called after each message that came in."""

CLOSE_PATIENCE = 2.0
"""Seconds a peer has to take the close message."""


class HandingOver(HttpToolsProtocol):
    """
    Give this to uvicorn as its HTTP protocol, beside :class:`DirectProtocol`.

    Where a WebSocket takes the connection over, uvicorn's own leaves itself and its parser behind, each
    holding the other until somebody collects garbage.
    """

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]


class DirectProtocol(WebSocketsSansIOProtocol):
    """Give this to uvicorn as its WebSocket protocol: ``uvicorn.Config(app, ws=DirectProtocol)``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_message: OnMessage | None = None
        self.line: DirectLine | None = None
        self._between: Callable[[], None] = self.app_state.get(BETWEEN, _nothing)
        self._rest = bytearray()
        # Bytes the frame at the head of _rest needs before it can be taken.
        self._needed = 2
        self._in_fragments = False

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the handshake was in order: the scope stands, and its task has not run
            self.line = DirectLine(self)
            extensions: dict[str, Any] = {**(self.scope["extensions"] or {}), DIRECT: self.line}
            self.scope["extensions"] = extensions

    def connection_lost(self, exc: Exception | None) -> None:
        if self.line is not None:
            self.line.lost()
            # Line and protocol point at each other; freed now, they need no garbage collector.
            self.line = None
            self.scope["extensions"] = {}
        super().connection_lost(exc)
        # So do the library's protocol and its parser, a generator that waits for bytes for ever.
        self.conn.parser.close()

    def data_received(self, data: bytes) -> None:
        if self.on_message is not None and not (self._rest or self._in_fragments):
            taken = self._take_usual(data)
            if taken == len(data):
                return
            data = data[taken:]
        if not self.handshake_initiated or self.close_sent:
            super().data_received(data)
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data, self._rest = bytes(self._rest), bytearray()
        taken = self._take_frames(data)
        if taken < len(data):
            self._rest += data[taken:]

    def _take_usual(self, data: bytes) -> int:
        """Take the media messages at the head of ``data``; returns how many bytes they were."""
        at, end = 0, min(len(data), self.config.ws_max_size)
        while data[at : at + 2] == USUAL and not self.close_sent:
            body = at + USUAL_HEAD
            behind = body + int.from_bytes(data[at + 2 : at + 4])
            if behind > end:
                break
            try:
                message = apply_mask(data[body:behind], data[body - 4 : body]).decode()
            except UnicodeDecodeError:
                break
            self._deliver(message)
            at = behind
        return at

    def _take_frames(self, data: bytes) -> int:
        """Take the whole frames at the head of ``data``; returns how many bytes they were."""
        at, end = 0, len(data)
        self._needed = 2
        while end - at >= 2:
            if not data[at + 1] & MASKED:
                super().data_received(data[at:])  # closes with 1002
                return end
            length = data[at + 1] & 0x7F
            head = 6
            if length == 126:
                head = 8
            elif length == 127:
                head = 14
            if end - at < head:
                self._needed = head
                break
            if length >= 126:
                length = int.from_bytes(data[at + 2 : at + head - 4], "big")
            if length > self.config.ws_max_size:
                super().data_received(data[at:])  # closes with 1009
                return end
            if end - at < head + length:
                self._needed = head + length
                break
            body, size = at + head, head + length
            is_text = DATA.get(data[at])
            if is_text is None or self._in_fragments:
                self._in_fragments = _opens_fragments(data[at], self._in_fragments)
                super().data_received(data[at : at + size])
            elif self.on_message is None:
                super().data_received(data[at : at + size])
            else:
                payload = apply_mask(data[body : at + size], data[body - 4 : body])
                try:
                    self._deliver(payload.decode() if is_text else payload)
                except UnicodeDecodeError:
                    super().data_received(data[at : at + size])  # closes with 1007
            at += size
            if self.close_sent:
                return end
        return at

    def send_receive_event_to_app(self) -> None:
        """A message that came in fragments is whole, and uvicorn would queue it."""
        if self.on_message is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        try:
            message = data.decode() if self.curr_msg_data_type == "text" else data
        except UnicodeDecodeError:
            super().send_receive_event_to_app()  # closes with 1007
            return
        self.frames = []
        self._deliver(message)

    def _deliver(self, message: str | bytes) -> None:
        assert self.on_message is not None
        try:
            self.on_message(message)
        except Exception as error:
            assert self.line is not None
            self.line.fail(error)
        self._between()


def _opens_fragments(first: int, before: bool) -> bool:
    """Whether a fragmented message is open after a frame with this first byte (RFC 6455 §5.4)."""
    opcode = first & 0x0F
    return before if opcode >= Opcode.CLOSE else not first & FIN


class DirectLine:
    """
    A :class:`runtime.transport.line.Line` on the transport itself.

    A peer that lets ``backlog_bytes`` pile up in the transport has stopped reading: it is cut off, and no
    other is touched.
    """

    def __init__(self, protocol: DirectProtocol, *, backlog_bytes: int = BACKLOG_BYTES) -> None:
        self._protocol = protocol
        self._limit = backlog_bytes
        self._write = protocol.transport.write
        self._closed: TransportClosed | None = None
        self._failure: Exception | None = None

    @property
    def closed(self) -> TransportClosed | None:
        return self._closed

    def framed(self, message: str | bytes) -> bytes:
        """A server's frame carries no mask (RFC 6455 §5.1), so it is the same bytes for everybody."""
        if isinstance(message, str):
            first, payload = FIN | Opcode.TEXT, message.encode()
        else:
            first, payload = FIN | Opcode.BINARY, message
        length = len(payload)
        if length < 126:
            return bytes((first, length)) + payload
        if length < 65_536:
            return bytes((first, 126)) + length.to_bytes(2, "big") + payload
        return bytes((first, 127)) + length.to_bytes(8, "big") + payload

    def write(self, framed: bytes) -> None:
        if self._closed is not None:
            return
        self._write(framed)
        if not self._protocol.writable.is_set():
            self._check_backlog()

    def send_text(self, text: str) -> None:
        self.write(self.framed(text))

    async def read(self, on_message: OnMessage) -> None:
        protocol = self._protocol
        protocol.on_message = on_message
        receive: Callable[[], Awaitable[Any]] = protocol.receive
        try:
            # What came before this was asked for stands in ASGI's queue; from now on only the end does.
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                on_message(message["bytes"] if text is None else text)
        finally:
            protocol.on_message = None
        if self._failure is not None:
            raise self._failure
        if self._closed is None:
            self._closed = TransportClosed("the peer has gone", close_code=message.get("code", 1006))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self._closed is None:
            self._closed = TransportClosed("closed by us", close_code=code)
            with contextlib.suppress(Exception):  # gone already, or deaf: there is nobody to tell
                async with asyncio.timeout(CLOSE_PATIENCE):
                    await self._protocol.send({"type": "websocket.close", "code": code, "reason": reason})

    def lost(self) -> None:
        """The connection is gone."""
        if self._closed is None:
            self._closed = TransportClosed("the peer has gone")

    def fail(self, error: Exception) -> None:
        """Reading ends with this error."""
        if self._failure is None:
            self._failure = error
            self._protocol.on_message = _deaf
            self._protocol.queue.put_nowait({"type": "websocket.disconnect", "code": 1011})

    def _check_backlog(self) -> None:
        waiting = self._protocol.transport.get_write_buffer_size()
        if waiting > self._limit:
            metrics.slow_readers.inc()
            self._closed = TransportClosed(
                f"the peer stopped reading: {waiting} bytes wait, {self._limit} may",
                close_code=TRY_AGAIN_LATER,
            )
            self._protocol.transport.abort()


def _deaf(_message: str | bytes) -> None:
    pass


def _nothing() -> None:
    pass
