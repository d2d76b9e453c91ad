"""The agent's voice in one call: utterances put on the schedule, and stopped at once when told to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runtime import metrics
from runtime.clock import Clock
from runtime.media.frame import EncodedFrame
from runtime.media.scheduler import Playout
from runtime.transport.pacer import Pacer
from runtime.wire.conversation import WordTime
from sessions.peers.peer import FrameEncoder, ReplyOrder
from sessions.timeline import Timeline
from sessions.utterance import END, Utterance
from tts.engine import Conditioning, SpeechEngine, SpokenWord
from tts.phrases import PhraseBook, PhrasePart, WireFormat, coded_parts
from tts.stream import SpeechStream


class AudioOut(Protocol):
    """The part of a peer that carries our voice."""

    @property
    def lead(self) -> float: ...

    def encoder(self, order: ReplyOrder, position: int) -> FrameEncoder: ...

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None: ...


CLOSING = 0.5
"""Seconds from the end of our speech in which a caller who speaks answers it rather than interrupting."""

Line: TypeAlias = str | SpeechStream
"""What is said next: a phrase that is said alike in every call, or a speech being written."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an utterance was stopped."""

    order: ReplyOrder
    heard: float
    """Seconds of it that the caller has heard, by the schedule."""


class Speaker:
    """
    Say one utterance after another on one playout.

    Args:
        engine: Shared by all calls.
        phrases: Shared; what every call says is made once.
        pacer: Shared; decides when packets leave.
        out: Where they go.
        clock: Monotonic time.
    """

    def __init__(
        self, *, engine: SpeechEngine, phrases: PhraseBook, pacer: Pacer, out: AudioOut, clock: Clock
    ) -> None:
        self._engine = engine
        self._phrases = phrases
        self._pacer = pacer
        self._out = out
        self._clock = clock
        self._playout: Playout | None = None
        self._utterance: Utterance | None = None
        self._held = False

    @property
    def audible(self) -> bool:
        """Whether the caller hears us now, or would if we were not held."""
        if self._held or (self._utterance is not None and self._utterance.sounding):
            return True
        quiet_at = self.quiet_at
        return quiet_at is not None and self._clock.now() < quiet_at

    @property
    def closing(self) -> bool:
        """Whether only the end of the last sentence is left: who speaks over it is answering already."""
        quiet_at = self.quiet_at
        if self._held or quiet_at is None or self._utterance is None or not self._utterance.written:
            return False
        return quiet_at - self._clock.now() < CLOSING

    @property
    def held(self) -> bool:
        return self._held

    @property
    def quiet_at(self) -> float | None:
        """When the caller will have heard everything, monotonic seconds; None while nothing plays."""
        return self._playout.dry_at if self._playout is not None else None

    def speech(self, order: ReplyOrder, conditioning: Conditioning) -> SpeechStream:
        """A line for words that are being written; give it to :meth:`say`."""
        return SpeechStream(
            self._engine,
            conditioning,
            clock=self._clock,
            deadline=self._deadline,
            speed=order.speed,
        )

    async def say(
        self,
        order: ReplyOrder,
        conditioning: Conditioning,
        timeline: Timeline,
        script: AsyncIterator[Line],
    ) -> None:
        """
        Say the lines of ``script`` as one message, once the utterance before is over.

        Returns when the last packet has left, or :meth:`clear` was called.

        Raises:
            SpeechError: The engine failed; what it had made was said to its end.
        """
        while self._utterance is not None and not self._utterance.over:
            await self._utterance.ended()
        encoder = self._encoder(order)
        assert self._playout is not None
        utterance = Utterance(order, self._playout, encoder, timeline, self._clock)
        self._utterance = utterance
        async with aclosing(self._parts(order, conditioning, encoder.wire, script)) as parts:
            await utterance.play(parts)

    def hold(self) -> None:
        """Fall silent without losing a sample: the caller may want the floor."""
        if self._playout is not None and not self._held:
            self._held = True
            self._playout.pause(self._clock.now())

    def release(self) -> None:
        """Go on from the very sample at which :meth:`hold` stopped."""
        if self._playout is not None and self._held:
            self._held = False
            self._playout.resume(self._clock.now())

    def clear(self) -> Cut | None:
        """
        Stop: nothing more of what was queued leaves, and nothing more is queued.

        Returns how much was heard, also where the last packet had left but was still on its way to the
        caller's ear; None where nothing was to be heard any more.
        """
        audible = self.audible
        self._held = False
        if self._playout is None or self._utterance is None:
            return None
        cleared = self._playout.clear(self._clock.now())
        utterance, self._utterance = self._utterance, None
        utterance.stop()
        return Cut(utterance.order, utterance.heard(cleared.heard)) if audible else None

    def close(self) -> None:
        """Say nothing more. Harmless twice."""
        self.clear()
        if self._playout is not None:
            self._playout.close()
            self._playout = None

    # The pacer's sink

    def send_frames(self, frames: Sequence[EncodedFrame]) -> None:
        """Packets are due."""
        if self._utterance is not None:
            self._out.send_frames(self._utterance.order, frames, self._utterance.words_of(frames))

    def marks_passed(self, names: Sequence[str]) -> None:
        """The end of an utterance has left."""
        if self._utterance is not None and END in names:
            self._utterance.left()

    def _deadline(self) -> float | None:
        """When the caller will have heard all there is, for synthesis; None while we hold our breath."""
        if self._held:
            return None
        quiet_at = self.quiet_at
        return self._clock.now() if quiet_at is None else quiet_at

    def _encoder(self, order: ReplyOrder) -> FrameEncoder:
        """An encoder for the next utterance, and a playout at its rate."""
        position = self._playout.pushed_samples if self._playout is not None else 0
        encoder = self._out.encoder(order, position)
        if self._playout is not None and not self._playout.closed:
            if self._playout.rate == encoder.wire.rate:
                return encoder
            self._playout.close()
        self._playout = self._pacer.open(
            self, rate=encoder.wire.rate, lead=self._out.lead, ptime=encoder.ptime
        )
        return self._out.encoder(order, 0)

    async def _parts(
        self,
        order: ReplyOrder,
        conditioning: Conditioning,
        wire: WireFormat,
        script: AsyncIterator[Line],
    ) -> AsyncGenerator[PhrasePart, None]:
        """The parts of every line, with word times and spans that run on from one to the next."""
        seconds, characters = 0.0, 0
        async for line in script:
            if isinstance(line, SpeechStream):
                parts = coded_parts(line, wire)
            else:
                parts = self._phrases.recite(line, conditioning, wire, speed=order.speed)
            begin = seconds
            async for part in parts:
                seconds += part.samples / wire.rate
                yield _moved(part, begin, characters) if characters else part
            if isinstance(line, SpeechStream):
                _note(line)
                characters += len(line.text)
            else:
                characters += len(line)


def _note(speech: SpeechStream) -> None:
    if speech.ttfb is not None:
        metrics.first_audio.observe(speech.ttfb)
    if speech.rtf is not None:
        metrics.synthesis_rtf.observe(speech.rtf)


def _moved(part: PhrasePart, seconds: float, characters: int) -> PhrasePart:
    if not part.words:
        return part
    words = tuple(
        SpokenWord(
            word.word,
            word.start + seconds,
            word.end + seconds,
            (word.source[0] + characters, word.source[1] + characters),
        )
        for word in part.words
    )
    return PhrasePart(part.coded, part.samples, words)
