"""Text in a voice, as bytes of a file, sent while it is still being spoken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import InvalidRequest
from runtime.media.encode import SpeechFormat, StreamEncoder, encode
from tts.engine import Conditioning, PcmBlock, SpeechEngine, SpokenWord
from tts.provenance.marks import Marks
from tts.stream import SpeechStream
from tts.voices.resolve import VoiceResolver

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 48_000
MIN_SPEED = 0.25
MAX_SPEED = 4.0

PREVIEW_TEXT = "Hello, this is how I sound."
"""What a voice says to be heard."""

WHOLE_CHARACTERS = 200
"""Longest text that is held back to be sent whole: some 13 s of speech, made in a fraction of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechOrder:
    """What to say, in whose voice, written down how."""

    text: str
    voice: str | None = None
    """A voice's id, a stock voice's, or a preset alias; None is the default voice."""
    format: str = "wav"
    """A name in :data:`runtime.media.encode.SPEECH_FORMATS`."""
    sample_rate: int | None = None
    """Hz of the file; None is the engine's own, or the nearest the format can carry."""
    speed: float = 1.0
    seed: int = 0
    whole: bool = False
    """Whether a short WAV may be held back until it is complete, so that its header tells its length."""


class Speech:
    """
    An utterance under way. Its first block exists, so nothing that could be refused is left to go wrong.

    Iterate it once for the file's bytes; closing the iterator stops the engine.

    Args:
        whole: Send nothing until everything is spoken, with the true length in the file's header.
    """

    def __init__(
        self,
        stream: SpeechStream,
        blocks: AsyncIterator[PcmBlock],
        first: PcmBlock,
        encoder: StreamEncoder,
        marks: Marks,
        *,
        whole: bool,
    ) -> None:
        self.marks = marks
        """What says that it is synthetic, and whose voice; already in the file."""
        self._stream = stream
        self._blocks = blocks
        self._first = first
        self._encoder = encoder
        self._whole = whole

    @property
    def format(self) -> SpeechFormat:
        return self._encoder.format

    @property
    def rate(self) -> int:
        """Hz of the file."""
        return self._encoder.output_rate

    @property
    def seconds(self) -> float:
        """Audio made so far."""
        return self._stream.seconds

    def cancel(self) -> None:
        """Stop the engine before its next block."""
        self._stream.cancel()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._whole:
            try:
                samples = [self._first.samples, *[block.samples async for block in self._blocks]]
            finally:
                self._stream.cancel()
            yield encode(
                np.concatenate(samples),
                self.format.name,
                self._stream.rate,
                output_rate=self.rate,
                tags=self.marks.tags(),
            )
            return
        async for piece, _words in self.timed():
            if piece:
                yield piece

    async def timed(self) -> AsyncIterator[tuple[bytes, Sequence[SpokenWord]]]:
        """
        The file's bytes beside the words that begin in them; either may be empty.

        Times count from the utterance's first sample, before any encoder adds its own delay.
        """
        try:
            yield self._encoder.push(self._first.samples), self._first.words
            async for block in self._blocks:
                yield self._encoder.push(block.samples), block.words
            yield self._encoder.finish(), ()
        finally:
            self._stream.cancel()


@dataclass(frozen=True, slots=True)
class OpenVoice:
    """A voice that is ready for text that is still being written."""

    stream: Callable[[], SpeechStream]
    """Opens a stretch of speech."""
    encoder: StreamEncoder
    """One file for all stretches."""


class SpeechService:
    """
    Args:
        default_voice: Spoken when an order names none.
        max_characters: Longest text of one order.
    """

    def __init__(
        self,
        *,
        resolver: VoiceResolver,
        engine: SpeechEngine,
        clock: Clock,
        default_voice: str,
        max_characters: int,
    ) -> None:
        self._resolver = resolver
        self._engine = engine
        self._clock = clock
        self.default_voice = default_voice
        self.max_characters = max_characters

    async def speak(self, tenant_id: str, order: SpeechOrder) -> Speech:
        """
        Begin an utterance and wait for its first block.

        Raises:
            InvalidRequest: No text, too much of it, nothing in it that can be spoken, a format or rate that
                does not exist.
            VoiceNotFound: No such voice of this tenant.
            VoiceNotReady: Not enrolled yet, or it failed.
            SpeechError: The engine failed before it made a sound.
        """
        self.check_text(order.text)
        conditioning = await self._resolver.resolve(tenant_id, order.voice or self.default_voice)
        marks = Marks.of(conditioning, self._engine.info)
        encoder = self._encoder(order, tags=marks.tags())
        stream = self._stream(conditioning, order)
        blocks = aiter(stream)
        try:
            first = await anext(blocks)
        except StopAsyncIteration:
            raise InvalidRequest(
                "There is nothing in the text that can be spoken.",
                code="nothing_to_speak",
                param="input",
                fix="send words",
            ) from None
        except BaseException:
            stream.cancel()
            raise
        if stream.ttfb is not None:
            metrics.first_audio.observe(stream.ttfb)
        whole = order.whole and order.format == "wav" and len(order.text) <= WHOLE_CHARACTERS
        return Speech(stream, blocks, first, encoder, marks, whole=whole)

    async def open_voice(self, tenant_id: str, order: SpeechOrder, *, speed: float) -> OpenVoice:
        """What it takes to speak text as it comes; ``order.text`` does not count. Raises as :meth:`speak`."""
        conditioning = await self._resolver.resolve(tenant_id, order.voice or self.default_voice)
        marks = Marks.of(conditioning, self._engine.info)

        def stream() -> SpeechStream:
            return SpeechStream(self._engine, conditioning, clock=self._clock, speed=speed, seed=order.seed)

        return OpenVoice(stream, self._encoder(order, tags=marks.tags()))

    async def say(self, conditioning: Conditioning, text: str, *, format: str) -> bytes:
        """All of a text in a voice that has no name yet, as one file. Raises as :meth:`speak`."""
        self.check_text(text)
        marks = Marks.of(conditioning, self._engine.info)
        encoder = StreamEncoder(format, self._engine.info.rate, tags=marks.tags())
        stream = self._stream(conditioning, SpeechOrder(text=text))
        data = b"".join([encoder.push(block.samples) async for block in stream])
        return data + encoder.finish()

    def _stream(self, conditioning: Conditioning, order: SpeechOrder) -> SpeechStream:
        stream = SpeechStream(
            self._engine, conditioning, clock=self._clock, speed=order.speed, seed=order.seed
        )
        stream.push(order.text)
        stream.finish()
        return stream

    def check_text(self, text: str) -> None:
        """Raises InvalidRequest for no text, or too much of it."""
        if not text.strip():
            raise InvalidRequest("input is empty.", param="input", fix="send some text")
        if len(text) > self.max_characters:
            raise InvalidRequest(
                f"input has {len(text)} characters; the most in one request is {self.max_characters}.",
                code="text_too_long",
                param="input",
                fix="split the text at sentence ends and send the parts one after another",
            )

    def _encoder(self, order: SpeechOrder, *, tags: Mapping[str, str]) -> StreamEncoder:
        rate = order.sample_rate
        if rate is not None and not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise InvalidRequest(
                f"sample_rate {rate} Hz is not between {MIN_RATE_HZ} and {MAX_RATE_HZ}.", param="sample_rate"
            )
        if not MIN_SPEED <= order.speed <= MAX_SPEED:
            raise InvalidRequest(
                f"speed {order.speed} is not between {MIN_SPEED} and {MAX_SPEED}.", param="speed"
            )
        return StreamEncoder(order.format, self._engine.info.rate, output_rate=rate, tags=tags)
