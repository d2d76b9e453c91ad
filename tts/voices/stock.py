"""The voices that an engine ships with, asked for in a process that may load the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

from runtime.workers import WorkerProcess
from tts.engine import Synthesizer
from tts.voices.voice import StockVoice


class ShipsVoices(Protocol):
    """A synthesizer that can speak before anybody has enrolled."""

    def stock(self) -> Sequence[StockVoice]: ...


class _Showroom:
    def __init__(self, engine: Callable[[], Synthesizer]) -> None:
        self._engine = engine()

    def stock(self) -> list[StockVoice]:
        return list(cast(ShipsVoices, self._engine).stock())


async def stock_voices(engine: Callable[[], Synthesizer]) -> list[StockVoice]:
    """
    The stock voices of the engine that ``engine`` makes.

    They come out of a child process that ends at once: engines are never imported by the server.

    Raises:
        EngineUnavailable: A library it needs is missing.
    """
    worker = WorkerProcess(partial(_Showroom, engine), name="stock-voices")
    await worker.start()
    try:
        voices: list[StockVoice] = await worker.call("stock", timeout=60.0)
        return voices
    finally:
        await worker.close()
