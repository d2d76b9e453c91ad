"""A caller behind any carrier, who listens, speaks in real time, presses keys and hangs up."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import numpy as np

from loadtest.framings import Framing, Message
from loadtest.player import Player
from loadtest.socket import CallerSocket, Refused, connect, connect_audiosocket
from runtime.media.frame import Pcm
from runtime.media.line_codec import line_codec

HEAD = 200
"""Characters of a message within which its kind is told."""

PATIENCE = 40.0
"""Seconds for which a server that is full is called again."""


class CarrierCaller:
    """
    Sends a quiet line, and between what it is given to say; returns marks when they would have been played.

    Args:
        url: ``ws://…``, or ``audiosocket://…``.
        name: The call's own, by which the carrier knows it.
        farewell: What tells the server's message that ends the call; a carrier then closes the stream.
    """

    def __init__(self, framing: Framing, url: str, *, name: str, farewell: str | None) -> None:
        self.name = name
        self.framing = framing
        self.codec = line_codec(framing.coding, framing.rate)
        self.heard: list[Pcm] = []
        self.texts: list[str] = []
        """Messages without audio."""
        self.marks = 0
        self.clears: list[float] = []
        """When the buffer was to be emptied, by the loop's clock."""
        self.closed = asyncio.Event()
        self._url = url
        self._farewell = farewell
        self._player = Player(buffer=0.0)
        self._words: list[bytes] = []
        self.socket: CallerSocket

    @property
    def seconds(self) -> float:
        """Of audio heard so far."""
        return sum(len(block) for block in self.heard) / self.codec.rate

    @property
    def audio(self) -> Pcm:
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)

    async def dial(self, headers: Mapping[str, str]) -> None:
        if urlsplit(self._url).scheme == "audiosocket":
            self.socket = await connect_audiosocket(self._url, self._receive, self._lost)
        else:
            if self.framing.subprotocol is not None:
                headers = {**headers, "Sec-WebSocket-Protocol": self.framing.subprotocol}
            self.socket = await connect(self._url, self._receive, self._lost, headers=headers)
        for message in self.framing.start(self.name):
            self.socket.send(message)

    def say(self, samples: Pcm) -> None:
        """Speak, from now on, at the line's rate."""
        coded = self.codec.encode(samples)
        size = round(self.framing.ptime * self.framing.rate) * self.codec.sample_bytes
        self._words += [coded[at : at + size] for at in range(0, len(coded) - size + 1, size)]

    async def wait(self, what: str, holds: Callable[[], bool], *, seconds: float) -> None:
        """Until it holds, or an AssertionError that says what did not come."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + seconds
        while not holds():
            assert loop.time() < give_up, f"no {what} within {seconds} s; heard {self.seconds:.2f} s"
            await asyncio.sleep(0.02)

    async def quiet(self, *, pause: float, seconds: float) -> None:
        """Until nothing was left to play for this long."""
        loop = asyncio.get_running_loop()
        await self.wait("pause", lambda: loop.time() - self._player.dry_at > pause, seconds=seconds)

    def cut(self) -> None:
        """The network is gone in the middle of a frame."""
        transport = getattr(self.socket, "transport", None) or self.socket._transport  # type: ignore[attr-defined]
        transport.write(b"\x81\xfe\x01\x00\x00")
        transport.abort()

    async def stream(self) -> None:
        """Send the line's audio in real time, until cancelled."""
        framing, loop = self.framing, asyncio.get_running_loop()
        silence = self.codec.silence * round(framing.ptime * framing.rate)
        begun, chunk = loop.time(), 0
        while not self.closed.is_set():
            coded = self._words.pop(0) if self._words else silence
            self.socket.send(framing.media(self.name, chunk, framing.packed(coded)))
            chunk += 1
            await asyncio.sleep(max(0.0, begun + chunk * framing.ptime - loop.time()))

    def _receive(self, message: Message, at: float) -> None:
        framing = self.framing
        if isinstance(message, bytes):
            if framing.sound is None:
                self._hear(message, at)
        elif framing.sound is not None and framing.sound in message[:HEAD]:
            self._hear(base64.b64decode(framing.payload(json.loads(message))), at)
        else:
            self._read(message, at)

    def _hear(self, coded: bytes, at: float) -> None:
        samples = self.codec.decode(coded)
        self.heard.append(samples)
        self._player.arrive(at, len(samples) / self.codec.rate)

    def _read(self, message: str, at: float) -> None:
        self.texts.append(message)
        if self.framing.clears is not None and self.framing.clears in message[:HEAD]:
            self.clears.append(at)
            self._player.pause()
        elif self._farewell is not None and self._farewell in message:
            self.socket.close()
        elif (mark := self.framing.mark(json.loads(message))) is not None:
            self.marks += 1
            answer = self.framing.played(self.name, mark)
            asyncio.get_running_loop().call_at(self._player.dry_at, self._answer, answer)

    def _answer(self, message: Message) -> None:
        if not self.closed.is_set():
            self.socket.send(message)

    def _lost(self, _code: int) -> None:
        self.closed.set()


@asynccontextmanager
async def carrier_call(
    framing: Framing, url: str, *, name: str, headers: Mapping[str, str], farewell: str | None = None
) -> AsyncIterator[CarrierCaller]:
    """Dial, keep the line's audio going, and hang up in the end."""
    caller = CarrierCaller(framing, url, name=name, farewell=farewell)
    give_up = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            await caller.dial(headers)
            break
        except Refused as error:  # a machine that is busy with other tests says so, and is called again
            if error.status != 503 or asyncio.get_running_loop().time() > give_up:
                raise
            await asyncio.sleep(0.5)
    streaming = asyncio.create_task(caller.stream(), name=f"line {name}")
    try:
        yield caller
    finally:
        streaming.cancel()
        with suppress(asyncio.CancelledError):
            await streaming
        if not caller.closed.is_set():
            for message in framing.stop(name):
                caller.socket.send(message)
            caller.socket.close()
