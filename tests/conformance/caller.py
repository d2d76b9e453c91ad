"""A caller on the stock OpenAI SDK, who keeps every event and checks each against the emit profile."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from tests.conformance.profile import FRAME_BYTES, Transcript, violations

PATIENCE = 20.0
"""Seconds any expected event may take on a busy machine."""

FRAME_SECONDS = 0.02


class Caller:
    """One open session. Audio is sent in real time, as a microphone would."""

    def __init__(self, connection: AsyncRealtimeConnection, *, bytes_per_second: int = 48_000) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self._rate = bytes_per_second
        self._transcript = Transcript()
        self._news = asyncio.Condition()
        self._silence = b"\0"
        self._speaking: bytes = b""

    async def listen(self) -> None:
        """Take in what the server sends, until it closes."""
        while True:
            frame = await self.connection.recv_bytes()
            event = json.loads(frame)
            if len(frame) >= FRAME_BYTES:
                self.faults.append(f"{event['type']}: a frame of {len(frame)} bytes")
            self.faults += violations(event)
            self.faults += [why for why in self._transcript.follow([event]).faults if why not in self.faults]
            async with self._news:
                self.events.append(event)
                self._news.notify_all()

    async def microphone(self) -> None:
        """Send 20 ms every 20 ms: what is to be said, and silence otherwise."""
        loop = asyncio.get_running_loop()
        begun, sent = loop.time(), 0
        size = round(self._rate * FRAME_SECONDS)
        while True:
            frame, self._speaking = self._speaking[:size], self._speaking[size:]
            frame += self._silence * (size - len(frame))
            await self.send("input_audio_buffer.append", audio=base64.b64encode(frame).decode())
            sent += 1
            await asyncio.sleep(begun + sent * FRAME_SECONDS - loop.time())

    def say(self, audio: bytes) -> None:
        self._speaking += audio

    async def send(self, event_type: str, **members: Any) -> None:
        event: Any = {"type": event_type, **members}
        await self.connection.send(event)

    async def hear(self, event_type: str, *, after: int = 0, **members: Any) -> dict[str, Any]:
        """The first event of this type (and with these members) from number ``after`` on, awaited."""

        def found() -> dict[str, Any] | None:
            for event in self.events[after:]:
                if event["type"] == event_type and members.items() <= event.items():
                    return event
            return None

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(found), PATIENCE)
            except TimeoutError:
                seen = [event["type"] for event in self.events[after:]]
                raise AssertionError(f"no {event_type} in {PATIENCE} s; came: {seen}") from None
        event = found()
        assert event is not None
        return event

    def types(self, after: int = 0) -> list[str]:
        return [event["type"] for event in self.events[after:]]

    def audio(self, response_id: str) -> bytes:
        """What was heard of a response."""
        return b"".join(
            base64.b64decode(event["delta"])
            for event in self.events
            if event["type"] == "response.output_audio.delta" and event["response_id"] == response_id
        )


@asynccontextmanager
async def calling(
    client: AsyncOpenAI, model: str, *, microphone: bool = False, g711: bool = False
) -> AsyncIterator[Caller]:
    """A session, and at its end the proof that every frame of it was one that all stock clients accept."""
    async with client.realtime.connect(model=model) as connection:
        caller = Caller(connection, bytes_per_second=8_000 if g711 else 48_000)
        if g711:
            caller._silence = b"\xff"
        tasks = [asyncio.create_task(caller.listen(), name="listen")]
        await caller.hear("session.created")
        if microphone:
            tasks.append(asyncio.create_task(caller.microphone(), name="microphone"))
        try:
            yield caller
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
    assert not caller.faults, "\n".join(caller.faults)
