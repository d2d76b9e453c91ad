"""Write to one WebSocket in order, without ever making the writer of frames wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from runtime import metrics
from runtime.errors import TransportClosed

Message = dict[str, Any]

BACKLOG_BYTES = 256 * 1024
"""Default bound: 20 s of 8 kHz mu-law in base64, 4 s of 24 kHz PCM in base64."""

TRY_AGAIN_LATER = 1013
"""Close code of a reader that fell behind (IANA WebSocket Close Code registry)."""


class SendsMessages(Protocol):
    """The part of Starlette's ``WebSocket`` that is used; any ASGI server's send will do."""

    def send(self, message: Any) -> Coroutine[Any, Any, None]: ...


class WebSocketWriter:
    """
    An ordered, non-blocking writer.

    An ASGI ``send`` is a coroutine, but while the socket takes bytes it finishes without ever waiting. So it
    is driven once by hand, which costs neither a task nor a turn of the loop; only when it does wait (the
    peer's window is full) is it handed to a task, and what follows queues in a backlog behind it. A peer that
    lets the backlog grow past its bound has stopped reading: its call is closed, and no other is touched.

    Args:
        socket: An accepted WebSocket.
        backlog_bytes: How much may wait.
        on_closed: Called once, from the event loop, when the peer is gone or was given up.
    """

    def __init__(
        self,
        socket: SendsMessages,
        *,
        backlog_bytes: int = BACKLOG_BYTES,
        on_closed: Callable[[TransportClosed], None] | None = None,
    ) -> None:
        self._socket = socket
        self._limit = backlog_bytes
        self._on_closed = on_closed
        self._backlog: deque[Message] = deque()
        self._backlog_bytes = 0
        self._flusher: asyncio.Task[None] | None = None
        self._closed: TransportClosed | None = None

    @property
    def closed(self) -> TransportClosed | None:
        """Why nothing can be written any more; None while it can."""
        return self._closed

    @property
    def backlog_bytes(self) -> int:
        """What waits for the peer to read."""
        return self._backlog_bytes

    def send_text(self, text: str) -> None:
        """Write a text message, now or when the peer reads again. Dropped once closed."""
        self._send({"type": "websocket.send", "text": text}, len(text))

    def send_bytes(self, data: bytes) -> None:
        """Write a binary message, now or when the peer reads again. Dropped once closed."""
        self._send({"type": "websocket.send", "bytes": data}, len(data))

    async def close(self, code: int = 1000, reason: str = "", *, patience: float = 1.0) -> None:
        """Write what waits, then the close message; a peer that does not read gets ``patience`` seconds."""
        if self._closed is None:
            self._send({"type": "websocket.close", "code": code, "reason": reason}, 0)
        if (flusher := self._flusher) is not None:
            await asyncio.wait([flusher], timeout=patience)
            flusher.cancel()
        self._end(TransportClosed("closed by us", close_code=code))

    def _send(self, message: Message, size: int) -> None:
        if self._closed is not None:
            return
        if self._flusher is not None:
            self._park(message, size)
            return
        sending = self._socket.send(message)
        try:
            waits_on = sending.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._end(TransportClosed(f"the peer has gone: {error!r}"))
            return
        self._flusher = asyncio.get_running_loop().create_task(
            self._flush(sending, waits_on), name="websocket-flush"
        )

    def _park(self, message: Message, size: int) -> None:
        self._backlog.append(message)
        self._backlog_bytes += size
        if self._backlog_bytes > self._limit:
            waiting = self._backlog_bytes
            metrics.slow_readers.inc()
            self._end(
                TransportClosed(
                    f"the peer stopped reading: {waiting} bytes wait, {self._limit} may",
                    close_code=TRY_AGAIN_LATER,
                )
            )

    async def _flush(self, sending: Coroutine[Any, Any, None], waits_on: asyncio.Future[Any] | None) -> None:
        try:
            await _finish(sending, waits_on)
            while self._backlog:
                message = self._backlog.popleft()
                self._backlog_bytes -= _size(message)
                await self._socket.send(message)
        except Exception as error:
            self._end(TransportClosed(f"the peer has gone: {error!r}"))
        finally:
            self._flusher = None

    def _end(self, reason: TransportClosed) -> None:
        if self._closed is not None:
            return
        self._closed = reason
        self._backlog.clear()
        self._backlog_bytes = 0
        if self._flusher is not None and reason.close_code == TRY_AGAIN_LATER:
            self._flusher.cancel()
        if self._on_closed is not None:
            self._on_closed(reason)


async def _finish(sending: Coroutine[Any, Any, None], waits_on: asyncio.Future[Any] | None) -> None:
    """Go on with a coroutine that was driven by hand up to its first wait."""
    try:
        while True:
            if waits_on is None:
                await asyncio.sleep(0)
            else:
                await asyncio.wait([waits_on])
            waits_on = sending.send(None)
    except StopIteration:
        return
    finally:
        sending.close()


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or b"")
