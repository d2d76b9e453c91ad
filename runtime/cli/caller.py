"""A caller on the Realtime WebSocket: asks by text or by voice, and times what comes back."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect

RATE = 24_000
"""Hz of PCM both ways, as the Realtime protocol has it."""

CHUNK_SECONDS = 0.04
"""What a browser's capture sends at a time."""

SILENCE_SECONDS = 4.0
"""How long the caller keeps the line open after speaking: enough for any endpointing."""


@dataclass(slots=True)
class Answer:
    """What one turn brought, and when (seconds after the question was finished)."""

    question: str = ""
    text: str = ""
    pcm: bytearray = field(default_factory=bytearray)
    first_audio: float | None = None
    finished: float | None = None

    @property
    def seconds(self) -> float:
        """Length of the answer's audio."""
        return len(self.pcm) / 2 / RATE


class CallFailed(Exception):
    """The server refused the call or a turn of it; the message is its own."""


class Caller:
    """One open call. Made by :func:`call`."""

    def __init__(self, socket: ClientConnection, opened_in: float) -> None:
        self._socket = socket
        self.opened_in = opened_in
        """Seconds from dialling to ``session.created``."""

    async def want_transcripts(self) -> None:
        """Ask to be told what the server understood; sessions start without."""
        transcription = {"model": "default"}
        audio = {"input": {"transcription": transcription}}
        await self._send("session.update", session={"type": "realtime", "audio": audio})

    async def ask(self, text: str, *, caption: Callable[[str], None] = lambda _delta: None) -> Answer:
        """Type a question and hear the answer out."""
        content = [{"type": "input_text", "text": text}]
        await self._send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )
        await self._send("response.create")
        answer = Answer(question=text)
        await self._hear(answer, asked=time.monotonic(), caption=caption)
        return answer

    async def say(self, pcm: bytes, *, caption: Callable[[str], None] = lambda _delta: None) -> Answer:
        """Speak a question (s16le at 24 kHz) in real time, then listen: the server hears when it is over."""
        answer = Answer()
        spoken = asyncio.get_running_loop().create_future()
        speaking = asyncio.create_task(self._speak(pcm, spoken), name="caller-speaks")
        try:
            await self._hear(answer, asked=spoken, caption=caption)
        finally:
            speaking.cancel()
        return answer

    async def _speak(self, pcm: bytes, spoken: asyncio.Future[float]) -> None:
        chunk = int(RATE * CHUNK_SECONDS) * 2
        silence = bytes(int(RATE * SILENCE_SECONDS) * 2)
        epoch = time.monotonic()
        line = pcm + silence
        for sent, start in enumerate(range(0, len(line), chunk)):
            await asyncio.sleep(epoch + sent * CHUNK_SECONDS - time.monotonic())
            if start >= len(pcm) and not spoken.done():
                spoken.set_result(time.monotonic())
            audio = base64.b64encode(line[start : start + chunk]).decode()
            await self._send("input_audio_buffer.append", audio=audio)

    async def _hear(
        self, answer: Answer, *, asked: float | asyncio.Future[float], caption: Callable[[str], None]
    ) -> None:
        async for message in self._socket:
            event = json.loads(message)
            kind = event["type"]
            if kind == "error":
                raise CallFailed(event["error"]["message"])
            if kind == "conversation.item.input_audio_transcription.completed":
                answer.question = event["transcript"]
            elif kind == "response.output_audio_transcript.delta":
                answer.text += event["delta"]
                caption(event["delta"])
            elif kind == "response.output_audio.delta":
                if answer.first_audio is None:
                    since = (
                        asked
                        if isinstance(asked, float)
                        else asked.result()
                        if asked.done()
                        else time.monotonic()
                    )
                    answer.first_audio = time.monotonic() - since
                answer.pcm += base64.b64decode(event["delta"])
            elif kind == "response.done":
                since = asked if isinstance(asked, float) else await asked
                answer.finished = time.monotonic() - since
                if event["response"]["status"] == "failed":
                    details = event["response"].get("status_details") or {}
                    raise CallFailed(str((details.get("error") or {}).get("message", "the response failed")))
                return
        raise CallFailed("the server closed the call")

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))


@asynccontextmanager
async def call(url: str, *, api_key: str, model: str) -> AsyncIterator[Caller]:
    """
    Dial ``url`` (http or https) and wait for ``session.created``.

    Raises:
        CallFailed: The first event was not that.
    """
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{urlencode({'model': model})}"
    dialled = time.monotonic()
    headers = {"authorization": f"Bearer {api_key}"}
    async with connect(address, additional_headers=headers, max_size=None, compression=None) as socket:
        first = json.loads(await socket.recv())
        if first["type"] != "session.created":
            raise CallFailed(f"expected session.created, got {first}")
        caller = Caller(socket, time.monotonic() - dialled)
        await caller.want_transcripts()
        yield caller
