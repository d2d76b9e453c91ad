"""A speech engine without workers, for tests of what stands on one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from runtime.clock import ManualClock
from runtime.errors import SynthesisFailed
from tts.engine import Conditioning, PcmBlock, SpeechRequest
from tts.engines.tone import ToneSynthesizer

T = TypeVar("T")


class InlineEngine:
    """
    The tone engine, made asynchronous.

    Args:
        clock: Advanced by ``pace`` seconds before every block.
    """

    info = ToneSynthesizer.info

    def __init__(self, clock: ManualClock | None = None, *, pace: float = 0.0) -> None:
        self._tone = ToneSynthesizer()
        self._clock = clock
        self._pace = pace
        self.requests: list[SpeechRequest] = []
        self.deadlines: list[float | None] = []
        self.closed = 0

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncIterator[PcmBlock]:
        """As the tone engine; the words "endless" and "broken" do what they say."""
        self.requests.append(request)
        self.deadlines.append(deadline)
        try:
            for block in self._tone.speak(request):
                if "endless" in request.text:
                    await asyncio.sleep(60)
                if "broken" in request.text:
                    raise SynthesisFailed("the glottis is stuck")
                await asyncio.sleep(0)
                if self._clock is not None:
                    self._clock.advance(self._pace)
                yield block
        finally:
            self.closed += 1

    async def warm(self, conditioning: Conditioning) -> None:
        self._tone.load(conditioning)


async def drained(blocks: AsyncIterator[T]) -> list[T]:
    """The rest of them; raises what the iterator raises."""
    return [block async for block in blocks]
