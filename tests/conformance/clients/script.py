"""
The conversation that every client holds, and what it must report of it.

Client programs run in environments of their own, with none of our packages: they get a task as JSON in
their first argument, hold the conversation, and print one JSON object: what a user of that client would
have seen. The conversation: ask aloud for the weather, which the agent answers by a tool of the client's;
ask for a story; speak over it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

RATE = 24_000
FRAME_SECONDS = 0.02
FORECAST = "sunny and mild"


@dataclass
class Task:
    """What a client program is asked to do."""

    url: str
    """``http://host:port``."""
    key: str
    agent: str
    weather: str
    """File of a caller asking for the weather, s16le mono at 24 kHz."""
    story: str
    """File of a caller asking for a story."""
    interruption: str
    """File of a caller speaking over the agent."""

    @property
    def websocket(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/realtime"


@dataclass
class Report:
    """What a user of the client saw and heard."""

    user_transcripts: list[str] = field(default_factory=list)
    agent_transcripts: list[str] = field(default_factory=list)
    audio_seconds: float = 0.0
    tool_calls: list[str] = field(default_factory=list)
    interruptions: int = 0
    errors: list[str] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)


class Microphone:
    """Speaks in real time: 20 ms every 20 ms, silence where nothing is to be said."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._speech = b""

    def say(self, path: str) -> None:
        self._speech += Path(path).read_bytes()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        begun, sent, size = loop.time(), 0, round(2 * RATE * FRAME_SECONDS)
        while True:
            frame, self._speech = self._speech[:size], self._speech[size:]
            await self._send(frame.ljust(size, b"\0"))
            sent += 1
            await asyncio.sleep(max(0.0, begun + sent * FRAME_SECONDS - loop.time()))


async def until(what: str, holds: Callable[[], bool], *, patience: float = 20.0) -> None:
    """Wait until something is so."""
    give_up = asyncio.get_running_loop().time() + patience
    while not holds():
        if asyncio.get_running_loop().time() > give_up:
            raise TimeoutError(f"{what} did not happen in {patience} s")
        await asyncio.sleep(0.02)


def main(converse: Callable[[Task, Report], Awaitable[None]]) -> None:
    """Hold the conversation, and print the report whatever happens."""
    task, report = Task(**json.loads(sys.argv[1])), Report()

    async def bounded() -> None:
        await asyncio.wait_for(converse(task, report), 75)

    try:
        asyncio.run(bounded())
    except Exception as error:
        report.errors.append(f"{type(error).__name__}: {error}")
    sys.stdout.write("\n" + json.dumps(asdict(report)) + "\n")
