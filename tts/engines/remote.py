"""What engines across a network share: patience, retries before the first sound, a circuit breaker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import numpy as np

from runtime.clock import Clock
from runtime.errors import EngineUnavailable, SynthesisFailed
from runtime.media.frame import Pcm
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.engines.breaker import CircuitBreaker

Blocks: TypeAlias = AsyncGenerator[PcmBlock, None]


class RemoteTrouble(SynthesisFailed):
    """
    The server is down, slow, or overloaded: another try may succeed.

    Attributes:
        retry_after: Seconds the server asked for; None if it did not.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a remote engine is waited for. Seconds."""

    connect: float = 3.0
    first_audio: float = 5.0
    """From the request to the first block; a caller is waiting in silence."""
    stall: float = 5.0
    """Between two blocks."""
    retries: int = 2
    """Further tries while nothing has been heard."""
    backoff: float = 0.1
    """Before the first retry; doubles."""


class Persistence:
    """
    Ask again while nothing has been heard, and stop asking when it is no use.

    A sentence that broke off after its first block is not begun again: the listener would hear it twice.

    Args:
        name: Of the engine, for error texts.
    """

    def __init__(self, name: str, *, clock: Clock, patience: Patience, breaker: CircuitBreaker) -> None:
        self._name = name
        self._clock = clock
        self._patience = patience
        self._breaker = breaker

    async def blocks(
        self, attempt: Callable[[], AsyncGenerator[PcmBlock, None]]
    ) -> AsyncGenerator[PcmBlock, None]:
        """
        The blocks of the first attempt that yields any.

        Raises:
            EngineUnavailable: The circuit is open, or the server refuses us.
            SynthesisFailed: It failed for good, or in mid-sentence.
        """
        tries = 0
        while True:
            if not self._breaker.allows(self._clock.now()):
                wait = self._breaker.retry_after(self._clock.now())
                raise EngineUnavailable(f"{self._name} failed repeatedly; it is tried again in {wait:.0f} s")
            heard = False
            try:
                async with aclosing(self._watched(attempt())) as blocks:
                    async for block in blocks:
                        if not heard:
                            heard = True
                            self._breaker.succeeded()
                        yield block
            except RemoteTrouble as trouble:
                self._breaker.failed(self._clock.now())
                if heard or tries >= self._patience.retries:
                    raise
                pause = trouble.retry_after
                if pause is not None and pause > self._patience.first_audio:
                    raise
                tries += 1
                await asyncio.sleep(pause if pause is not None else self._patience.backoff * 2 ** (tries - 1))
            except BaseException:
                if not heard:
                    self._breaker.abandoned()
                raise
            else:
                if not heard:
                    self._breaker.succeeded()
                return

    async def _watched(self, blocks: Blocks) -> Blocks:
        """The same blocks; RemoteTrouble when they are too long in coming."""
        limit = self._patience.first_audio
        async with aclosing(blocks):
            while True:
                try:
                    async with asyncio.timeout(limit):
                        block = await anext(blocks, None)
                except TimeoutError:
                    raise RemoteTrouble(f"{self._name} sent no audio for {limit:g} s") from None
                if block is None:
                    return
                yield block
                limit = self._patience.stall


class PcmJoiner:
    """Cut bytes that arrive in any pieces into blocks of whole samples, a short one first."""

    def __init__(self, *, rate: int, first: float = 0.04, block: float = 0.1) -> None:
        self._first_bytes = 2 * round(rate * first)
        self._block_bytes = 2 * round(rate * block)
        self._size = self._first_bytes
        self._waiting = bytearray()

    def push(self, data: bytes) -> list[Pcm]:
        """Little-endian PCM16, any length; the blocks it completes."""
        self._waiting += data
        blocks = []
        while len(self._waiting) >= self._size:
            blocks.append(self._take(self._size))
            self._size = self._block_bytes
        return blocks

    def flush(self) -> list[Pcm]:
        """The rest. Half a sample at the very end is dropped."""
        whole = len(self._waiting) // 2 * 2
        return [self._take(whole)] if whole else []

    def _take(self, size: int) -> Pcm:
        samples = np.frombuffer(bytes(self._waiting[:size]), "<i2").astype(np.int16)
        del self._waiting[:size]
        return samples


class Elsewhere:
    """
    Stands in enrolment for an engine that runs elsewhere and makes its voices there.

    Args:
        name: Of the engine.
    """

    def __init__(self, name: str) -> None:
        self.info = EngineInfo(
            name=name, version="", rate=24_000, languages=("*",), licence="the server's", clones=False
        )

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """Raises EngineUnavailable."""
        raise EngineUnavailable(
            f"the engine {self.info.name} makes its voices itself",
            fix="make the voice there and name it in VIVAVOCE_SPEECH_VOICES, or set VIVAVOCE_ENGINE=clone",
        )

    def load(self, conditioning: Conditioning) -> None:
        """Nothing to load."""

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """Raises EngineUnavailable: nothing is spoken here."""
        raise EngineUnavailable(f"the engine {self.info.name} does not run in a worker")


def remote_voice(engine: str, version: str, *, voice_id: str, name: str) -> Conditioning:
    """Conditioning that only names a voice which lives at a remote engine."""
    data = json.dumps({"voice": name}).encode()
    return Conditioning(voice_id, engine, version, data, sha256(data).hexdigest())


def remote_name(conditioning: Conditioning, engine: str) -> str:
    """
    The name that :func:`remote_voice` put in.

    Raises:
        SynthesisFailed: The voice was made for another engine.
    """
    if conditioning.engine != engine:
        raise SynthesisFailed(
            f"voice {conditioning.voice_id} was made for the engine {conditioning.engine}, not {engine}",
            fix="enrol it again with this engine",
        )
    return str(json.loads(conditioning.data)["voice"])
