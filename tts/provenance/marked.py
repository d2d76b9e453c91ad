"""An engine whose every word carries the watermark: for engines that do not run in our workers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, cast

from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechEngine, SpeechRequest
from tts.provenance.watermark import DEFAULT_KEY, Watermarker


class ClosingEngine(SpeechEngine, Protocol):
    """An engine with connections."""

    async def close(self) -> None: ...


class MarkedEngine:
    """
    A :class:`~tts.engine.SpeechEngine` that marks what another one makes. The pool needs none of this: its
    workers mark.

    Args:
        engine: Closed with this one.
        key: Whose mark; None leaves the speech as it is.
    """

    def __init__(self, engine: ClosingEngine, *, key: bytes | None = DEFAULT_KEY) -> None:
        self._engine = engine
        self._key = key

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    async def start(self) -> None:
        """Nothing to start: the engine runs elsewhere."""

    async def close(self) -> None:
        """Close the engine's connections."""
        await self._engine.close()

    def lateness(self) -> float:
        """0: a server elsewhere keeps its own queue, and refuses by itself."""
        return 0.0

    async def warm(self, conditioning: Conditioning) -> None:
        """As the engine does."""
        await self._engine.warm(conditioning)

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncGenerator[PcmBlock, None]:
        """The engine's blocks, marked."""
        watermarker = self._watermarker(request.conditioning.voice_id)
        speech = cast("AsyncGenerator[PcmBlock, None]", self._engine.speak(request, deadline=deadline))
        async with aclosing(speech):
            async for block in speech:
                yield replace(block, samples=watermarker.push(block.samples)) if watermarker else block

    def _watermarker(self, voice_id: str) -> Watermarker | None:
        return None if self._key is None else Watermarker(self.info.rate, key=self._key, voice_id=voice_id)
