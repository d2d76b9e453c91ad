"""A client of the Realtime WebSocket that notes every event, and checks it against the strict profile."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.media.frame import LISTENING_RATE, Pcm
from tests.conformance.profile import Transcript, assert_conforms

RATE = 24_000


@dataclass
class Client:
    """One open call."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    closed: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, kind: str, **members: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **members}))

    async def ask(self, text: str) -> None:
        """Type a question and want an answer."""
        content = [{"type": "input_text", "text": text}]
        await self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )
        await self.send("response.create")

    async def speak(self, pcm: Pcm, *, chunk: float = 0.04, hurry: float = 1.0) -> None:
        """Say this (24 kHz), in real time or ``hurry`` times faster."""
        size = round(chunk * RATE)
        began = time.monotonic()
        for number, start in enumerate(range(0, len(pcm), size)):
            await asyncio.sleep(began + number * chunk / hurry - time.monotonic())
            audio = base64.b64encode(pcm[start : start + size].tobytes()).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def until(self, kind: str, *, count: int = 1, within: float = 20.0) -> dict[str, Any]:
        """Wait for the ``count``-th event of this type since the call began."""
        async with asyncio.timeout(within):
            while len(found := self.all(kind)) < count:
                if self.closed:
                    raise AssertionError(f"closed with {self.close_code} before {kind}: {self.kinds()}")
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    async def ended(self, *, within: float = 20.0) -> None:
        """Wait until the server has closed the call."""
        async with asyncio.timeout(within):
            await self.socket.wait_closed()

    @property
    def close_code(self) -> int | None:
        return self.socket.close_code

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def kinds(self) -> list[str]:
        """Types in order, runs of the same type told once."""
        kinds: list[str] = []
        for event in self.events:
            if kinds[-1:] != [event["type"]]:
                kinds.append(event["type"])
        return kinds

    def when(self, event: Mapping[str, Any]) -> float:
        return next(at for at, noted in zip(self.times, self.events, strict=True) if noted is event)

    def audio(self, response_id: str | None = None) -> Pcm:
        """What was heard: of one response, or of the whole call."""
        deltas = self.all("response.output_audio.delta")
        chosen = [d for d in deltas if response_id in (None, d["response_id"])]
        return np.frombuffer(b"".join(base64.b64decode(d["delta"]) for d in chosen), "<i2")

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self.socket:
                self.events.append(json.loads(message))
                self.times.append(time.monotonic())
                self._news.set()
        self.closed = True
        self._news.set()


@asynccontextmanager
async def realtime(
    url: str, key: str, *, model: str = "gpt-realtime", conforms: bool = True, **query: str
) -> AsyncIterator[Client]:
    """Dial in; on the way out every event must satisfy the strict profile."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{urlencode({'model': model, **query})}"
    headers = {"authorization": f"Bearer {key}"}
    socket = await dial(address, headers)
    async with socket:
        client = Client(socket)
        listening = asyncio.create_task(client._listen())
        try:
            await client.until("session.created")
            yield client
        finally:
            listening.cancel()
    if conforms:
        assert_conforms(client.events)
        assert Transcript().follow(client.events).faults == []


async def dial(address: str, headers: Mapping[str, str], *, patience: float = 20.0) -> ClientConnection:
    """Connect; a server that says it is too busy is asked again, as it wishes."""
    give_up = time.monotonic() + patience
    while True:
        try:
            dialled: ClientConnection = await connect(
                address, additional_headers=headers, max_size=None, compression=None
            )
        except InvalidStatus as refused:
            if refused.response.status_code != 503 or time.monotonic() > give_up:
                raise
            await asyncio.sleep(float(refused.response.headers["retry-after"]))
        else:
            return dialled


def at_wire_rate(pcm: Pcm) -> Pcm:
    """From 16 kHz to what the wire carries."""
    resampled: Pcm = soxr.resample(pcm, LISTENING_RATE, RATE)
    return resampled


def pitch(pcm: Pcm) -> float:
    """Hz of a steady tone."""
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64) * np.hanning(len(pcm))))
    return float(np.argmax(spectrum)) * RATE / len(pcm)
