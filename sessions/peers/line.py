"""One socket after another, read and written as if it were one: a line that may break and come back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

RESUME_WITHIN = 30.0
"""Seconds in which a broken line may be taken up again."""

BROKEN = frozenset({1005, 1006, 1011, 1012})
"""Close codes that are no farewell: none was sent, the line was lost, or a proxy on the way gave up."""

MISSED_BYTES = 256 * 2**10
"""What is kept for a client while its line is down; more than that ends the call."""


class Socket(Protocol):
    """The part of an ASGI WebSocket that is used, as Starlette has it."""

    async def receive(self) -> Mapping[str, Any]: ...

    async def send(self, message: Any) -> None: ...


class ResumableLine:
    """
    A socket whose breaks are hidden.

    While the line is down, what is sent waits; what was on its way when it broke may be lost. The owner is
    told of a break by :attr:`on_break`, and by :attr:`on_return` of the new socket, before anything that
    waited is sent there.

    Args:
        socket: Accepted.
        within: Seconds a break may last.
    """

    def __init__(self, socket: Socket, *, within: float = RESUME_WITHIN) -> None:
        self._socket = socket
        self._within = within
        self._down = False
        self._over = False
        self._missed: deque[Any] = deque()
        self._missed_bytes = 0
        self._news = asyncio.Event()
        self._reading: asyncio.Timeout | None = None
        # Set when the present socket is no longer used.
        self._released = asyncio.Event()
        self.on_break: Callable[[], None] = _nothing
        self.on_return: Callable[[], None] = _nothing

    async def receive(self) -> Mapping[str, Any]:
        """The next message; a disconnect only when the client took its leave, or did not come back."""
        while True:
            message = await self._next()
            if message is None:
                continue
            if message["type"] == "websocket.receive":
                return message
            if self._over or message.get("code", 1005) not in BROKEN or not await self._found_again():
                self.end()
                return message

    async def send(self, message: Any) -> None:
        """Write, or keep while the line is down."""
        if message["type"] == "websocket.close":
            self._over = True
            self._news.set()
        if not self._down:
            try:
                return await self._socket.send(message)
            except Exception:
                # The server says so by many names; whoever reads will hear of it as a disconnect.
                pass
        self._keep(message)
        return None

    async def go_on(self, socket: Socket) -> None:
        """Let ``socket`` take the line's place; returns when it is no longer used."""
        self._released.set()
        released = self._released = asyncio.Event()
        self._socket, self._down = socket, False
        self.on_return()
        missed, self._missed, self._missed_bytes = self._missed, deque(), 0
        for message in missed:
            await self.send(message)
        self._news.set()
        if self._reading is not None:
            # The old line may not have noticed that it is broken.
            self._reading.reschedule(asyncio.get_running_loop().time())
        await released.wait()

    def end(self) -> None:
        """The call is over; nobody needs to come back."""
        self._over = True
        self._news.set()
        self._released.set()

    async def _next(self) -> Mapping[str, Any] | None:
        """A message of the present socket, or None when another has taken its place."""
        socket = self._socket
        try:
            async with asyncio.timeout(None) as self._reading:
                return await socket.receive()
        except TimeoutError:
            return None
        finally:
            self._reading = None

    async def _found_again(self) -> bool:
        self._down = True
        self._news.clear()
        self.on_break()
        try:
            async with asyncio.timeout(self._within):
                await self._news.wait()
        except TimeoutError:
            return False
        return not self._over

    def _keep(self, message: Any) -> None:
        self._missed.append(message)
        self._missed_bytes += len(message.get("text") or message.get("bytes") or "")
        if self._missed_bytes > MISSED_BYTES:
            self._over = True
            self._news.set()


def _nothing() -> None:
    pass
