"""Say what is said in every call once: greetings, fillers and prompts, kept as the wire carries them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import SynthesisFailed
from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler
from tts.engine import Conditioning, SpeechEngine, SpokenWord
from tts.stream import SpeechStream

OVERHEAD = 200
"""Bytes that a part costs beside its audio, roughly."""


class Coder(Protocol):
    """A codec at work on one line, from its first sample to its last."""

    def push(self, samples: Pcm) -> tuple[bytes, int]:
        """Take PCM of any length; what can be sent now, and how many samples that is."""
        ...

    def flush(self) -> tuple[bytes, int]:
        """The rest, filled up with silence where the codec has frames."""
        ...


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How a peer's wire carries audio."""

    name: str
    """Equal names, equal bytes: ``pcmu/8000``."""
    rate: int
    """Hz."""
    code: Callable[[Pcm], bytes] = field(compare=False)
    """A codec that works sample by sample, and keeps no state."""
    coder: Callable[[], Coder] | None = field(default=None, compare=False)
    """Makes a codec that does keep some, for one line; goes before ``code``."""


@dataclass(frozen=True, slots=True)
class PhrasePart:
    """Some of a phrase, 20 ms to about 0.6 s."""

    coded: bytes
    """In the wire's codec, without headers; a codec of packets begins each with its length."""
    samples: int
    """How many samples that is, at the wire's rate."""
    words: tuple[SpokenWord, ...]
    """Those that begin in it, timed from the phrase's first sample; spans index the phrase's text."""


@dataclass(frozen=True, slots=True)
class _Key:
    voice: str
    engine_version: str
    text: str
    speed: float
    wire: str


async def coded_parts(stream: SpeechStream, wire: WireFormat) -> AsyncIterator[PhrasePart]:
    """
    What ``stream`` speaks, as ``wire`` carries it, block by block: resampled and coded once.

    Raises:
        SpeechError: The engine failed; what was yielded stands.
    """
    resampler = StreamResampler(stream.rate, wire.rate)
    coder = _SampleBySample(wire.code) if wire.coder is None else wire.coder()
    words: tuple[SpokenWord, ...] = ()
    async for block in stream:
        words += block.words
        coded, samples = coder.push(resampler.push(block.samples))
        if samples:
            yield PhrasePart(coded, samples, words)
            words = ()
    coded, samples = coder.push(resampler.flush())
    rest, more = coder.flush()
    if samples or more or words:
        yield PhrasePart(coded + rest, samples + more, words)


class _SampleBySample:
    def __init__(self, code: Callable[[Pcm], bytes]) -> None:
        self._code = code

    def push(self, samples: Pcm) -> tuple[bytes, int]:
        return (self._code(samples), len(samples)) if len(samples) else (b"", 0)

    def flush(self) -> tuple[bytes, int]:
        return b"", 0


class _Recital:
    """A phrase being made or made, read by any number of calls at once."""

    def __init__(self) -> None:
        self.parts: list[PhrasePart] = []
        self.done = False
        self.error: Exception | None = None
        self._grown = asyncio.Event()

    def grow(self, part: PhrasePart) -> None:
        self.parts.append(part)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        self.done = True
        self.error = error
        self._wake()

    @property
    def size_bytes(self) -> int:
        return sum(len(part.coded) + OVERHEAD for part in self.parts)

    async def read(self) -> AsyncIterator[PhrasePart]:
        read = 0
        while True:
            while read < len(self.parts):
                yield self.parts[read]
                read += 1
            if self.error is not None:
                raise self.error
            if self.done:
                return
            await self._grown.wait()

    def _wake(self) -> None:
        # Whoever waits wakes up; whoever waits from now on waits for the next part.
        self._grown.set()
        self._grown = asyncio.Event()


class PhraseBook:
    """
    Phrases by voice, engine version, text, pace and wire format.

    A phrase is synthesised, resampled and coded once, however many calls ask for it and when; all of them
    hear it from its first block on, while it is still being made. It is made to its end even if they hang
    up, because the next call will want it.

    Args:
        max_bytes: Bound on the phrases kept, least recently used first out. One phrase may take a quarter.
    """

    def __init__(self, engine: SpeechEngine, *, clock: Clock, max_bytes: int) -> None:
        self._engine = engine
        self._clock = clock
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._phrases: OrderedDict[_Key, _Recital] = OrderedDict()
        self._making: dict[_Key, _Recital] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def held_bytes(self) -> int:
        """What the kept phrases cost now."""
        return self._held_bytes

    def recite(
        self, text: str, conditioning: Conditioning, wire: WireFormat, *, speed: float = 1.0
    ) -> AsyncIterator[PhrasePart]:
        """
        The phrase, part by part, for a listener who waits for it.

        Iterating raises:
            SpeechError: The engine failed; the next call that asks tries again.
        """
        key = _Key(conditioning.digest, self._engine.info.version, text, speed, wire.name)
        return self._recital(key, conditioning, wire).read()

    async def close(self) -> None:
        """Stop making phrases."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _recital(self, key: _Key, conditioning: Conditioning, wire: WireFormat) -> _Recital:
        if key in self._phrases:
            metrics.phrase_cache_hits.inc()
            self._phrases.move_to_end(key)
            return self._phrases[key]
        if key in self._making:
            metrics.phrase_cache_hits.inc()
            return self._making[key]
        metrics.phrase_cache_misses.inc()
        recital = self._making[key] = _Recital()
        task = asyncio.create_task(self._make(key, recital, conditioning, wire), name="make a phrase")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return recital

    async def _make(self, key: _Key, recital: _Recital, conditioning: Conditioning, wire: WireFormat) -> None:
        dry_at = self._clock.now()
        stream = SpeechStream(
            self._engine,
            conditioning,
            clock=self._clock,
            deadline=lambda: dry_at + stream.seconds,
            speed=key.speed,
        )
        stream.push(key.text)
        stream.finish()
        try:
            async for part in coded_parts(stream, wire):
                recital.grow(part)
        except asyncio.CancelledError:
            stream.cancel()
            recital.end(SynthesisFailed("the phrase book was closed"))
            raise
        except Exception as error:
            recital.end(error)
        else:
            recital.end()
            self._keep(key, recital)
        finally:
            del self._making[key]

    def _keep(self, key: _Key, recital: _Recital) -> None:
        size_bytes = recital.size_bytes
        if size_bytes > self._max_bytes / 4:
            return
        self._phrases[key] = recital
        self._held_bytes += size_bytes
        while self._held_bytes > self._max_bytes:
            _, oldest = self._phrases.popitem(last=False)
            self._held_bytes -= oldest.size_bytes
        metrics.phrase_cache_bytes.set(self._held_bytes)
